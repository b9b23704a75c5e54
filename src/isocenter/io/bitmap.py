"""BMP and WebP: read, grey and RGB."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.raster import Picture, picture_spec, pillow_array, pillow_header, plane

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff"]

NAME = "bitmap"
SUFFIXES: tuple[str, ...] = (".bmp", ".webp")


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of a BMP or WebP picture."""
    return _format(head) is not None


def _format(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    # "BM" alone is a common beginning of text: the size of the second header must be one of those that exist.
    return (
        "BMP" if head[:2] == b"BM" and head[14:18] in [n.to_bytes(4, "little") for n in (12, 40, 52, 56, 64, 108, 124)] else None
    )


@dataclass(frozen=True)
class _Decoder:
    path: Path
    budget: Budget
    format: str
    size: tuple[int, int]

    def __call__(self) -> tuple[npt.NDArray[Any], tuple[str, ...], tuple[str, ...] | None]:
        return plane(pillow_array(self.format, self.path, self.size, budget=self.budget))


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what a BMP or WebP file holds.

    Parameters
    ----------
    path
        The file.
    budget
        Limits; the picture is decoded once up to ``budget.verify_bytes``.

    Raises
    ------
    FormatError, UnsupportedError, BudgetError
        If it cannot be used, with the reason.
    """
    with path.open("rb") as handle:
        format = _format(handle.read(32)) or "BMP"
    found = pillow_header(format, path, budget)
    width, height, frames = found.width, found.height, found.frames
    bands = 3 if found.mode == "P" else found.bands
    problems = [Problem(f"The picture has {frames} frames; only the first is read.")] if frames > 1 else []
    dims: tuple[str, ...] = ("c", "y", "x") if bands > 1 else ("y", "x")
    spec = picture_spec((bands, height, width)[-len(dims) :], dims, np.uint8, {})
    return [Picture(NAME, path, _Decoder(path, budget, format, (width, height)), spec, tuple(problems)).item(budget)]
