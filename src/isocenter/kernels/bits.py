"""Masks of one bit a sample, 64 samples along the first axis in a word: morphology at memory speed.

A word array has one row of zeros more on every side (two words more along the first axis), so that no loop asks where the
image ends: what lies outside counts as background.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["FULL", "curvature_planar", "curvature_solid", "grown", "last_word", "pack", "positions", "unpack"]

Words = npt.NDArray[np.uint64]
FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
_TOP = np.uint64(63)

#: Index of the only set bit of a word, by the six high bits of its product with a de Bruijn number.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_PLACES = np.zeros(64, np.int64)
for _k in range(64):
    _PLACES[((0x03F79D71B4CB0A89 << _k) & 0xFFFFFFFFFFFFFFFF) >> 58] = _k


def pack(mask: npt.NDArray[Any]) -> Words:
    """Return a mask of three axes as words, padded."""
    depth, height, width = mask.shape
    words = np.zeros((-(-depth // 64) + 2, height + 2, width + 2), np.uint64)
    _pack(np.ascontiguousarray(mask, dtype=np.bool_).view(np.uint8), words)
    return words


def unpack(words: Words, depth: int) -> npt.NDArray[np.bool_]:
    """Return padded words as a mask of `depth` slices."""
    mask = np.empty((depth, words.shape[1] - 2, words.shape[2] - 2), np.uint8)
    _unpack(words, mask)
    return mask.view(np.bool_)


def last_word(depth: int) -> np.uint64:
    """Return which bits of the last word hold samples."""
    used = depth % 64
    return FULL if used == 0 else np.uint64((1 << used) - 1)


@numba.njit(cache=True, nogil=True)
def _pack(mask: Any, words: Any) -> None:  # pragma: no cover - compiled
    for z in range(mask.shape[0]):
        bit, row = np.uint64(z & 63), words[1 + (z >> 6)]
        for y in range(mask.shape[1]):
            for x in range(mask.shape[2]):
                row[y + 1, x + 1] |= np.uint64(mask[z, y, x]) << bit


@numba.njit(cache=True, nogil=True)
def _unpack(words: Any, mask: Any) -> None:  # pragma: no cover - compiled
    for z in range(mask.shape[0]):
        bit, row = np.uint64(z & 63), words[1 + (z >> 6)]
        for y in range(mask.shape[1]):
            for x in range(mask.shape[2]):
                mask[z, y, x] = np.uint8((row[y + 1, x + 1] >> bit) & np.uint64(1))


@numba.njit(cache=True, nogil=True)
def positions(word: Any, found: Any) -> int:  # pragma: no cover - compiled
    """Write the indices of the set bits of a word to `found`, and return how many there are."""
    count = 0
    while word:
        lowest = word & (~word + np.uint64(1))
        found[count] = _PLACES[(lowest * _DE_BRUIJN) >> np.uint64(58)]
        count += 1
        word ^= lowest
    return count


@numba.njit(cache=True, nogil=True)
def curvature_solid(words: Any, erode: bool, tail: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Take the largest erosion (the smallest dilation) over the nine planes of a 3 x 3 x 3 neighbourhood.

    A dilation is an erosion of the complement: words are flipped on the way in and out.
    """
    flip = np.uint64(0) if erode else FULL
    blocks, height, width = words.shape[0] - 2, words.shape[1] - 2, words.shape[2]
    # Of three rows: slice before, here and after; all three joined; each joined with its neighbours along the row.
    rows = np.empty((3, 7, width), np.uint64)
    sheets = np.empty((3, width), np.uint64)
    for b in range(1, blocks + 1):
        mask = tail if b == blocks else FULL
        for k in range(2):
            _prepare(words[b - 1, k], words[b, k], words[b + 1, k], flip, rows[k])
        for y in range(1, height + 1):
            _prepare(words[b - 1, y + 1], words[b, y + 1], words[b + 1, y + 1], flip, rows[(y + 1) % 3])
            _combine(rows[(y - 1) % 3], rows[y % 3], rows[(y + 1) % 3], sheets, flip, mask, out[b, y])


@numba.njit(cache=True, nogil=True)
def _prepare(before: Any, here: Any, after: Any, flip: Any, row: Any) -> None:  # pragma: no cover - compiled
    width = here.size
    up, mid, down, joined = row[0], row[1], row[2], row[3]
    for x in range(width):
        w = here[x]
        a = ((w << _ONE) | (before[x] >> _TOP)) ^ flip
        c = ((w >> _ONE) | (after[x] << _TOP)) ^ flip
        w = w ^ flip
        up[x], mid[x], down[x], joined[x] = a, w, c, a & w & c
    for k in range(3):
        source, target = row[k], row[4 + k]
        for x in range(1, width - 1):
            target[x] = source[x - 1] & source[x] & source[x + 1]


@numba.njit(cache=True, nogil=True)
def _combine(
    north: Any, middle: Any, south: Any, sheets: Any, flip: Any, mask: Any, out: Any
) -> None:  # pragma: no cover - compiled
    width = out.size
    for k in range(3):
        sheet, n, m, s = sheets[k], north[k], middle[k], south[k]
        for x in range(width):
            sheet[x] = n[x] & m[x] & s[x]
    top, level, bottom = sheets[0], sheets[1], sheets[2]
    zn, zm, zs = north[3], middle[3], south[3]
    for x in range(1, width - 1):
        columns = zm[x] & ((zn[x] & zs[x]) | (zm[x - 1] & zm[x + 1]) | (zn[x - 1] & zs[x + 1]) | (zn[x + 1] & zs[x - 1]))
        lines = middle[5, x] & ((north[5, x] & south[5, x]) | (north[4, x] & south[6, x]) | (north[6, x] & south[4, x]))
        tilted = level[x] & ((top[x - 1] & bottom[x + 1]) | (bottom[x - 1] & top[x + 1]))
        out[x] = ((columns | lines | tilted) ^ flip) & mask


@numba.njit(cache=True, nogil=True)
def curvature_planar(words: Any, erode: bool, tail: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Take the largest erosion (the smallest dilation) over the four lines of a 3 x 3 neighbourhood.

    The plane is packed along its first axis: words of shape (blocks, 1, width), padded.
    """
    flip = np.uint64(0) if erode else FULL
    blocks, width = words.shape[0] - 2, words.shape[2]
    row = np.empty((7, width), np.uint64)
    for b in range(1, blocks + 1):
        mask = tail if b == blocks else FULL
        _prepare(words[b - 1, 1], words[b, 1], words[b + 1, 1], flip, row)
        for x in range(1, width - 1):
            lines = (row[0, x] & row[2, x]) | (row[1, x - 1] & row[1, x + 1])
            lines |= (row[0, x - 1] & row[2, x + 1]) | (row[0, x + 1] & row[2, x - 1])
            out[b, 1, x] = ((row[1, x] & lines) ^ flip) & mask


@numba.njit(cache=True, nogil=True)
def grown(words: Any, erode: bool, planar: bool, tail: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Dilate (or erode) by the whole 3 x 3 x 3 neighbourhood, or by the 3 x 3 one of a plane."""
    flip = FULL if not erode else np.uint64(0)
    blocks, height, width = words.shape[0] - 2, words.shape[1] - 2, words.shape[2]
    row = np.empty((7, width), np.uint64)
    total = np.empty(width, np.uint64)
    for b in range(1, blocks + 1):
        mask = tail if b == blocks else FULL
        for y in range(1, height + 1):
            total[:] = FULL
            for k in range(y, y + 1) if planar else range(y - 1, y + 2):
                _prepare(words[b - 1, k], words[b, k], words[b + 1, k], flip, row)
                for x in range(1, width - 1):
                    total[x] &= row[4, x] & row[5, x] & row[6, x]
            for x in range(1, width - 1):
                out[b, y, x] = (total[x] ^ flip) & mask
