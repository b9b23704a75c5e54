"""Segmentation objects (binary, fractional, label map) on the grid of their source.

References
----------
DICOM PS3.3 C.8.20 (segmentation), C.7.6.16 (functional groups).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.codes import Code
from isocenter.core.errors import ContentError, FormatError, GeometryError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.assemble import FrameReader
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.frame import Plane
from isocenter.io.dicom.identity import facts, identity, key, patient_key, text_problems, uid
from isocenter.io.dicom.layout import Layout, layout
from isocenter.io.dicom.multiframe import Groups
from isocenter.io.dicom.pixels import Pixels, full_check, locate
from isocenter.io.dicom.plane import plane
from isocenter.io.dicom.rtstruct import referenced_image, slot_of
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Item, Problem

__all__ = ["seg_item"]

_GIANT = 1 << 27  # samples beyond which overlap is found out when the segments are loaded
_OFF = 0.01  # mm by which a plane may lie off the grid


@dataclass(frozen=True, slots=True)
class _Parts:
    """Which frame goes where: (frame, segment value or 0 for a label map, slice)."""

    pixels: Pixels
    frames: tuple[tuple[int, int, int], ...]
    segments: tuple[Segment, ...]
    kind: str
    threshold: float


def seg_item(file: File, images: Sequence[Item], budget: Budget) -> Item:
    """Return the item of a segmentation: on the grid of its source image where that came along, else on its own.

    Raises
    ------
    InputError
        If its pixels, segments or planes cannot be used.
    """
    data = file.data
    form = layout(file, budget)
    pixels = locate(file, form)
    full_check(pixels)
    kind = values.text(data, "SegmentationType", "BINARY").upper()
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP") or form.samples != 1:
        raise FormatError(
            f"{clean(file.path)}: SegmentationType (0062,0001) is '{clean(kind, 16)}': expected BINARY, FRACTIONAL or LABELMAP."
        )
    segments = _segments(data, kind)
    numbers, planes, gap = _frames(data, form, kind, segments)
    series = [uid(s, "SeriesInstanceUID") for s in values.items(data, "ReferencedSeriesSequence")]
    frame_uid = uid(data, "FrameOfReferenceUID")
    image = referenced_image(series, [frame_uid] if frame_uid else [], images)
    problems = [Problem(t) for t in (*file.warnings, *text_problems(data))]
    if planes:
        geometry, slices = _placed(planes, gap, form, frame_uid or None, image, clean(file.path), problems)
    else:
        image = _picture(data, images)
        geometry, slices = _over_picture(numbers, form, image, clean(file.path), problems), [0] * form.frames
    threshold = 0.5
    if kind == "FRACTIONAL":
        threshold = 0.5 * (values.integer(data, "MaximumFractionalValue") or 255)
        problems.append(Problem("The segmentation is fractional; a sample belongs to a segment from half of the maximum on."))
    parts = _Parts(pixels, tuple(zip(range(form.frames), numbers, slices, strict=True)), segments, kind, threshold)
    stated = values.text(data, "SegmentsOverlap").upper()
    overlapping = kind != "LABELMAP" and stated != "NO" and _overlap(parts)
    count = len(segments) if overlapping else 1
    high = max((s.value for s in segments), default=1)
    dtype = np.dtype(bool) if overlapping else np.dtype(np.uint8 if high < 256 else np.uint16)
    budget.check_shape((count, *geometry.shape), dtype.itemsize, file.path, "the segments")
    spec = Spec(
        "MaskStack" if overlapping else "LabelMap",
        ("z", "y", "x")[3 - geometry.ndim :],
        dtype.str,
        geometry,
        "SEG",
        None,
        count * geometry.size,
    )
    study = uid(data, "StudyInstanceUID")
    group = key("study", study)[:16] if study else ""
    return Item(
        slot_of([s.name for s in segments], "segmentation"), "labels", "dicom", spec, (file.path,),
        partial(_load, parts, geometry, tuple(p.sentence() for p in problems)), image.group if image is not None and image.group else group,
        patient_key(data), tuple(problems), {**facts(data), "segments": len(segments)}, identity(data), (*series, *([frame_uid] if frame_uid else [])),
        uid(data, "SOPInstanceUID"),
    )  # fmt: skip


def _segments(data: Dataset, kind: str) -> tuple[Segment, ...]:
    rows = []
    for item in values.items(data, "SegmentSequence"):
        number = values.integer(item, "SegmentNumber")
        if number is None or not 0 <= number <= 65535:
            raise FormatError(
                f"{clean(data.path)}: SegmentNumber (0062,0004) is {number}: expected 1 to 65535; export the file again."
            )
        if number == 0:  # the background of a label map
            continue
        name = clean(values.person(item, "SegmentLabel")[0], 64).strip() or f"segment {number}"
        kind_item = values.first_item(item, "SegmentedPropertyTypeCodeSequence")
        side = None if kind_item is None else values.first_item(kind_item, "SegmentedPropertyTypeModifierCodeSequence")
        category, code = _coded(values.first_item(item, "SegmentedPropertyCategoryCodeSequence")), _coded(kind_item)
        rows.append(Segment(number, name, code, category, _coded(side), _colour(item)))
    if not rows:
        raise ContentError(
            f"{clean(data.path)}: SegmentSequence (0062,0002) is empty: expected at least one segment; export the {kind.lower()} again."
        )
    return tuple(rows)


def _coded(item: Dataset | None) -> Code | None:
    if item is None or not values.has(item, "CodeValue"):
        return None
    return Code(
        clean(values.text(item, "CodeValue"), 16),
        clean(values.text(item, "CodingSchemeDesignator"), 16),
        clean(values.person(item, "CodeMeaning")[0], 64),
    )


def _colour(item: Dataset) -> tuple[int, int, int] | None:
    """Return the recommended colour (CIELab in 16-bit numbers, relative to D65 as writers in use take it) in sRGB."""
    lab = values.integers(item, "RecommendedDisplayCIELabValue")
    if len(lab) != 3:
        return None
    light, a, b = lab[0] / 65535 * 100, lab[1] / 65535 * 255 - 128, lab[2] / 65535 * 255 - 128
    fy = (light + 16) / 116
    f = np.array([fy + a / 500, fy, fy - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.95047, 1.0, 1.08883)
    linear = (
        np.array([[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]])
        @ xyz
    )
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
    r, g, blue = (int(v) for v in np.clip(np.rint(rgb * 255), 0, 255))
    return r, g, blue


def _frames(data: Dataset, form: Layout, kind: str, segments: Sequence[Segment]) -> tuple[list[int], list[Plane], float]:
    """Return the segment and the plane of every frame, and the stated mm between slices (0: not stated).

    Over a picture that has no place in the patient (a radiograph) the frames have none either: no planes.
    """
    groups = Groups(data, form.frames)
    flat = not values.has(data, "ImagePositionPatient") and not any(
        groups.item(k, name) is not None
        for k in range(form.frames)
        for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    )
    known = {s.value for s in segments}
    numbers, planes, stated = [], [], 0.0
    for k in range(form.frames):
        number = 0
        if kind != "LABELMAP":
            item = groups.item(k, "SegmentIdentificationSequence")
            number = (values.integer(item, "ReferencedSegmentNumber") if item is not None else None) or 0
            if number not in known:
                raise FormatError(
                    f"{clean(data.path)}: frame {k + 1} belongs to segment {number}: expected one of {sorted(known)[:8]}; export it again."
                )
        numbers.append(number)
        if flat:
            continue
        position, orient, measures = (
            groups.item(k, name) or data
            for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        )
        planes.append(plane(position, orient, measures))
        if k == 0:
            stated = abs(values.number(measures, "SpacingBetweenSlices") or 0.0)
    return numbers, planes, stated


def _picture(data: Dataset, images: Sequence[Item]) -> Item | None:
    """Return the image whose object a segmentation refers to: several radiographs may share a series."""
    objects = {
        uid(one, "ReferencedSOPInstanceUID")
        for series in values.items(data, "ReferencedSeriesSequence")
        for one in values.items(series, "ReferencedInstanceSequence")
    } - {""}
    found = [i for i in images if i.kind == "image" and objects & set(i.identity.get("SOPInstanceUIDs", ()))]
    return found[0] if len(found) == 1 else None


def _over_picture(numbers: list[int], form: Layout, image: Item | None, what: str, problems: list[Problem]) -> Geometry:
    """Return the grid of a segmentation without planes: that of its picture, else its pixels.

    Raises
    ------
    GeometryError
        If several frames belong to one segment: nothing says where each lies.
    """
    twice = next((k for k, number in enumerate(numbers) if number in numbers[:k]), None)
    if twice is not None:
        raise GeometryError(
            f"{what}: frames {numbers.index(numbers[twice]) + 1} and {twice + 1} belong to one segment and no frame has a position: "
            "expected PlanePositionSequence, or one frame of each segment over a picture; export it again."
        )
    if image is not None and image.spec.geometry is not None and image.spec.geometry.shape == (form.rows, form.columns):
        return image.spec.geometry
    problems.append(
        Problem(
            "The segmentation gives no position and no pixel size, and no picture of its size that it belongs to came along.",
            "It is in pixels; steps that measure in mm refuse it.",
            "Read it together with its picture.",
        )
    )
    return Geometry.pixels((form.rows, form.columns))


def _placed(
    planes: list[Plane],
    stated: float,
    form: Layout,
    frame_uid: str | None,
    image: Item | None,
    what: str,
    problems: list[Problem],
) -> tuple[Geometry, list[int]]:
    """Return the grid and the slice of every frame."""
    if image is not None and image.spec.geometry is not None:
        slices = _on_grid(planes, form, image.spec.geometry)
        if slices is not None:
            return image.spec.geometry, slices
        problems.append(
            Problem(
                "The segmentation does not lie on the grid of its source image; it keeps its own.", "Resample it to compare them."
            )
        )
    return _own_grid(planes, stated, form, frame_uid, what)


def _on_grid(planes: list[Plane], form: Layout, geometry: Geometry) -> list[int] | None:
    """Return the slices of an image grid that the frames lie on, None where any does not."""
    if geometry.shape[-2:] != (form.rows, form.columns):
        return None
    corners = np.array([(0, 0), (form.rows - 1, 0), (0, form.columns - 1)], dtype=float)
    slices = []
    for one in planes:
        points = one.position + corners @ one.steps().T
        index = geometry.to_index(points)
        z = round(float(index[0, 0])) if geometry.ndim == 3 else 0
        depth = geometry.shape[0] if geometry.ndim == 3 else 1
        wanted = corners if geometry.ndim == 2 else np.column_stack([np.full(3, z), corners])
        if not 0 <= z < depth or float(np.abs(geometry.to_world(wanted) - points).max()) > _OFF:
            return None
        slices.append(z)
    return slices


def _own_grid(planes: list[Plane], stated: float, form: Layout, frame_uid: str | None, what: str) -> tuple[Geometry, list[int]]:
    """Return the regular grid that the frames span; slices between them that were left out are empty."""
    first = planes[0]
    for k, one in enumerate(planes):
        turned = max(float(np.abs(one.along_x - first.along_x).max()), float(np.abs(one.along_y - first.along_y).max()))
        if turned > 2e-3 or max(abs(a - b) for a, b in zip(one.spacing, first.spacing, strict=True)) > 1e-4 * max(first.spacing):
            raise GeometryError(
                f"{what}: frame {k + 1} has another orientation or spacing than frame 1: expected parallel planes; export it again."
            )
    along = np.array([float((p.position - first.position) @ first.normal) for p in planes])
    order = np.argsort(along, kind="stable")
    distinct = [int(order[0])]
    for k in order[1:]:
        if along[k] - along[distinct[-1]] > 1e-3:
            distinct.append(int(k))
    base = planes[distinct[0]].position
    if len(distinct) == 1:
        affine: npt.NDArray[Any] = np.zeros((4, 3))
        affine[:3, :2], affine[:3, 2], affine[3, 2] = first.steps(), base, 1.0
        return Geometry((form.rows, form.columns), affine, frame_uid), [0] * len(planes)
    gaps = np.diff(along[distinct])
    fits = stated > 0 and float(np.abs(gaps / stated - np.rint(gaps / stated)).max()) < 0.02 and float(gaps.min()) > 0.5 * stated
    counts = np.rint(gaps / (stated if fits else gaps.min()))
    total = float(counts.sum())
    step = (planes[distinct[-1]].position - base) / total
    number = np.concatenate([[0.0], np.cumsum(counts)])
    off = np.stack([planes[k].position for k in distinct]) - (base + number[:, None] * step)
    if float(np.linalg.norm(off, axis=1).max()) > 0.05:
        worst = int(np.argmax(np.linalg.norm(off, axis=1)))
        raise GeometryError(
            f"{what}: the plane of frame {distinct[worst] + 1} lies {np.linalg.norm(off[worst]):.2f} mm off an even grid of {gaps.min():.2f} mm: "
            "expected evenly spaced planes; give the image it was drawn on along with it."
        )
    affine = np.zeros((4, 4))
    affine[:3, 0], affine[:3, 1:3], affine[:3, 3], affine[3, 3] = step, first.steps(), base, 1.0
    places = np.rint((along - along[distinct[0]]) / (along[distinct[-1]] - along[distinct[0]]) * total).astype(int)
    return Geometry((int(total) + 1, form.rows, form.columns), affine, frame_uid), [int(z) for z in places]


def _load(parts: _Parts, geometry: Geometry, notes: tuple[str, ...]) -> LabelMap | MaskStack:
    dims = ("z", "y", "x")[3 - geometry.ndim :]
    depth = geometry.shape[0] if geometry.ndim == 3 else 1
    plane_shape = geometry.shape[-2:]
    high = max(s.value for s in parts.segments)
    labels = np.zeros((depth, *plane_shape), np.uint8 if high < 256 else np.uint16)
    reader = FrameReader()
    if parts.kind == "LABELMAP":
        known = np.zeros(65536, bool)
        known[[0, *(s.value for s in parts.segments)]] = True
        for frame, _, z in parts.frames:
            samples, _ = reader.read(parts.pixels, frame)
            labels[z] = np.where(known[samples], samples, 0)
        return _traced(LabelMap(labels.reshape(geometry.shape), dims, geometry, parts.segments, modality="SEG"), notes)
    for frame, number, z in parts.frames:
        samples, _ = reader.read(parts.pixels, frame)
        mask = samples >= parts.threshold
        if labels[z][mask].any():
            clash = labels[z][mask]
            if (clash[clash > 0] != number).any():
                return _traced(_stacked(parts, geometry, dims, depth), notes)
        labels[z][mask] = number
    return _traced(LabelMap(labels.reshape(geometry.shape), dims, geometry, parts.segments, modality="SEG"), notes)


def _overlap(parts: _Parts) -> bool:
    """Return whether two segments share a sample; reads only slices on which several lie, and not of giants."""
    by_slice: dict[int, list[tuple[int, int]]] = {}
    for frame, number, z in parts.frames:
        by_slice.setdefault(z, []).append((frame, number))
    crowded = [members for members in by_slice.values() if len({number for _, number in members}) > 1]
    form = parts.pixels.layout
    if not crowded or form.frames * form.rows * form.columns > _GIANT:
        return False
    reader = FrameReader()
    for members in crowded:
        seen = np.zeros((form.rows, form.columns), np.int32)
        for frame, number in members:
            mask = reader.read(parts.pixels, frame)[0] >= parts.threshold
            if ((seen != 0) & (seen != number) & mask).any():
                return True
            seen[mask] = number
    return False


def _stacked(parts: _Parts, geometry: Geometry, dims: tuple[str, ...], depth: int) -> MaskStack:
    """Return overlapping segments one by one."""
    row = {s.value: k for k, s in enumerate(parts.segments)}
    array = np.zeros((len(parts.segments), depth, *geometry.shape[-2:]), bool)
    reader = FrameReader()
    for frame, number, z in parts.frames:
        samples, _ = reader.read(parts.pixels, frame)
        array[row[number], z] |= samples >= parts.threshold
    return MaskStack(array.reshape(len(parts.segments), *geometry.shape), dims, geometry, parts.segments)


def _traced(labels: Any, notes: tuple[str, ...]) -> Any:
    from dataclasses import replace

    return replace(labels, provenance=Provenance.read(labels.digest, "dicom", notes))
