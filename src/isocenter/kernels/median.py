"""The median of a box around every sample, exactly, for any type of sample.

Values are mapped to integer keys of the same order: integer minima and maxima run many to an instruction, those of floats
do not. Small windows go through a sorting network that is pruned to what the middle rank needs, on whole rows at once;
large ones through a histogram that slides along a row.

References
----------
Batcher. Sorting networks and their applications. AFIPS Spring Joint Computer Conference 32 (1968) 307-314.
Huang, Yang, Tang. A fast two-dimensional median filtering algorithm. IEEE Trans. ASSP 27 (1979) 13-18.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["median_filter", "rank_filter", "selection_network"]

#: Windows of up to this many samples are sorted; larger ones are counted.
_SORTED = 150
#: Bytes of the rows that are sorted together: the whole window stays in the first-level cache.
_NEAR = 34_000
#: Levels of the histogram of large windows.
_LEVELS = 1 << 16
#: With fewer levels than this the level of one sample is found by walking from that of the one before.
_WALKED = 1 << 13


def median_filter(array: npt.ArrayLike, radius: Sequence[int], threads: int = 1) -> npt.NDArray[Any]:
    """Return the median of the box of ``2 * radius + 1`` samples around every sample; edges are extended.

    Parameters
    ----------
    array
        One to three axes, real values; NaN sorts above everything.
    radius
        Samples to each side, one per axis.
    threads
        Threads to use; the result does not depend on it.
    """
    return rank_filter(array, radius, None, threads)


def rank_filter(array: npt.ArrayLike, radius: Sequence[int], fraction: float | None, threads: int = 1) -> npt.NDArray[Any]:
    """Return the sample at a fraction of the sorted box around every sample; edges are extended.

    Parameters
    ----------
    array, radius, threads
        As of `median_filter`.
    fraction
        0 is the smallest, 1 the largest, between them the nearest rank; None is the median.
    """
    data = np.asarray(array)
    shape = data.shape
    lead = (1,) * (3 - data.ndim)
    reach = (0,) * (3 - data.ndim) + tuple(int(r) for r in radius)
    if not data.size or not any(reach):
        return data.copy()
    keys = _keys(np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("=")))
    padded = np.pad(keys.reshape(lead + shape), [(r, r) for r in reach], mode="edge")
    window = int(np.prod([2 * r + 1 for r in reach]))
    out = np.empty(lead + shape, keys.dtype)
    rank = window // 2 if fraction is None else min(window - 1, max(0, int(np.rint(fraction * (window - 1)))))
    if window <= _SORTED:
        offsets = np.array(list(np.ndindex(*[2 * r + 1 for r in reach])), dtype=np.int64)
        run_rows(
            _sort_rows,
            out.shape[0] * out.shape[1],
            threads,
            kernel_input(padded),
            offsets,
            selection_network(window, rank),
            rank,
            max(64, _NEAR // (window * keys.dtype.itemsize) // 32 * 32),
            out,
        )
    else:
        out = _counted(padded, reach, rank, out, threads)
    return _values(out.reshape(shape), data.dtype)


def _keys(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return integers that sort as the values do."""
    if data.dtype.kind == "b":
        return data.view(np.uint8)
    if data.dtype == np.float16:
        data = data.astype(np.float32)
    if data.dtype.kind != "f":
        if data.dtype.kind not in "iu":
            raise ContentError(f"Values of type {data.dtype} have no order: expected real ones; take the magnitude first.")
        return data
    if data.dtype.itemsize > 8:
        raise ContentError(f"Values of type {data.dtype} are not sorted: expected float64 or smaller; convert them first.")
    bits = data.view(f"i{data.dtype.itemsize}")
    # Negative floats sort backwards by their bits: turn all but the sign over.
    return _turned(bits)


def _turned(bits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return bits with all but the sign turned over where it is set; twice gives them back."""
    result: npt.NDArray[Any] = bits >> (8 * bits.dtype.itemsize - 1)
    result &= np.iinfo(bits.dtype).max
    result ^= bits
    return result


def _values(keys: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the values of keys."""
    if dtype.kind == "b":
        return keys.view(np.bool_)
    if dtype.kind != "f":
        return keys.astype(dtype, copy=False)
    return _turned(keys).view(f"f{keys.dtype.itemsize}").astype(dtype, copy=False)


@lru_cache(maxsize=64)
def selection_network(count: int, rank: int | None = None) -> npt.NDArray[np.int64]:
    """Return the comparators that bring a rank of `count` values to its position; None is the middle, ``count // 2``.

    Returns
    -------
    numpy.ndarray
        Shape (n, 3): low position, high position, and what is needed of it: 1 the minimum, 2 the maximum, 3 both.
    """
    power = 1 << max(0, (count - 1).bit_length())
    pairs: list[tuple[int, int]] = []
    p = 1
    while p < power:  # Batcher's odd-even merge sort; positions from `count` on hold infinities that never move
        k = p
        while k >= 1:
            for j in range(k % p, power - k, 2 * k):
                places = range(j, j + min(k, power - j - k))
                pairs.extend((i, i + k) for i in places if i // (2 * p) == (i + k) // (2 * p) and i + k < count)
            k //= 2
        p *= 2
    # Backwards from the one value that is wanted, keep only what it depends on.
    needed = {count // 2 if rank is None else rank}
    kept = []
    for low, high in reversed(pairs):
        use = (1 if low in needed else 0) | (2 if high in needed else 0)
        if use:
            kept.append((low, high, use))
            needed |= {low, high}
    return np.array(kept[::-1], dtype=np.int64).reshape(-1, 3)


@numba.njit(cache=True, nogil=True)
def _sort_rows(
    first: int, last: int, padded: Any, offsets: Any, network: Any, middle: int, block: int, out: Any
) -> None:  # pragma: no cover - compiled
    ny, nx = out.shape[1], out.shape[2]
    pieces = -(-nx // block)
    width = -(-nx // pieces)
    together = max(1, min(block // width, last - first))  # short rows are sorted several at a time
    size = -(-(together * width) // 32) * 32
    lanes = np.zeros((offsets.shape[0], size), padded.dtype)
    for begin in range(first, last, together):
        count = min(together, last - begin)
        for start in range(0, nx, width):
            wide = min(width, nx - start)
            for k in range(offsets.shape[0]):
                lane = lanes[k]
                for r in range(count):
                    z, y = (begin + r) // ny, (begin + r) % ny
                    line = padded[z + offsets[k, 0], y + offsets[k, 1]]
                    left = start + offsets[k, 2]
                    lane[r * width : r * width + wide] = line[left : left + wide]
            for c in range(network.shape[0]):
                low, high, use = lanes[network[c, 0]], lanes[network[c, 1]], network[c, 2]
                if use == 3:
                    for x in range(size):
                        a, b = low[x], high[x]
                        low[x] = min(a, b)
                        high[x] = max(a, b)
                elif use == 1:
                    for x in range(size):
                        low[x] = min(low[x], high[x])
                else:
                    for x in range(size):
                        high[x] = max(low[x], high[x])
            for r in range(count):
                z, y = (begin + r) // ny, (begin + r) % ny
                out[z, y, start : start + wide] = lanes[middle, r * width : r * width + wide]


def _counted(
    padded: npt.NDArray[Any], reach: tuple[int, ...], rank: int, out: npt.NDArray[Any], threads: int
) -> npt.NDArray[Any]:
    """Return the sample of a rank by sliding histograms over ranks."""
    low, high = int(padded.min()), int(padded.max())
    if high - low < _LEVELS:
        levels = None
        ranks = (padded.astype(np.int64) - low).astype(np.int32)
        top = high - low
    else:  # more values than levels: count their ranks, and look closer inside the level that holds the middle
        levels, inverse = np.unique(padded, return_inverse=True)
        ranks = inverse.reshape(padded.shape).astype(np.int32)
        top = len(levels) - 1
    shift = max(0, top.bit_length() - 16)
    found = np.empty(out.shape, np.int32)
    if top < _WALKED:
        turned = kernel_input(ranks.transpose(0, 2, 1))  # so that what enters and leaves lies side by side
        run_rows(_walk_rows, out.shape[0] * out.shape[1], threads, turned, *reach, rank, top + 1, found)
    else:
        run_rows(_count_rows, out.shape[0] * out.shape[1], threads, kernel_input(ranks), *reach, rank, shift, found)
    return levels[found] if levels is not None else (found.astype(np.int64) + low).astype(out.dtype)


@numba.njit(cache=True, nogil=True)
def _walk_rows(
    first: int, last: int, ranks: Any, rz: int, ry: int, rx: int, middle: int, levels: int, out: Any
) -> None:  # pragma: no cover - compiled
    ny, nx = out.shape[1], out.shape[2]
    counts = np.zeros(levels, np.int32)
    for row in range(first, last):
        z, y = row // ny, row % ny
        counts[:] = 0
        level, below = 0, 0  # how many of the window lie below the level
        for x in range(nx):
            for column in range(0 if x == 0 else x + 2 * rx, x + 2 * rx + 1):
                for dz in range(2 * rz + 1):
                    line = ranks[z + dz, column, y : y + 2 * ry + 1]
                    for k in range(line.size):
                        counts[line[k]] += 1
                        below += line[k] < level
            if x > 0:
                for dz in range(2 * rz + 1):
                    line = ranks[z + dz, x - 1, y : y + 2 * ry + 1]
                    for k in range(line.size):
                        counts[line[k]] -= 1
                        below -= line[k] < level
            while below > middle:
                level -= 1
                below -= counts[level]
            while below + counts[level] <= middle:
                below += counts[level]
                level += 1
            out[z, y, x] = level


@numba.njit(cache=True, nogil=True)
def _count_rows(
    first: int, last: int, ranks: Any, rz: int, ry: int, rx: int, middle: int, shift: int, out: Any
) -> None:  # pragma: no cover - compiled
    ny, nx = out.shape[1], out.shape[2]
    fine = np.zeros(1 << 16, np.int32)
    coarse = np.zeros(1 << 8, np.int32)
    inside = np.empty((2 * rz + 1) * (2 * ry + 1) * (2 * rx + 1), np.int32)
    for row in range(first, last):
        z, y = row // ny, row % ny
        fine[:] = 0
        coarse[:] = 0
        for x in range(nx):
            # Padded column x + 2 rx enters, x - 1 leaves; the first window takes all of its columns in.
            for column in range(0 if x == 0 else x + 2 * rx, x + 2 * rx + 1):
                for dz in range(2 * rz + 1):
                    for dy in range(2 * ry + 1):
                        level = ranks[z + dz, y + dy, column] >> shift
                        fine[level] += 1
                        coarse[level >> 8] += 1
            if x > 0:
                for dz in range(2 * rz + 1):
                    for dy in range(2 * ry + 1):
                        level = ranks[z + dz, y + dy, x - 1] >> shift
                        fine[level] -= 1
                        coarse[level >> 8] -= 1
            left, bucket = middle, 0
            while left >= coarse[bucket]:
                left -= coarse[bucket]
                bucket += 1
            level = bucket << 8
            while left >= fine[level]:
                left -= fine[level]
                level += 1
            if shift == 0:
                out[z, y, x] = level
                continue
            box = ranks[z : z + 2 * rz + 1, y : y + 2 * ry + 1, x : x + 2 * rx + 1]
            out[z, y, x] = _closer(box, shift, level, left, inside)


@numba.njit(cache=True, nogil=True)
def _closer(box: Any, shift: int, level: int, wanted: int, inside: Any) -> int:  # pragma: no cover - compiled
    """Return the rank number `wanted` among those of a box that share a level: few do, so the smallest are taken away."""
    count = 0
    for z in range(box.shape[0]):
        for y in range(box.shape[1]):
            for x in range(box.shape[2]):
                if box[z, y, x] >> shift == level:
                    inside[count] = box[z, y, x]
                    count += 1
    for k in range(wanted + 1):
        best = k
        for j in range(k + 1, count):
            if inside[j] < inside[best]:
                best = j
        inside[k], inside[best] = inside[best], inside[k]
    return int(inside[wanted])
