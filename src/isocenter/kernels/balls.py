"""Dilation of masks by balls in mm, 64 samples of a row at a time.

A ball is a stack of runs along the rows: the mask is widened along its rows step by step, and every width is laid over
the rows at which the ball is that wide. No distances are computed, and nothing larger than a bit a sample is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import run_rows

__all__ = ["ball_rows", "dilate_words", "pack_rows", "unpack_rows"]

Words = npt.NDArray[np.uint64]
Table = npt.NDArray[np.int64]


def ball_rows(reach: float, spacing: Sequence[float], shape: Sequence[int]) -> Table:
    """Return the rows of a ball: (half width in samples, offset along the first, along the second axis), thinnest first.

    Offsets that leave a volume of `shape` altogether are left out.
    """
    sz, sy, sx = (float(s) for s in spacing)
    far_z, far_y = min(int(reach / sz), shape[0] - 1), min(int(reach / sy), shape[1] - 1)
    dz, dy = np.mgrid[-far_z : far_z + 1, -far_y : far_y + 1].reshape(2, -1)
    rest = reach**2 - (dz * sz) ** 2 - (dy * sy) ** 2
    inside = rest >= 0
    width = np.minimum(np.sqrt(rest[inside]) / sx, shape[2] - 1).astype(np.int64)
    table = np.stack([width, dz[inside], dy[inside]], axis=-1)
    result: Table = np.ascontiguousarray(table[np.argsort(width, kind="stable")].astype(np.int64))
    return result


def pack_rows(mask: npt.NDArray[Any], margin: Sequence[int] = (0, 0, 0)) -> Words:
    """Return a mask of three axes as words of 64 samples along the last axis, the first sample in the lowest bit.

    `margin` samples of background are put around it.
    """
    mz, my, mx = margin
    depth, height, width = (n + 2 * m for n, m in zip(mask.shape, margin, strict=True))
    words = np.zeros((depth, height, -(-width // 64)), "<u8")
    octets = words.view(np.uint8)
    line = np.zeros((mask.shape[1], width), np.bool_)
    for z in range(mask.shape[0]):
        line[:, mx : width - mx] = mask[z]
        octets[mz + z, my : height - my, : -(-width // 8)] = np.packbits(line, axis=-1, bitorder="little")
    return words.astype(np.uint64, copy=False)


def unpack_rows(words: Words, out: npt.NDArray[np.bool_], margin: Sequence[int] = (0, 0, 0), join: bool = False) -> None:
    """Write words without their margin to a mask of three axes, or add them to what is set there."""
    mz, my, mx = margin
    octets = words.astype("<u8", copy=False).view(np.uint8)
    width = out.shape[2] + 2 * mx
    for z in range(len(out)):
        rows = np.unpackbits(octets[mz + z, my : my + out.shape[1]], axis=-1, count=width, bitorder="little").view(np.bool_)
        if join:
            out[z] |= rows[:, mx : width - mx]
        else:
            out[z] = rows[:, mx : width - mx]


def dilate_words(words: Words, width: int, rows: Table, threads: int = 1) -> Words:
    """Return packed rows dilated by a ball, given by its rows.

    Parameters
    ----------
    words
        As of `pack_rows`; overwritten.
    width
        Samples in a row.
    rows
        As of `ball_rows`.
    threads
        Threads to use; the result does not depend on it.
    """
    out = np.zeros_like(words)
    depth, height = words.shape[:2]
    last = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(-width % 64)
    now = 0
    for each in np.unique(rows[:, 0]):
        while now < each:
            run_rows(_widen, depth * height, threads, words.reshape(depth * height, -1), last)
            now += 1
        run_rows(_lay, depth * height, threads, words, np.ascontiguousarray(rows[rows[:, 0] == each]), out)
    return out


@numba.njit(cache=True, nogil=True)
def _widen(first: int, stop: int, lines: Any, last: Any) -> None:  # pragma: no cover - compiled
    """Widen every run of the rows by one sample on both sides, in place."""
    one, top = np.uint64(1), np.uint64(63)
    count = lines.shape[1]
    for k in range(first, stop):
        before = np.uint64(0)
        for x in range(count):
            here = lines[k, x]
            after = lines[k, x + 1] if x + 1 < count else np.uint64(0)
            lines[k, x] = here | (here << one) | (here >> one) | (before >> top) | (after << top)
            before = here
        lines[k, count - 1] &= last


@numba.njit(cache=True, nogil=True)
def _lay(first: int, stop: int, words: Any, rows: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Lay the rows around every row over it."""
    depth, height, count = words.shape
    for k in range(first, stop):
        z, y = k // height, k % height
        target = out[z, y]
        for j in range(rows.shape[0]):
            zz, yy = z + rows[j, 1], y + rows[j, 2]
            if 0 <= zz < depth and 0 <= yy < height:
                source = words[zz, yy]
                for x in range(count):
                    target[x] |= source[x]
