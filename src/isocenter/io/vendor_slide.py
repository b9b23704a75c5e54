"""Whole slides of vendors' own formats, read by OpenSlide: Hamamatsu, Leica, MIRAX, Ventana, Philips and other scanners.

TIFF and SVS slides are read without it; this is the way for what remains. Associated pictures (labels, overviews), which
may show a name, are not read. OpenSlide is native code, so that every file it opens is opened in a child process.

References
----------
A. Goode et al., OpenSlide: A vendor-neutral software foundation for digital pathology, J. Pathol. Inform. 4 (2013) 27.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.core.extras import require
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance, digest_json
from isocenter.core.pyramid import Level, Pyramid, Region
from isocenter.io.budget import Budget
from isocenter.io.file_child import FileChild
from isocenter.io.inventory import Item, Problem
from isocenter.io.raster import COLOURS

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff"]

NAME = "vendor-slide"
SUFFIXES: tuple[str, ...] = (".ndpi", ".mrxs", ".scn", ".svslide", ".bif")
MOST_LEVELS, LARGEST_INDEX = 64, 1 << 24


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's name is one of a vendor's slide (its first bytes are those of TIFF, or of a text).

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        The file.
    """
    return bool(head) and path.name.lower().endswith(SUFFIXES)


def _ask(path: Path, seconds: float, most: int, **request: Any) -> tuple[dict[str, Any], bytearray]:
    with FileChild("vendor_slide_worker", request, path, "a whole slide", seconds=seconds, memory=(2 << 30) + 2 * most) as child:
        return next(child.messages(most), ({}, bytearray()))


@dataclass(frozen=True)
class _Reader:
    """Reads a region of a level."""

    path: Path
    level: int
    fine: tuple[int, int]
    size: tuple[int, int]

    def __call__(self, region: Region) -> npt.NDArray[Any]:
        (top, bottom), (left, right) = region[-2], region[-1]
        shape = (bottom - top, right - left, 4)
        size = Budget().check_shape(shape, 1, self.path, "the region")
        # OpenSlide counts where a region begins in pixels of the finest level.
        at = [round(left * self.fine[1] / self.size[1]), round(top * self.fine[0] / self.size[0])]
        request = {"mode": "region", "level": self.level, "at": at, "size": [right - left, bottom - top]}
        _, data = _ask(self.path, 30.0 + size / (4 << 20), size, **request)
        if len(data) != size:
            raise FormatError(f"{self.path.name}: a region of {len(data)} bytes: expected {size}; get a sound copy of the slide.")
        seen = np.frombuffer(data, np.uint8).reshape(shape)
        alpha = seen[..., 3:].astype(np.float32) / 255.0
        on_white = np.rint(seen[..., :3] * alpha + 255.0 * (1.0 - alpha))  # what was not scanned is white
        return np.ascontiguousarray(np.moveaxis(on_white.astype(np.uint8), -1, 0))


@dataclass(frozen=True)
class _Slide:
    """Loads the pyramid; no tile is read by that."""

    path: Path
    sizes: tuple[tuple[int, int], ...]
    grids: tuple[Geometry, ...]
    notes: tuple[str, ...]

    def __call__(self) -> Pyramid:
        levels = tuple(
            Level(grid, _Reader(self.path, k, self.sizes[0], size))
            for k, (grid, size) in enumerate(zip(self.grids, self.sizes, strict=True))
        )
        origin = Provenance.read(digest_json([grid.to_dict() for grid in self.grids]), NAME, self.notes)
        return Pyramid(levels, ("c", "y", "x"), "SM", None, COLOURS[3], origin)


def _grid(fine: tuple[int, int], size: tuple[int, int], spacing: tuple[float, float] | None) -> Geometry:
    if spacing is None:
        return Geometry.pixels(size)
    steps = tuple(s * n / m for s, n, m in zip(spacing, fine, size, strict=True))
    return Geometry.regular(size, steps, ((steps[1] - spacing[1]) / 2, (steps[0] - spacing[0]) / 2, 0.0))


def _beside(path: Path) -> None:
    """Refuse a MIRAX slide whose index leads out of the folder that belongs to it.

    Raises
    ------
    FormatError
        If a file name of the index is a path, or the folder is no plain folder.
    """
    if path.suffix.lower() != ".mrxs":
        return
    folder = path.with_suffix("")
    index = folder / "Slidedat.ini"
    if folder.is_symlink() or index.is_symlink() or not index.is_file() or index.stat().st_size > LARGEST_INDEX:
        raise FormatError(
            f"{path.name}: no Slidedat.ini in a folder of its name: expected the whole slide; copy the folder beside it."
        )
    for line in index.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip().upper().startswith(("FILE_", "INDEXFILE")) and (
            set(value) & set("/\\") or (folder / value.strip()).is_symlink()
        ):
            raise FormatError(f"{path.name}: its index names a file outside of its folder: expected plain names; do not use it.")


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return the slide in a file of a vendor's format.

    Parameters
    ----------
    path
        The file; the folder of a MIRAX slide stands beside it.
    budget
        Limits; only regions count for the samples.

    Raises
    ------
    FormatError, UnsupportedError, MissingExtraError
        If it cannot be used, with the reason.
    """
    require("openslide", "Reading whole slides of this format")
    _beside(path)
    facts, _ = _ask(path, budget.seconds, 0, mode="header")
    sizes = tuple((int(h), int(w)) for w, h in facts.get("sizes", ())[:MOST_LEVELS])
    if (
        not sizes
        or min(min(s) for s in sizes) < 1
        or [s[0] * s[1] for s in sizes] != sorted((s[0] * s[1] for s in sizes), reverse=True)
    ):
        raise FormatError(f"{path.name}: levels of {list(sizes)[:4]} pixels: expected the finest first; get a sound copy.")
    mpp = facts.get("mpp") or [0.0, 0.0]
    known = all(isinstance(v, float) and math.isfinite(v) and 0.001 < v < 1000.0 for v in mpp)
    spacing = (mpp[1] / 1000.0, mpp[0] / 1000.0) if known else None
    problems = [] if known else [Problem("The size of a pixel is not stated.", "Measurements in mm are refused.")]
    grids = tuple(_grid(sizes[0], size, spacing) for size in sizes)
    spec = Spec("Pyramid", ("c", "y", "x"), "|u1", grids[0], "SM", None, 3 * sizes[0][0] * sizes[0][1])
    shown: dict[str, Any] = {"levels": len(sizes), "scanner": str(facts.get("vendor", ""))[:24]}
    if spacing is not None:
        shown["micrometres_per_pixel"] = round(spacing[1] * 1000.0, 6)
    load = _Slide(path, sizes, grids, tuple(p.sentence() for p in problems))
    return [Item("image", "pyramid", NAME, spec, (path,), load, problems=tuple(problems), attributes=shown)]
