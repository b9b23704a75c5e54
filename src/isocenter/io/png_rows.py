"""The row filters of PNG.

References
----------
W3C, Portable Network Graphics (PNG) Specification, third edition, section 9 (Filtering).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError

__all__ = ["filtered", "unfiltered"]

Bytes = npt.NDArray[np.uint8]


def filtered(rows: Bytes, step: int) -> bytes:
    """Return rows with a filter byte each: differences to the pixel on the left, which pictures compress well with.

    Parameters
    ----------
    rows
        Shape (height, bytes of a row).
    step
        Bytes of one pixel.
    """
    result = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    result[:, 0] = 1
    result[:, 1 : step + 1] = rows[:, :step]
    result[:, step + 1 :] = rows[:, step:] - rows[:, :-step]
    return result.tobytes()


def _predicted(row: Bytes, above: Bytes, step: int, paeth: bool) -> None:
    """Undo the average or Paeth filter of one row in place, pixel by pixel (each needs the one before)."""
    a, b, c = np.zeros(step, np.int64), above.astype(np.int64), np.zeros(step, np.int64)
    current = row.astype(np.int64)
    for x in range(0, len(row), step):
        up = b[x : x + step]
        if paeth:
            p = a + up - c
            da, db, dc = np.abs(p - a), np.abs(p - up), np.abs(p - c)
            guess = np.where((da <= db) & (da <= dc), a, np.where(db <= dc, up, c))
        else:
            guess = (a + up) // 2
        a = (current[x : x + step] + guess) & 255
        row[x : x + step] = a
        c = up


def unfiltered(data: bytes, height: int, length: int, step: int, name: str) -> npt.NDArray[Any]:
    """Return the bytes of the rows with their filters undone, shape (height, length).

    Raises
    ------
    FormatError
        If a row names an unknown filter.
    """
    rows = np.frombuffer(data, np.uint8).reshape(height, length + 1)
    result = rows[:, 1:].copy()
    above = np.zeros(length, np.uint8)
    for y, kind in enumerate(rows[:, 0].tolist()):
        row = result[y]
        if kind == 1:
            np.cumsum(row.reshape(-1, step), axis=0, dtype=np.uint8, out=row.reshape(-1, step))
        elif kind == 2:
            row += above
        elif kind in (3, 4):
            _predicted(row, above, step, kind == 4)
        elif kind:
            raise FormatError(f"{name}: row {y} names filter {kind}: expected 0 to 4; get a sound copy.")
        above = row
    return result
