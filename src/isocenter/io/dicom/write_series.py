"""Writing an image as a DICOM series: one file per slice (and time point), positions and UIDs fixed by the content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.io.atomic import make_folder
from isocenter.io.dicom.acquisition import SOP_CLASSES, PetAcquisition, clock_after, describe, sop_class
from isocenter.io.dicom.common import decimal, derive_uid, long_string, moment, save, write_common
from isocenter.io.dicom.encode import Stored, stored, stored_per_slice
from isocenter.io.dicom.source import frame_of_reference, plane_attributes, slice_position, slice_step

__all__ = ["PetAcquisition", "WrittenSeries", "write_series"]


@dataclass(frozen=True)
class WrittenSeries:
    """What `write_series` wrote.

    Attributes
    ----------
    paths
        The files in slice order, time points one after the other.
    identity
        What a reader of the series learns of person, study and files, as the writers of results take it.
    """

    paths: tuple[Path, ...]
    identity: Mapping[str, Any]


def write_series(
    image: Image,
    folder: str | Path,
    *,
    identity: Mapping[str, Any] | None = None,
    description: str = "",
    body_part: str = "",
    series_number: int = 1,
    patient_position: str = "HFS",
    pet: PetAcquisition | None = None,
    inverted: bool = False,
) -> WrittenSeries:
    """Write an image as CT, MR, PET, ultrasound, digital X-ray or, where none of these fits, secondary capture.

    Parameters
    ----------
    image
        Samples with axes ``z y x`` (CT, MR, PET; with ``t`` before them as well), or ``y x`` (with ``t`` for an
        ultrasound cine, with ``c`` of three for colour). A tilted gantry's sheared grid is written as it is.
    folder
        Where the files go (created if missing): ``0001.dcm`` ...
    identity
        DICOM keyword -> text of person and study; default: a phantom of no name. Images of one frame of reference
        share a study.
    description
        SeriesDescription.
    body_part
        BodyPartExamined, ``CHEST`` for instance.
    series_number
        SeriesNumber.
    patient_position
        ``HFS``, ``HFP`` ...
    pet
        Dose, weight and times of a PET image in Bq/ml.
    inverted
        Stored as MONOCHROME1: low is bright.

    Returns
    -------
    WrittenSeries
        The files and their identity.

    Raises
    ------
    ContentError
        If samples, axes or quantity cannot be written.
    GeometryError
        If rows and columns do not meet at a right angle.
    WriteError
        If the disk refuses.

    Notes
    -----
    Whole numbers within 16 bits are kept exactly; others are stored in 16 bits with a slope, PET with one per slice.
    Meant for phantoms: the files claim an original acquisition with the fixed attributes that
    `isocenter.io.dicom.acquisition` names. It is not the way to send a processed image to an archive.
    """
    if isinstance(image, LabelMap):
        raise ContentError("A label map is not an image: write it as DICOM SEG beside its source.")
    kind = sop_class(image)
    who = _identity(image, identity)
    base = _base(image, kind, who, description, body_part, series_number, patient_position, inverted, pet)
    planes, addresses = _planes(image, kind)
    paths, instances = _files(image, kind, base, planes, addresses, make_folder(folder))
    return WrittenSeries(paths, _learnt(who, kind, base, instances))


def _files(
    image: Image, kind: str, base: Dataset, planes: list[Stored], addresses: list[tuple[int, int]], target: Path
) -> tuple[tuple[Path, ...], list[str]]:
    """Write one file for each plane; return the files and the UIDs of their objects."""
    paths, instances = [], []
    for k, (plane, address) in enumerate(zip(planes, addresses, strict=True)):
        dataset = Dataset()
        dataset.update(base)
        _place(dataset, image, kind, k, address)
        _pixels(dataset, plane, kind, image)
        dataset.SOPInstanceUID = derive_uid("slice", base.SeriesInstanceUID, k)
        path = target / f"{k + 1:04d}.dcm"
        save(dataset, path)
        paths.append(path)
        instances.append(str(dataset.SOPInstanceUID))
    return tuple(paths), instances


def _learnt(who: Mapping[str, Any], kind: str, base: Dataset, instances: list[str]) -> dict[str, Any]:
    """Return what a reader of the series learns of person, study and files."""
    found = {
        **who,
        "SOPClassUID": SOP_CLASSES[kind],
        "SeriesInstanceUID": str(base.SeriesInstanceUID),
        "Modality": str(base.Modality),
        "SOPInstanceUIDs": instances,
    }
    if "FrameOfReferenceUID" in base:
        found["FrameOfReferenceUID"] = str(base.FrameOfReferenceUID)
    return found


def _identity(image: Image, identity: Mapping[str, Any] | None) -> dict[str, Any]:
    known = dict(identity or {"PatientName": "Phantom^Isocenter", "PatientID": "PHANTOM", "StudyID": "1"})
    known.setdefault("StudyDate", "20200101")
    known.setdefault("StudyTime", "120000")
    same = image.geometry.frame or image.digest
    known.setdefault("StudyInstanceUID", derive_uid("study", same, known.get("PatientID", "")))
    known.pop("SOPInstanceUIDs", None)
    return known


def _base(
    image: Image,
    kind: str,
    who: Mapping[str, Any],
    description: str,
    body_part: str,
    number: int,
    position: str,
    inverted: bool,
    pet: PetAcquisition | None,
) -> Dataset:
    """Return what all files of the series share."""
    base = Dataset()
    write_common(base, who)
    date, time = moment(who)
    base.StudyDate, base.StudyTime = date, time
    base.SeriesDate, base.SeriesTime, base.ContentDate, base.ContentTime = date, time, date, time
    base.AcquisitionDate, base.AcquisitionTime = date, time
    base.InstanceCreationDate, base.InstanceCreationTime = date, time
    base.SOPClassUID = SOP_CLASSES[kind]
    base.Modality = "OT" if image.modality is None else image.modality
    base.SeriesInstanceUID = derive_uid(
        "series", who["StudyInstanceUID"], image.digest, description, body_part, number, inverted, pet
    )
    base.SeriesNumber, base.SeriesDescription = number, long_string(description)
    base.ReferringPhysicianName = base.get("ReferringPhysicianName", "")
    if body_part:
        base.BodyPartExamined = body_part.upper()[:16]
    elif kind != "DX":
        base.Laterality = ""
    describe(base, kind, image, (date, time), pet)
    if kind in ("CT", "MR", "PT"):
        if kind != "PT":
            base.PatientPosition = position
        base.FrameOfReferenceUID = frame_of_reference(image.geometry, {**who, "SeriesInstanceUID": base.SeriesInstanceUID})
        base.PositionReferenceIndicator = ""
        base.ImageOrientationPatient, base.PixelSpacing = plane_attributes(image.geometry)
        base.SliceThickness = decimal(slice_step(image.geometry))
    elif image.geometry.unit == "mm" and kind == "DX":
        base.ImagerPixelSpacing = [decimal(v) for v in image.geometry.spacing]
        base.PixelSpacing = base.ImagerPixelSpacing
    if "c" in image.dims:
        base.SamplesPerPixel, base.PhotometricInterpretation, base.PlanarConfiguration = 3, "RGB", 0
    else:
        base.SamplesPerPixel, base.PhotometricInterpretation = 1, "MONOCHROME1" if inverted else "MONOCHROME2"
    if kind == "DX" and inverted:
        base.PresentationLUTShape, base.PixelIntensityRelationshipSign = "INVERSE", 1
    return base


def _planes(image: Image, kind: str) -> tuple[list[Stored], list[tuple[int, int]]]:
    """Return the stored slices and, of each, its time point and slice index."""
    array = np.asarray(image.array)
    dims = image.dims
    if "c" in dims:
        if array.shape[dims.index("c")] != 3 or array.dtype != np.uint8 or "t" in dims or image.geometry.ndim != 2:
            raise ContentError(
                f"Colour of shape {array.shape} and type {array.dtype} with axes {' '.join(dims)}: expected c y x with three channels of uint8."
            )
        return [Stored(np.ascontiguousarray(np.moveaxis(array, 0, -1)))], [(0, 0)]
    if kind == "US cine":
        return [stored(array, "US")], [(0, 0)]
    if image.geometry.ndim not in (2, 3) or ("t" in dims and kind == "SC"):
        raise ContentError(
            f"An image with axes {' '.join(dims)} cannot be written as {kind}: expected slices of rows and columns."
        )
    times = array.shape[0] if "t" in dims else 1
    slices = array.shape[-3] if image.geometry.ndim == 3 else 1
    flat = array.reshape(times * slices, *array.shape[-2:])
    addresses = [(t, z) for t in range(times) for z in range(slices)]
    if kind == "PT":
        return stored_per_slice(flat), addresses
    whole = stored(flat, kind)
    return [Stored(plane, whole.slope, whole.intercept) for plane in whole.array], addresses


def _place(dataset: Dataset, image: Image, kind: str, index: int, address: tuple[int, int]) -> None:
    """Set what tells one file of the series from the others."""
    time, slice_index = address
    dataset.InstanceNumber = index + 1
    if kind not in ("CT", "MR", "PT"):
        return
    dataset.ImagePositionPatient = slice_position(image.geometry, slice_index)
    if kind == "CT" or "t" in image.dims:
        dataset.AcquisitionNumber = time + 1
    if "t" in image.dims:
        dataset.TemporalPositionIdentifier = time + 1
        dataset.NumberOfTemporalPositions = image.shape[0]
        if image.times is not None:
            dataset.AcquisitionTime = clock_after(str(dataset.AcquisitionTime), image.times[time] - image.times[0])
    if kind == "PT":
        dataset.ImageIndex = index + 1


def _pixels(dataset: Dataset, plane: Stored, kind: str, image: Image) -> None:
    array = plane.array
    if kind == "US cine":
        dataset.NumberOfFrames = array.shape[0]
    dataset.Rows, dataset.Columns = image.geometry.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = plane.bits
    dataset.HighBit = plane.bits - 1
    dataset.PixelRepresentation = int(plane.signed)
    if kind in ("CT", "PT") or (plane.slope, plane.intercept) != ("1", "0"):
        dataset.RescaleSlope, dataset.RescaleIntercept = plane.slope, plane.intercept
    if kind == "DX":
        dataset.WindowCenter, dataset.WindowWidth = (
            decimal((float(array.min()) + float(array.max())) / 2),
            decimal(max(1.0, float(np.ptp(array)))),
        )
    data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if plane.bits > 8 else "OB"
