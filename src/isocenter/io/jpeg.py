"""JPEG: read, grey and RGB, turned upright as its EXIF says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import UnsupportedError
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.raster import Picture, picture_spec, pillow_array, pillow_header, plane

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff"]

NAME = "jpeg"
SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg")
#: EXIF orientation -> what brings the stored rows and columns upright.
TURNS = {
    2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a, 1),
}  # fmt: skip


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of a JPEG."""
    return head.startswith(b"\xff\xd8\xff")


@dataclass(frozen=True)
class _Decoder:
    path: Path
    budget: Budget
    size: tuple[int, int]
    turn: int

    def __call__(self) -> tuple[npt.NDArray[Any], tuple[str, ...], tuple[str, ...] | None]:
        array = pillow_array("JPEG", self.path, self.size, budget=self.budget)
        return plane(np.ascontiguousarray(TURNS[self.turn](array)) if self.turn in TURNS else array)


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what a JPEG file holds.

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
    found = pillow_header("JPEG", path, budget)
    width, height, mode, turn = found.width, found.height, found.mode, found.turn
    if mode not in ("L", "RGB"):
        raise UnsupportedError(
            f"{path.name}: colours of mode {mode} are not read: expected grey or RGB; convert the picture first."
        )
    problems = []
    if turn in TURNS:
        problems.append(
            Problem("The picture was turned upright as its EXIF orientation says.", "Rows and columns differ from those stored.")
        )
        height, width = (width, height) if turn >= 5 else (height, width)
    dims: tuple[str, ...] = ("c", "y", "x") if mode == "RGB" else ("y", "x")
    spec = picture_spec((3, height, width)[-len(dims) :], dims, np.uint8, {})
    problems.append(Problem("JPEG is lossy: values differ slightly from those that were measured."))
    return [Picture(NAME, path, _Decoder(path, budget, (found.width, found.height), turn), spec, tuple(problems)).item(budget)]
