"""Whole slides: the files of a series are the levels of one pyramid, cut into tiles of which only those asked for are read.

Tiles cover a level fully in a fixed order, or each one says where it lies and places without one are empty. A level may be
spread over several files (a concatenation). Label and overview pictures, which may show a name, are not read.

References
----------
DICOM PS3.3 C.8.12.4 (whole slide microscopy image), C.8.12.14 (slide coordinates), C.7.6.17.3 (tiled dimension
organization), C.7.6.16.2.2.4 (concatenations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError, GeometryError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance, digest_json
from isocenter.core.pyramid import Level, Pyramid, Region
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.colour import RGB, to_rgb
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.identity import facts, identity, key, object_identity, patient_key, uid
from isocenter.io.dicom.layout import Layout, layout
from isocenter.io.dicom.pixels import Pixels, locate, quick_check, stored
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Item, Problem

__all__ = ["CLASS", "slide_item"]

CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
#: Tiles of a level; a slide of 10^6 x 10^6 pixels in tiles of 512 has 3.8 million.
MOST_TILES = 1 << 22
LARGEST_TILE = 1 << 26
_AT_ONCE = 32


@dataclass(frozen=True)
class _Part:
    """One file of a level."""

    file: File
    pixels: Pixels
    size: tuple[int, int]
    first: int
    number: int
    concatenation: str

    @property
    def form(self) -> Layout:
        """How its tiles are stored."""
        return self.pixels.layout


@dataclass(frozen=True)
class _Level:
    """One resolution: its files, and which tile of them lies where (None: all of them, row by row)."""

    parts: tuple[tuple[int, Pixels], ...]
    size: tuple[int, int]
    tile: tuple[int, int]
    places: dict[tuple[int, int], int] | None = field(repr=False)

    @property
    def grid(self) -> tuple[int, int]:
        """Tiles down and across."""
        return -(-self.size[0] // self.tile[0]), -(-self.size[1] // self.tile[1])

    def frame(self, row: int, column: int) -> int | None:
        """Return the number of the frame at a place of the grid, None where there is none."""
        return row * self.grid[1] + column if self.places is None else self.places.get((row, column))

    def tiles(self, numbers: Sequence[int]) -> list[npt.NDArray[Any]]:
        """Return tiles as (rows, columns[, 3])."""
        found: list[npt.NDArray[Any]] = []
        for number in numbers:  # of one file as many together as stand in sequence would be no faster: each is decoded alone
            first, pixels = next(part for part in reversed(self.parts) if part[0] <= number)
            samples, photometric = stored(pixels, [number - first])
            found.append(to_rgb(samples, photometric, None)[0])
        return found


@dataclass(frozen=True)
class _Reader:
    """Reads a region of a level."""

    level: _Level

    def __call__(self, region: Region) -> npt.NDArray[Any]:
        (top, bottom), (left, right) = region[-2], region[-1]
        level, form = self.level, self.level.parts[0][1].layout
        path = level.parts[0][1].path
        tail = (form.samples,) if form.samples > 1 else ()
        Budget().check_shape((bottom - top, right - left, *tail), form.dtype.itemsize, path, "the region")
        out = np.full((bottom - top, right - left, *tail), 255 if form.samples > 1 else 0, form.dtype)
        down, across = level.tile
        places = [
            (r, c, n)
            for r in range(top // down, -(-bottom // down))
            for c in range(left // across, -(-right // across))
            if (n := level.frame(r, c)) is not None
        ]
        for k in range(0, len(places), _AT_ONCE):
            some = places[k : k + _AT_ONCE]
            for (r, c, _), samples in zip(some, level.tiles([n for _, _, n in some]), strict=True):
                y, x = r * down, c * across
                a, b, s, e = max(y, top), min(y + down, bottom), max(x, left), min(x + across, right)
                out[a - top : b - top, s - left : e - left] = samples[a - y : b - y, s - x : e - x]
        return np.ascontiguousarray(np.moveaxis(out, -1, 0)) if tail else out


def _wrong(path: Path, what: str, expected: str) -> FormatError:
    return FormatError(f"{clean(path)}: {what}: expected {expected}; export the slide again.")


def _part(file: File, budget: Budget) -> _Part:
    """Read what one file contributes."""
    data = file.data
    form = layout(file, budget, most_frames=MOST_TILES)
    if form.frame_bytes > LARGEST_TILE:
        raise _wrong(file.path, f"tiles of {form.rows} x {form.columns} pixels", f"at most {LARGEST_TILE >> 20} MiB in one")
    if form.photometric == "PALETTE COLOR" or form.floating or form.samples not in (1, 3) or form.allocated < 8:
        raise UnsupportedError(f"{clean(file.path)}: tiles of {form.photometric}: expected grey or colours of whole bytes.")
    rows, columns = (values.integer(data, f"TotalPixelMatrix{side}") for side in ("Rows", "Columns"))
    if rows is None and columns is None and form.frames == 1:
        rows, columns = form.rows, form.columns
    if rows is None or columns is None or min(rows, columns) < 1:
        raise _wrong(file.path, "TotalPixelMatrixRows and -Columns (0048,0007) and (0048,0006) give no size", "at least 1 each")
    pixels = locate(file, form)
    quick_check(file, pixels)
    offset = values.integer(data, "ConcatenationFrameOffsetNumber") or 0
    number = values.integer(data, "InConcatenationNumber") or 0
    return _Part(file, pixels, (rows, columns), offset, number, uid(data, "ConcatenationUID"))


def _sparse(part: _Part, into: dict[tuple[int, int], int]) -> None:
    """Add the places that the tiles of a file state."""
    path, form = part.file.path, part.form
    groups = values.items(part.file.data, "PerFrameFunctionalGroupsSequence")
    if len(groups) < form.frames:
        raise _wrong(path, f"{len(groups)} of {form.frames} tiles are described", "a place for each")
    for k in range(form.frames):
        where = values.first_item(groups[k], "PlanePositionSlideSequence")
        row = None if where is None else values.integer(where, "RowPositionInTotalImagePixelMatrix")
        column = None if where is None else values.integer(where, "ColumnPositionInTotalImagePixelMatrix")
        if row is None or column is None or not (1 <= row <= part.size[0] and 1 <= column <= part.size[1]):
            raise _wrong(path, f"tile {k + 1} lies at row {row}, column {column} of {part.size[0]} x {part.size[1]}", "it inside")
        if (row - 1) % form.rows or (column - 1) % form.columns:
            raise UnsupportedError(
                f"{clean(path)}: tile {k + 1} begins at row {row}, column {column}: expected tiles on one grid."
            )
        place = ((row - 1) // form.rows, (column - 1) // form.columns)
        if place in into:
            raise UnsupportedError(
                f"{clean(path)}: several tiles at row {row}, column {column} (focal planes or optical paths): expected one; split the slide."
            )
        into[place] = part.first + k


def _level(parts: list[_Part]) -> _Level:
    """Join the files of one resolution."""
    parts = sorted(parts, key=lambda p: (p.first, p.number, str(p.file.path)))
    first = parts[0]
    path, form = first.file.path, first.form
    if len(parts) > 1 and (len({p.concatenation for p in parts}) > 1 or not first.concatenation):
        raise UnsupportedError(
            f"{clean(path)}: {len(parts)} files of {first.size[0]} x {first.size[1]} pixels in one series (focal planes or optical paths): "
            "expected one, or parts of one concatenation; separate them."
        )
    if any(
        (p.form.rows, p.form.columns, p.form.samples, p.form.dtype) != (form.rows, form.columns, form.samples, form.dtype)
        for p in parts
    ):
        raise _wrong(path, "the files of one level have tiles of several kinds", "one size and type")
    total = 0
    for part in parts:
        if part.first != total:
            raise _wrong(
                part.file.path, f"its tiles begin at number {part.first + 1}, {total} are before them", "every part of the level"
            )
        total += part.form.frames
    tile = (form.rows, form.columns)
    level = _Level(tuple((p.first, p.pixels) for p in parts), first.size, tile, None)
    needed = level.grid[0] * level.grid[1]
    organized = values.text(first.file.data, "DimensionOrganizationType").upper()
    if organized != "TILED_FULL" and values.has(first.file.data, "PerFrameFunctionalGroupsSequence"):
        places: dict[tuple[int, int], int] = {}
        for part in parts:
            _sparse(part, places)
        return _Level(level.parts, first.size, tile, places)
    if total != needed:
        planes = max(
            values.integer(first.file.data, f"{n}") or 1 for n in ("TotalPixelMatrixFocalPlanes", "NumberOfOpticalPaths")
        )
        if planes > 1 and total == planes * needed:
            raise UnsupportedError(f"{clean(path)}: {planes} focal planes or optical paths: expected one; split the slide.")
        raise _wrong(
            path,
            f"{total} tiles for a matrix of {first.size[0]} x {first.size[1]} pixels in tiles of {form.rows} x {form.columns}",
            f"{needed}",
        )
    return level


def _spacing(data: Dataset, size: tuple[int, int]) -> tuple[float, float] | None:
    """Return mm per pixel down and across, None where nothing states it."""
    shared = values.first_item(data, "SharedFunctionalGroupsSequence")
    measures = None if shared is None else values.first_item(shared, "PixelMeasuresSequence")
    stated = values.numbers(measures if measures is not None else data, "PixelSpacing")
    if len(stated) != 2:
        height, width = values.number(data, "ImagedVolumeHeight"), values.number(data, "ImagedVolumeWidth")
        stated = [height / size[0], width / size[1]] if height and width else []
    if not stated:
        return None
    if not all(1e-6 < s < 1.0 for s in stated):
        raise GeometryError(
            f"{clean(data.path)}: a pixel of {stated[0]:g} x {stated[1]:g} mm: expected that of a microscope, above 0 and below 1 mm; correct the header."
        )
    return stated[0], stated[1]


def _place(data: Dataset) -> tuple[npt.NDArray[np.float64], tuple[float, float, float]]:
    """Return the directions of rows and columns on the slide, and where the first pixel lies, in mm."""
    stated = values.numbers(data, "ImageOrientationSlide")
    direction = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    if len(stated) == 6:
        found = np.array([stated[3:], stated[:3]]).T
        if np.allclose(found.T @ found, np.eye(2), atol=1e-3):
            direction = found
        else:
            raise GeometryError(
                f"{clean(data.path)}: ImageOrientationSlide (0048,0102) is {stated}: expected two directions at right angles."
            )
    item = values.first_item(data, "TotalPixelMatrixOriginSequence")
    x, y = (values.number(item, f"{a}OffsetInSlideCoordinateSystem") if item is not None else None for a in "XY")
    return direction, (x or 0.0, y or 0.0, 0.0)


def _geometry(fine: _Level, level: _Level, spacing: tuple[float, float] | None, data: Dataset) -> Geometry:
    """Return the grid of a level: it covers the field of the finest, so its first centre lies further in."""
    if spacing is None:
        return Geometry.pixels(level.size)
    direction, origin = _place(data)
    steps = [s * n / m for s, n, m in zip(spacing, fine.size, level.size, strict=True)]
    shift = direction @ np.array([(step - s) / 2 for step, s in zip(steps, spacing, strict=True)])
    start = tuple(float(v) for v in np.array(origin) + shift)
    return Geometry.regular(level.size, steps, start, direction=direction, frame=uid(data, "FrameOfReferenceUID") or None)


@dataclass(frozen=True)
class _Slide:
    """Loads the pyramid; no tile is read by that."""

    levels: tuple[_Level, ...]
    grids: tuple[Geometry, ...]
    notes: tuple[str, ...]

    def __call__(self) -> Pyramid:
        colour = self.levels[0].parts[0][1].layout.samples > 1
        levels = tuple(Level(grid, _Reader(level)) for grid, level in zip(self.grids, self.levels, strict=True))
        origin = Provenance.read(digest_json([grid.to_dict() for grid in self.grids]), "dicom", self.notes)
        return Pyramid(levels, ("c", "y", "x") if colour else ("y", "x"), "SM", None, RGB if colour else None, origin)


def _levels(parts: list[_Part]) -> list[_Level]:
    """Return the levels, finest first, each checked to show the field of the first."""
    by_size: dict[tuple[int, int], list[_Part]] = {}
    for part in parts:
        by_size.setdefault(part.size, []).append(part)
    levels = [_level(by_size[size]) for size in sorted(by_size, key=lambda s: -s[0] * s[1])]
    fine = levels[0]
    for level in levels[1:]:
        factors = fine.size[0] / level.size[0], fine.size[1] / level.size[1]
        if abs(factors[0] / factors[1] - 1) > 0.02 + 2.0 / min(level.size):
            raise GeometryError(
                f"{clean(level.parts[0][1].path)}: a level of {level.size[0]} x {level.size[1]} pixels beside one of {fine.size[0]} x {fine.size[1]}: "
                "expected both to show the same field; separate them."
            )
        a, b = fine.parts[0][1].layout, level.parts[0][1].layout
        if (a.samples, a.dtype) != (b.samples, b.dtype):
            raise ContentError(
                f"{clean(level.parts[0][1].path)}: levels of several types of samples: expected one; separate them."
            )
    return levels


def slide_item(files: Sequence[File], budget: Budget) -> Item:
    """Return the pyramid that the files of one series are.

    Parameters
    ----------
    files
        Objects of class VL Whole Slide Microscopy Image.
    budget
        Limits of headers; levels are never held whole, so only tiles and regions count for the samples.

    Raises
    ------
    InputError
        If they cannot be used, with the reason.
    """
    problems: list[Problem] = []
    kept, left_out = [], 0
    for file in files:
        flavour = [v.upper() for v in values.texts(file.data, "ImageType")][2:3]
        if flavour in (["LABEL"], ["OVERVIEW"]):
            left_out += 1
        else:
            kept.append(file)
    if left_out:
        problems.append(Problem(f"{left_out} label or overview picture(s), which may show a name, were left out."))
    if not kept:
        raise ContentError(
            f"{clean(files[0].path)}: a label or overview of a slide, which may show a name: expected the slide itself."
        )
    once = {object_identity(file)[1]: file for file in kept}
    levels = _levels([_part(file, budget) for file in once.values()])
    fine = levels[0]
    top = next(f for f in kept if f.path == fine.parts[0][1].path)
    spacing = _spacing(top.data, fine.size)
    if spacing is None:
        problems.append(Problem("The size of a pixel is not stated.", "Measurements in mm are refused."))
    absent = 0 if fine.places is None else fine.grid[0] * fine.grid[1] - len(fine.places)
    if absent:
        shade = "white" if fine.parts[0][1].layout.samples > 1 else "0"
        problems.append(Problem(f"{absent} of {fine.grid[0] * fine.grid[1]} tiles were not scanned; they are {shade}."))
    problems.extend(Problem(text) for file in kept for text in file.warnings)
    if any(f.syntax.lossy or values.text(f.data, "LossyImageCompression") == "01" for f in kept):
        problems.append(Problem("The pixels were compressed with loss; values differ from those measured."))
    form = fine.parts[0][1].layout
    grids = tuple(_geometry(fine, level, spacing, top.data) for level in levels)
    dims = ("c", "y", "x") if form.samples > 1 else ("y", "x")
    spec = Spec("Pyramid", dims, form.dtype.str, grids[0], "SM", None, form.samples * fine.size[0] * fine.size[1])
    shown: dict[str, Any] = {**facts(top.data), "levels": len(levels)}
    if spacing is not None:
        shown["micrometres_per_pixel"] = round(spacing[1] * 1000.0, 6)
    load = _Slide(tuple(levels), grids, tuple(p.sentence() for p in problems))
    study = uid(top.data, "StudyInstanceUID")
    paths = tuple(pixels.path for level in levels for _, pixels in level.parts)
    return Item(
        "image", "pyramid", "dicom", spec, paths, load, key("study", study)[:16] if study else "", patient_key(top.data), tuple(problems), shown,
        identity(top.data), (), uid(top.data, "SeriesInstanceUID"),
    )  # fmt: skip
