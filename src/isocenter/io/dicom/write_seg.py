"""Writing labels as a DICOM segmentation (SEG, binary) on the grid of their source images.

References
----------
DICOM PS3.3 A.51 (Segmentation IOD), C.8.20 (Segmentation modules).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import highdicom
import numpy as np
import numpy.typing as npt
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset

from isocenter._version import __version__
from isocenter.core.codes import TISSUE, Code
from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io.dicom.common import (
    MAKER,
    PENDING_INSTANCE,
    PENDING_SERIES,
    code_item,
    derive_uid,
    finish,
    long_string,
    moment,
    required_uid,
)
from isocenter.io.dicom.source import source_headers

__all__ = ["MORPHOLOGICAL_OPERATIONS", "SegmentReference", "WrittenSegmentation", "tracking_uid", "write_seg"]

#: Algorithm family of CID 7162 that classical segmentation belongs to.
MORPHOLOGICAL_OPERATIONS = Code("123104", "DCM", "Morphological Operations")


@dataclass(frozen=True)
class SegmentReference:
    """Where one segment stands in a written segmentation.

    Attributes
    ----------
    number
        Its segment number, 1 or more.
    slices
        Indices of the source slices it occurs in.
    frames
        Its frames in the SEG object, 1 or more, ordered along the slice normal.
    tracking
        UID under which reports speak of it.
    """

    number: int
    slices: tuple[int, ...]
    frames: tuple[int, ...]
    tracking: str


@dataclass(frozen=True)
class WrittenSegmentation:
    """What `write_seg` wrote, as far as a report needs it.

    Attributes
    ----------
    path
        The file.
    sop_class, instance, series
        UIDs of the object.
    segments
        Name of the segment -> where it stands.
    table
        The rows that were written.
    slices
        Slices of the source's grid; 1 for a picture.
    """

    path: Path
    sop_class: str
    instance: str
    series: str
    segments: Mapping[str, SegmentReference]
    table: tuple[Segment, ...]
    slices: int


def write_seg(
    labels: LabelMap | MaskStack,
    identity: Mapping[str, Any],
    path: str | Path,
    *,
    grid: Geometry | None = None,
    description: str = "",
    series_number: int = 900,
    algorithm: str = MAKER,
    version: str = __version__,
    kind: Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"] = "AUTOMATIC",
    family: Code = MORPHOLOGICAL_OPERATIONS,
) -> WrittenSegmentation:
    """Write labels as a binary DICOM SEG over the images they were drawn on.

    Parameters
    ----------
    labels
        On the grid of the source series: the same slices in the same order. Overlapping masks are allowed.
        Segments without a single sample are left out.
    identity
        Of the source: DICOM keyword -> text, with ``SOPInstanceUIDs`` in slice order and ``SOPClassUID``
        (of a multi-frame source its one UID, and ``FrameNumbers`` in slice order; without these the object is
        referred to as a whole).
    path
        The file; its folder must exist.
    grid
        Grid of the source image as it was read (``Item.spec.geometry``): labels that are not on it are refused.
        Without it only the number of slices can be checked.
    description
        SeriesDescription and ContentDescription.
    series_number
        SeriesNumber.
    algorithm, version, kind, family
        What made the labels.

    Returns
    -------
    WrittenSegmentation
        UIDs and segment numbers, which `write_sr` refers to.

    Raises
    ------
    ContentError
        If the source is not DICOM, has another number of slices, or every segment is empty.
    GridMismatchError
        If the labels are not on the grid of their source.
    WriteError
        If the disk refuses.
    """
    headers = source_headers(labels.geometry, identity, grid)
    rows, pixels = _stack(labels)
    descriptions = [_description(k, row, identity, algorithm, version, kind, family) for k, row in enumerate(rows, start=1)]
    with warnings.catch_warnings():
        # Advice to the programmer about names and planes; what matters is checked by the tests' validator.
        warnings.simplefilter("ignore")
        dataset = _segmentation(headers, pixels, descriptions, identity, description, series_number)
    _true_frame_numbers(dataset, identity)
    instance, series = finish(dataset, Path(path), identity)
    where = _references(dataset, rows, _slices(pixels, len(rows)), identity)
    return WrittenSegmentation(Path(path), str(dataset.SOPClassUID), instance, series, where, tuple(rows), len(pixels))


def tracking_uid(identity: Mapping[str, Any], name: str) -> str:
    """Return the UID under which every object speaks of a region of this source series."""
    return derive_uid("tracking", required_uid(identity, "SeriesInstanceUID"), name)


def _stack(labels: LabelMap | MaskStack) -> tuple[list[Segment], npt.NDArray[Any]]:
    """Return the segments that occur, and their samples slice by slice.

    Of labels: segment numbers (slices, rows, columns), which take far less memory than a mask for each; of masks
    that may overlap: 0 or 1 (slices, rows, columns, segments).
    """
    if labels.geometry.ndim not in (2, 3) or len(labels.dims) != labels.geometry.ndim:
        raise ContentError(
            f"Labels with axes {' '.join(labels.dims)}: expected two or three spatial axes only; take one time point."
        )
    pixels: npt.NDArray[Any]
    if isinstance(labels, LabelMap):
        present = set(labels.present)
        rows = [row for row in labels.segments if row.value in present]
        data = np.asarray(labels.array)
        pixels = np.zeros(data.shape, np.uint8 if len(rows) < 256 else np.uint16)
        if rows:
            values = np.array([row.value for row in rows])
            order = np.argsort(values)
            inside = data > 0
            pixels[inside] = order[np.searchsorted(values[order], data[inside])] + 1
    else:
        kept = [k for k in range(len(labels)) if labels.array[k].any()]
        rows = [labels.segments[k] for k in kept]
        pixels = np.stack([np.asarray(labels.array[k]) for k in kept], axis=-1).astype(np.uint8) if kept else np.zeros(0)
    if not rows:
        raise ContentError("No segment has a single sample: expected at least one; there is nothing to write as SEG.")
    names = [row.name for row in rows]
    if len(set(names)) != len(names):
        raise ContentError(
            f"Segment names repeat: {sorted({n for n in names if names.count(n) > 1})}; expected one name per segment."
        )
    return rows, pixels if labels.geometry.ndim == 3 else pixels[None]


def _concept(code: Code | None, otherwise: Code) -> highdicom.sr.CodedConcept:
    chosen = code or otherwise
    return highdicom.sr.CodedConcept(chosen.value, chosen.scheme, long_string(chosen.meaning) or "unnamed")


def _description(
    number: int, row: Segment, identity: Mapping[str, Any], algorithm: str, version: str, kind: str, family: Code
) -> highdicom.seg.SegmentDescription:
    identification = highdicom.AlgorithmIdentificationSequence(
        long_string(algorithm) or MAKER, _concept(family, family), long_string(version) or __version__
    )
    color = row.color or (255, 255, 255)
    made = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=long_string(row.name) or f"segment {number}",
        segmented_property_category=_concept(row.category, TISSUE),
        segmented_property_type=_concept(row.code, TISSUE),
        algorithm_type=kind,
        algorithm_identification=None if kind == "MANUAL" else identification,
        tracking_uid=tracking_uid(identity, row.name),
        tracking_id=long_string(row.name) or f"segment {number}",
        display_color=CIELabColor.from_rgb(*color),
    )
    if row.laterality is not None:
        made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [code_item(row.laterality)]
    return made


def _segmentation(
    headers: Sequence[Dataset],
    pixels: npt.NDArray[Any],
    descriptions: Sequence[highdicom.seg.SegmentDescription],
    identity: Mapping[str, Any],
    description: str,
    series_number: int,
) -> Dataset:
    date, time = moment(identity)
    plane = pixels.shape[1] * pixels.shape[2]
    if plane < 8:  # highdicom shifts the bits of frames that do not fill a byte
        raise ContentError(
            f"Planes of {plane} samples are not written as DICOM SEG: expected at least 8; write NIfTI or NRRD instead."
        )
    try:
        made: Dataset = highdicom.seg.Segmentation(
            source_images=headers,
            pixel_array=pixels,
            segmentation_type="BINARY",
            segment_descriptions=descriptions,
            series_instance_uid=PENDING_SERIES,
            series_number=series_number,
            sop_instance_uid=PENDING_INSTANCE,
            instance_number=1,
            manufacturer=MAKER,
            manufacturer_model_name=MAKER,
            software_versions=__version__,
            device_serial_number=__version__,
            content_description=long_string(description) or "Segmentation",
            content_label="SEGMENTATION",
            series_description=long_string(description) or "Segmentation",
            content_date=date,
            content_time=time,
        )
    except KeyError as error:  # highdicom looks the source's SOP class up in its tables of the standard
        raise ContentError(
            f"The source's SOP class {identity.get('SOPClassUID')} is not one of images: expected a DICOM image ({error})."
        ) from error
    if "ImageOrientationPatient" not in headers[0] and "SharedFunctionalGroupsSequence" not in headers[0]:
        made.PatientOrientation = ""  # not known: the source says neither this nor where its planes lie
    return made


def _true_frame_numbers(dataset: Dataset, identity: Mapping[str, Any]) -> None:
    """Replace slice numbers by the source's own frame numbers; drop them where these are not known."""
    numbers = [int(n) for n in identity.get("FrameNumbers") or ()]
    done: set[int] = set()  # frames of one slice may share their item
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        for derivation in frame.get("DerivationImageSequence") or ():
            for item in derivation.SourceImageSequence:
                if "ReferencedFrameNumber" not in item or id(item) in done:
                    continue
                done.add(id(item))
                if numbers:
                    item.ReferencedFrameNumber = numbers[int(item.ReferencedFrameNumber) - 1]
                else:
                    del item.ReferencedFrameNumber


def _slices(pixels: npt.NDArray[Any], count: int) -> list[tuple[int, ...]]:
    """Return, of each segment, the slices it occurs in."""
    found: list[list[int]] = [[] for _ in range(count)]
    for z, plane in enumerate(pixels):
        if pixels.ndim == 3:
            numbers = np.flatnonzero(np.bincount(plane.ravel(), minlength=count + 1)[1:])
        else:
            numbers = np.flatnonzero(plane.any(axis=(0, 1)))
        for number in numbers:
            found[int(number)].append(z)
    return [tuple(slices) for slices in found]


def _references(
    dataset: Dataset, rows: Sequence[Segment], slices: Sequence[tuple[int, ...]], identity: Mapping[str, Any]
) -> dict[str, SegmentReference]:
    """Return, by name, the number, slices and frames of each segment."""
    frames: dict[int, list[int]] = {k: [] for k in range(1, len(rows) + 1)}
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for k, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence, start=1):
        # With a single segment its number may stand once, in the shared groups.
        holder = frame if "SegmentIdentificationSequence" in frame else shared
        frames[int(holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber)].append(k)
    return {
        row.name: SegmentReference(number, slices[number - 1], tuple(frames[number]), tracking_uid(identity, row.name))
        for number, row in enumerate(rows, start=1)
    }
