"""RT structure sets: contours in mm, and the masks they enclose on the grid of the image they were drawn on.

References
----------
DICOM PS3.3 C.8.8.5 (structure set), C.8.8.6 (ROI contour).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace as changed
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import BudgetError, ContentError, FormatError, GeometryError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import MaskStack, Segment
from isocenter.core.operation import Spec
from isocenter.core.points import Contour, Contours
from isocenter.core.provenance import Provenance
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File, open_file
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.identity import facts, identity, key, patient_key, text_problems, uid
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Item, Problem
from isocenter.kernels.rasterise import fill_polygons

__all__ = ["read_contours", "referenced_image", "rtstruct_item", "slot_of", "to_masks"]

_FILLED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "")
_FLAT = 0.1  # mm by which points of one contour may leave their plane
_MOST_POINTS = 20_000_000


def slot_of(names: Sequence[str], fallback: str) -> str:
    """Return the slot name for masks of these names: that of the only one, made safe, else the fallback."""
    if len(names) != 1:
        return fallback
    plain = re.sub(r"[^a-z0-9]+", "_", names[0].lower()).strip("_")[:40]
    return plain if plain and plain[0].isalpha() and plain not in ("image", "ct", "mr", "pet") else fallback


def read_contours(data: Dataset) -> tuple[tuple[Contours, ...], list[Problem]]:
    """Read the contours of a structure set.

    Returns
    -------
    tuple
        One `Contours` for each structure, in the file's order, and what should be known about them.

    Raises
    ------
    FormatError
        If a contour's points are not triples of numbers.
    """
    names: dict[int, str] = {}
    frames: dict[int, str] = {}
    for roi in values.items(data, "StructureSetROISequence"):
        number = values.integer(roi, "ROINumber")
        if number is not None:
            names[number] = clean(values.person(roi, "ROIName")[0], 64).strip() or f"structure {number}"
            frames[number] = uid(roi, "ReferencedFrameOfReferenceUID")
    found: dict[int, tuple[tuple[Contour, ...], tuple[int, int, int] | None]] = {}
    total = 0
    for entry in values.items(data, "ROIContourSequence"):
        number = values.integer(entry, "ReferencedROINumber")
        if number is None or number in found:
            continue
        polygons = tuple(_contour(c) for c in values.items(entry, "ContourSequence"))
        total += sum(len(p.points) for p in polygons)
        if total > _MOST_POINTS:
            raise BudgetError(
                f"{clean(data.path)}: the structures have more than {_MOST_POINTS:,} points: expected fewer; export fewer structures."
            )
        color = values.integers(entry, "ROIDisplayColor")
        rgb = (color[0] & 255, color[1] & 255, color[2] & 255) if len(color) == 3 else None
        found[number] = (polygons, rgb)
    if not names and not found:
        raise ContentError(f"{clean(data.path)}: the structure set holds no structures: expected contours; export it again.")
    result, problems, used = [], [], set[str]()
    for number in dict.fromkeys([*names, *found]):
        polygons, rgb = found.get(number, ((), None))
        name = names.get(number, f"structure {number}")
        while name in used:
            name += " (again)"
        used.add(name)
        if not polygons:
            problems.append(Problem(f"Structure '{name}' has no contours; its mask is empty."))
        result.append(Contours(name, polygons, rgb, frames.get(number) or None))
    return tuple(result), problems


def _contour(item: Dataset) -> Contour:
    numbers = values.numbers(item, "ContourData")
    if len(numbers) % 3 or not numbers:
        raise FormatError(
            f"{clean(item.path)}: ContourData (3006,0050) holds {len(numbers)} numbers: expected x, y, z of each point; export it again."
        )
    points = np.array(numbers).reshape(-1, 3)
    if float(np.abs(points).max()) > 1e6:
        raise GeometryError(
            f"{clean(item.path)}: ContourData (3006,0050) lies {np.abs(points).max():g} mm out: expected a place in the scanner."
        )
    closed = values.text(item, "ContourGeometricType") in _FILLED
    if closed and len(points) > 1 and np.array_equal(points[0], points[-1]):
        points = points[:-1]
    return Contour(points, closed)


def to_masks(contours: Sequence[Contours], geometry: Geometry, what: str = "the structure set") -> MaskStack:
    """Rasterise contours on a grid by the pixel-centre rule.

    Parameters
    ----------
    contours
        Structures in mm, drawn on planes parallel to the slices of the grid; one polygon inside another is a hole.
    geometry
        The grid, of two or three axes.
    what
        What they are called in messages.

    Returns
    -------
    MaskStack
        One mask for each structure, in order, valued 1, 2 ...

    Raises
    ------
    GeometryError
        If a contour is not planar, or not parallel to the slices.
    """
    shape = geometry.shape
    volume = geometry if geometry.ndim == 3 else _thick(geometry)
    array = np.zeros((len(contours), *volume.shape), dtype=bool)
    for k, structure in enumerate(contours):
        slices: dict[int, list[npt.NDArray[np.float64]]] = {}
        for n, contour in enumerate(structure.contours):
            if not contour.closed or len(contour.points) < 3:
                continue
            index = volume.to_index(contour.points)
            off = float(np.ptp(index[:, 0])) * _gap(volume)
            if off > _FLAT:
                raise GeometryError(
                    f"Contour {n + 1} of '{clean(structure.name, 64)}' in {what} leaves the plane of the slices by {off:.2f} mm: expected planar "
                    "contours parallel to them; draw it on the slices."
                )
            z = round(float(index[:, 0].mean()))
            if 0 <= z < volume.shape[0]:
                slices.setdefault(z, []).append(index[:, 1:])
        for z, polygons in slices.items():
            array[k, z] = fill_polygons(polygons, (volume.shape[1], volume.shape[2]))
    rows = tuple(Segment(k + 1, s.name, color=s.color) for k, s in enumerate(contours))
    dims = ("z", "y", "x")[3 - geometry.ndim :]
    return MaskStack(array.reshape(len(contours), *shape), dims, geometry, rows)


def _gap(geometry: Geometry) -> float:
    """Return mm between slices along the normal."""
    steps = geometry.affine[:3, :3]
    normal = np.cross(steps[:, 1], steps[:, 2])
    return abs(float(steps[:, 0] @ normal / np.linalg.norm(normal)))


def _thick(geometry: Geometry) -> Geometry:
    """Return a single slice as a volume that is one millimetre thick."""
    steps = geometry.affine[:3, :2]
    normal = np.cross(steps[:, 0], steps[:, 1])
    affine = np.column_stack([[*(normal / np.linalg.norm(normal)), 0.0], geometry.affine])
    return Geometry((1, *geometry.shape), affine, geometry.frame)


def referenced_image(series: Sequence[str], frames: Sequence[str], images: Sequence[Item]) -> Item | None:
    """Return the image that labels belong to: of a referenced series, else the only one in their frame of reference."""
    found = [i for i in images if i.kind == "image" and i.uid and i.uid in series]
    if not found:
        found = [i for i in images if i.kind == "image" and i.spec.geometry is not None and i.spec.geometry.frame in frames]
    return found[0] if len(found) == 1 else None


def _references(data: Dataset) -> tuple[list[str], list[str]]:
    series: list[str] = []
    frames: list[str] = []
    for frame in values.items(data, "ReferencedFrameOfReferenceSequence"):
        frames.append(uid(frame, "FrameOfReferenceUID"))
        for study in values.items(frame, "RTReferencedStudySequence"):
            series.extend(uid(s, "SeriesInstanceUID") for s in values.items(study, "RTReferencedSeriesSequence"))
    frames.extend(uid(r, "ReferencedFrameOfReferenceUID") for r in values.items(data, "StructureSetROISequence"))
    return [s for s in dict.fromkeys(series) if s], [f for f in dict.fromkeys(frames) if f]


def rtstruct_item(file: File, images: Sequence[Item], budget: Budget) -> Item:
    """Return the item of a structure set: masks where the image it was drawn on came along, else contours.

    Raises
    ------
    InputError
        If its contours cannot be read.
    """
    data = file.data
    contours, problems = read_contours(data)
    series, frames = _references(data)
    image = referenced_image(series, frames, images)
    problems = [*(Problem(t) for t in (*file.warnings, *text_problems(data))), *problems]
    geometry = None if image is None else image.spec.geometry
    if geometry is not None:
        try:
            budget.check_shape((len(contours), *geometry.shape), 1, file.path, "the masks of all structures")
        except BudgetError as error:
            problems.append(Problem(str(error), "The structures are given as contours."))
            geometry = None
    elif image is None:
        problems.append(
            Problem("The image that the structures were drawn on did not come along.", "They are contours until a grid is given.")
        )
    if geometry is not None:
        _check(contours, geometry, clean(file.path))
    notes = tuple(p.sentence() for p in problems)
    study = uid(data, "StudyInstanceUID")
    base = Item(
        slot_of([c.name for c in contours], "structures"), "contours", "dicom", Spec("Contours"), (file.path,), partial(_load, file.path, None, notes),
        key("study", study)[:16] if study else "", patient_key(data), tuple(problems),
        {**facts(data), "structures": len(contours)}, identity(data), (*series, *frames), uid(data, "SOPInstanceUID"),
    )  # fmt: skip
    if geometry is None or image is None:
        return base
    spec = Spec("MaskStack", ("z", "y", "x")[3 - geometry.ndim :], "|b1", geometry, samples=len(contours) * geometry.size)
    return changed(
        base, kind="labels", spec=spec, load=partial(_load, file.path, geometry, notes), group=image.group or base.group
    )


def _check(contours: Sequence[Contours], geometry: Geometry, what: str) -> None:
    """Refuse contours that cannot be rasterised while headers are inspected, not when voxels are asked for."""
    if geometry.ndim != 3:
        return
    gap = _gap(geometry)
    for structure in contours:
        for n, contour in enumerate(structure.contours):
            if contour.closed and len(contour.points) > 2:
                off = float(np.ptp(geometry.to_index(contour.points)[:, 0])) * gap
                if off > _FLAT:
                    raise GeometryError(
                        f"{what}: contour {n + 1} of '{clean(structure.name, 64)}' leaves the plane of the image's slices by {off:.2f} mm: expected planar "
                        "contours parallel to them; draw it on the slices."
                    )


def _load(path: Path, geometry: Geometry | None, notes: tuple[str, ...]) -> MaskStack | tuple[Contours, ...]:
    contours, _ = read_contours(open_file(path, Budget()).data)
    if geometry is None:
        return tuple(changed(c, provenance=Provenance.read(c.digest, "dicom", notes)) for c in contours)
    masks = to_masks(contours, geometry, clean(path))
    return changed(masks, provenance=Provenance.read(masks.digest, "dicom", notes))
