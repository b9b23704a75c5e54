"""Whole slides in TIFF files (Aperio SVS, OME-TIFF, generic pyramids): levels of tiles, of which only those asked for are read.

A slide is larger than memory, so nothing here grows with it: directories are walked, the lists of tiles are checked in
pieces and stay in the file. Label and overview pictures, which may show a name, are not read.

References
----------
Adobe, TIFF Revision 6.0; TIFF/EP SubIFDs (tag 330); OME-TIFF specification, sub-resolutions; Aperio, SVS description.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance, digest_json
from isocenter.core.pyramid import Level, Pyramid, Region
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.raster import COLOURS
from isocenter.io.slide_tiles import Table, TiledLevel, require_known
from isocenter.io.tiff_pages import Directory, directories
from isocenter.io.tiff_text import Meaning, meaning_of

__all__ = ["slide"]

NAME = "slide"
COMPRESSION, PHOTOMETRIC, SUBFILE, PREDICTOR, SUB_DIRECTORIES, JPEG_TABLES = 259, 262, 254, 317, 330, 347
WIDTH, HEIGHT, BITS, SAMPLES, PLANAR, FORMAT = 256, 257, 258, 277, 284, 339
X_RESOLUTION, UNIT, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 282, 296, 322, 323, 324, 325
KINDS = {1: "u", 2: "i", 3: "f"}
#: Finer than 20 micrometres a pixel, a resolution in centimetres is that of a microscope and not of a printer.
MICROSCOPE_PER_CM = 500.0
LARGEST_TILE, MOST_SUB = 1 << 26, 64


def _level(d: Directory, path: Path) -> TiledLevel | None:
    """Return a tiled page, None for one of strips."""
    if TILE_OFFSETS not in d.tags or TILE_COUNTS not in d.tags:
        return None
    width, height, wide, down = (d.number(tag) for tag in (WIDTH, HEIGHT, TILE_WIDTH, TILE_HEIGHT))
    bits, formats = set(d.numbers(BITS, (1,))), set(d.numbers(FORMAT, (1,)))
    samples = d.number(SAMPLES, 1)
    if min(width, height, wide, down, samples) < 1:
        raise d.wrong(f"a page of {width} x {height} in tiles of {wide} x {down}", "at least one pixel each way")
    if len(bits) > 1 or len(formats) > 1 or (samples > 1 and d.number(PLANAR, 1) != 1):
        raise UnsupportedError(
            f"{path.name}: tiles of several types or with separate colour planes: expected one type, colours together."
        )
    size, kind = bits.pop(), KINDS.get(formats.pop())
    photometric = d.number(PHOTOMETRIC, 1)
    if size not in (8, 16, 32, 64) or kind is None or samples > 4 or photometric not in (0, 1, 2, 6):
        raise UnsupportedError(
            f"{path.name}: tiles of {samples} samples of {size} bits, colours {photometric}: expected grey or RGB."
        )
    dtype = np.dtype(f"{d.order}{kind}{size // 8}")
    if wide * down * samples * dtype.itemsize > LARGEST_TILE:
        raise d.wrong(f"tiles of {wide} x {down} pixels", f"at most {LARGEST_TILE >> 20} MiB in one")
    compression, predictor = d.number(COMPRESSION, 1), d.number(PREDICTOR, 1)
    require_known(compression, path.name)
    if predictor not in (1, 2) or (predictor == 2 and kind == "f"):
        raise UnsupportedError(f"{path.name}: tiles with predictor {predictor}: expected none or horizontal differences.")
    if compression == 7 and (size != 8 or samples not in (1, 3)):
        raise UnsupportedError(f"{path.name}: JPEG tiles of {samples} samples of {size} bits: expected 1 or 3 of 8 bits.")
    tables = d.raw(JPEG_TABLES) if JPEG_TABLES in d.tags and d.tags[JPEG_TABLES][1] <= 1 << 16 else b""
    return TiledLevel(
        path, d.size, height, width, (down, wide), dtype, samples, compression, photometric, predictor,
        Table(*d.table(TILE_OFFSETS)), Table(*d.table(TILE_COUNTS)), tables,
    )  # fmt: skip


@dataclass(frozen=True)
class _Reader:
    """Reads a region of a level: one page, or one for each channel."""

    pages: tuple[TiledLevel, ...]

    def __call__(self, region: Region) -> npt.NDArray[Any]:
        rows, columns = region[-2], region[-1]
        budget = Budget()
        parts = [page.read(rows, columns, budget) for page in self.pages]
        if len(parts) > 1:
            return np.stack([part[..., 0] for part in parts])
        return np.ascontiguousarray(np.moveaxis(parts[0], -1, 0)) if parts[0].shape[2] > 1 else parts[0][..., 0]


def _alike(a: TiledLevel, b: TiledLevel) -> bool:
    return (a.dtype, a.samples) == (b.dtype, b.samples)


def _reduces(fine: TiledLevel, coarse: TiledLevel) -> bool:
    """Return whether a page shows the same field in fewer samples (each side may be rounded by a sample or two)."""
    if not _alike(fine, coarse) or coarse.width >= fine.width or coarse.height >= fine.height:
        return False
    factor = fine.width / coarse.width
    return abs(fine.height / factor - coarse.height) <= 2.0 + 0.01 * coarse.height


def _sub(d: Directory, path: Path) -> Iterator[TiledLevel]:
    """Give the tiled pages below a page."""
    places = d.numbers(SUB_DIRECTORIES) if SUB_DIRECTORIES in d.tags and d.tags[SUB_DIRECTORIES][1] <= MOST_SUB else ()
    for place in places:
        level = _level(d.beside(int(place)), path)
        if level is not None:
            yield level


def _levels(path: Path, budget: Budget) -> tuple[list[tuple[TiledLevel, ...]], Directory] | None:
    """Return the pages of every level, finest first, and the first directory; None where the file is no slide."""
    chain: list[list[TiledLevel]] = []
    first: Directory | None = None
    with path.open("rb") as handle:
        for d in directories(handle, path, budget):
            level = _level(d, path)
            if first is None:
                first = d
                if level is None:
                    return None
            if level is not None:
                chain.append([level, *_sub(d, path)])
    if first is None:
        return None
    top = chain[0][0]
    same = [rows for rows in chain if (rows[0].height, rows[0].width) == (top.height, top.width) and _alike(top, rows[0])]
    if len(same) > 1 and (top.samples > 1 or len(same) != len(chain) or len({len(rows) for rows in same}) > 1):
        return None  # planes or times of colours: a stack, not a slide
    if len(same) > 1:
        levels = [tuple(rows[k] for rows in same) for k in range(len(same[0]))]
    else:
        levels = [(page,) for page in [*chain[0], *[rows[0] for rows in chain[1:]]]]
    kept = levels[:1]
    for pages in levels[1:]:
        if _reduces(kept[-1][0], pages[0]):
            kept.append(pages)
    large = top.height * top.width > budget.max_pixels
    return (kept, first) if len(kept) > 1 or (large and len(same) == 1) else None


def _spacing(meaning: Meaning, first: Directory, problems: list[Problem]) -> tuple[float, float] | None:
    """Return mm per pixel along y and x, None where no microscope states it."""
    stated = meaning.spacing or {}
    if {"x", "y"} <= stated.keys():
        return stated["y"], stated["x"]
    across, down = first.fraction(X_RESOLUTION), first.fraction(X_RESOLUTION + 1)
    if first.number(UNIT, 2) == 3 and min(across, down) > MICROSCOPE_PER_CM and max(across, down) < 1e7:
        problems.append(Problem("The size of a pixel is taken from the resolution of the TIFF, which no microscope confirms."))
        return 10.0 / down, 10.0 / across
    return None


def _geometry(fine: TiledLevel, level: TiledLevel, spacing: Sequence[float] | None) -> Geometry:
    """Return the grid of a level: it covers the field of the finest, so its first centre lies further in."""
    shape = (level.height, level.width)
    if spacing is None:
        return Geometry.pixels(shape)
    steps = (spacing[0] * fine.height / level.height, spacing[1] * fine.width / level.width)
    return Geometry.regular(shape, steps, ((steps[1] - spacing[1]) / 2, (steps[0] - spacing[0]) / 2, 0.0))


@dataclass(frozen=True)
class _Slide:
    """Loads the pyramid; no tile is read by that."""

    levels: tuple[tuple[TiledLevel, ...], ...]
    spacing: tuple[float, float] | None
    modality: str | None
    notes: tuple[str, ...]

    def __call__(self) -> Pyramid:
        top = self.levels[0][0]
        count = len(self.levels[0]) if len(self.levels[0]) > 1 else top.samples
        dims = ("c", "y", "x") if count > 1 else ("y", "x")
        levels = tuple(Level(_geometry(top, pages[0], self.spacing), _Reader(pages)) for pages in self.levels)
        origin = Provenance.read(digest_json([level.geometry.to_dict() for level in levels]), NAME, self.notes)
        names = COLOURS.get(count) if count > 2 and len(self.levels[0]) == 1 else None
        return Pyramid(levels, dims, self.modality, None, names, origin)


def slide(path: Path, budget: Budget) -> Item | None:
    """Return the slide in a TIFF file, None where it holds none.

    Parameters
    ----------
    path
        The file.
    budget
        Limits; the samples of a level are never held whole, so only tiles and regions count.

    Raises
    ------
    FormatError, UnsupportedError
        If it is one and cannot be used, with the reason.
    """
    try:
        found = _levels(path, budget)
    except UnsupportedError:
        with path.open("rb") as handle:
            one = next(directories(handle, path, budget))
            if one.number(WIDTH) * one.number(HEIGHT) > budget.max_pixels:
                raise
        return None  # a picture of moderate size: its first page is read as any other
    if found is None:
        return None
    levels, first = found
    for pages in levels:
        for page in pages:
            page.check()
    problems: list[Problem] = []
    with path.open("rb") as handle:
        first.handle = handle
        meaning = meaning_of(first.text(270), (0.0, 0.0), 1)
        spacing = _spacing(meaning, first, problems)
    if spacing is None:
        problems.append(Problem("The size of a pixel is not stated.", "Measurements in mm are refused."))
    top = levels[0][0]
    samples = top.samples * len(levels[0])
    modality = "SM" if spacing is not None else meaning.modality
    load = _Slide(tuple(levels), spacing, modality, tuple(p.sentence() for p in problems))
    dims = ("c", "y", "x") if samples > 1 else ("y", "x")
    spec = Spec(
        "Pyramid",
        dims,
        top.dtype.newbyteorder("=").str,
        _geometry(top, top, spacing),
        modality,
        None,
        math.prod((samples, top.height, top.width)),
    )
    facts: dict[str, Any] = {"levels": len(levels)}
    if spacing is not None:
        facts["micrometres_per_pixel"] = round(spacing[1] * 1000.0, 6)
    return Item("image", "pyramid", NAME, spec, (path,), load, problems=tuple(problems), attributes=facts)
