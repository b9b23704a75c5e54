"""Convolution along one axis after the other: Gaussian smoothing.

References
----------
Lindeberg. Scale-space for discrete signals. IEEE Trans. PAMI 12 (1990) 234-254 (the sampled kernel is used here).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.core.dtype import working_dtype
from isocenter.kernels.threads import kernel_input, run_rows

#: Samples of a row that are smoothed together: what the kernel spans then fits into the first cache.
_CHUNK = 1024

__all__ = ["convolve_axis", "gaussian", "gaussian_radius", "gaussian_weights"]


def gaussian_radius(sigma: float, truncate: float = 4.0) -> int:
    """Return how many samples to each side a Gaussian of `sigma` samples reaches."""
    return int(truncate * sigma + 0.5)


def gaussian_weights(sigma: float, truncate: float = 4.0) -> npt.NDArray[np.float64]:
    """Return the sampled Gaussian from its middle outwards, so that both sides together sum to 1."""
    reach = gaussian_radius(sigma, truncate)
    if reach == 0:
        return np.ones(1)
    half = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    result: npt.NDArray[np.float64] = half / (2 * half.sum() - half[0])
    return result


def gaussian(array: npt.ArrayLike, sigma: Sequence[float], truncate: float = 4.0, threads: int = 1) -> npt.NDArray[Any]:
    """Return an array smoothed by a Gaussian; edges are extended by the nearest sample.

    Parameters
    ----------
    array
        One to three axes.
    sigma
        Standard deviation in samples, one per axis; 0 leaves an axis alone.
    truncate
        Where the kernel ends, in standard deviations.
    threads
        Threads to use; the result does not depend on it.
    """
    data = np.asarray(array)
    result = data.astype(working_dtype(data.dtype), copy=False)
    halves = [gaussian_weights(s, truncate) if n > 1 else np.ones(1) for s, n in zip(sigma, data.shape, strict=True)]
    if data.ndim == 3 and len(halves[1]) > 1 and len(halves[2]) > 1:
        if len(halves[0]) > 1:
            result = convolve_axis(result, halves[0], 0, threads)
        source = kernel_input(result)
        out = result if len(halves[0]) > 1 else np.empty(result.shape, result.dtype)
        y, x = (kernel_input(h, result.dtype) for h in halves[1:])
        run_rows(_planes, len(source), threads, source, y, x, out)
        return out
    for axis, weights in enumerate(halves):
        if len(weights) > 1:
            result = convolve_axis(result, weights, axis, threads)
    return result if result is not data else data.copy()


def convolve_axis(array: npt.NDArray[Any], weights: npt.ArrayLike, axis: int, threads: int = 1) -> npt.NDArray[Any]:
    """Return a float array convolved along one axis with a symmetric kernel, given from its middle outwards.

    Sums run from the middle outwards for every sample alike, so tiles give the same bits as the whole.
    """
    before = int(np.prod(array.shape[:axis]))
    after = int(np.prod(array.shape[axis + 1 :]))
    block = kernel_input(array).reshape(before, array.shape[axis], after)
    out = np.empty(block.shape, array.dtype)
    half = kernel_input(weights, array.dtype)
    if after == 1:
        run_rows(_along_last, before, threads, block.reshape(before, -1), half, out.reshape(before, -1))
    else:
        run_rows(_across, before * -(-after // _CHUNK), threads, block, half, out)
    return out.reshape(array.shape)


@numba.njit(cache=True, nogil=True)
def _line(line: Any, half: Any, result: Any) -> None:  # pragma: no cover - compiled
    """Convolve a line that is extended by the kernel's reach on both sides."""
    size, reach = result.size, half.size - 1
    middle, weight = line[reach : reach + size], half[0]
    for x in range(size):
        result[x] = weight * middle[x]
    k = 1
    while k + 3 <= reach:  # four steps of the kernel a sweep, added one after the other
        w1, w2, w3, w4 = half[k], half[k + 1], half[k + 2], half[k + 3]
        a, b = line[reach - k : reach - k + size], line[reach + k : reach + k + size]
        c, d = line[reach - k - 1 : reach - k - 1 + size], line[reach + k + 1 : reach + k + 1 + size]
        e, f = line[reach - k - 2 : reach - k - 2 + size], line[reach + k + 2 : reach + k + 2 + size]
        g, h = line[reach - k - 3 : reach - k - 3 + size], line[reach + k + 3 : reach + k + 3 + size]
        for x in range(size):
            result[x] = (((result[x] + w1 * (a[x] + b[x])) + w2 * (c[x] + d[x])) + w3 * (e[x] + f[x])) + w4 * (g[x] + h[x])
        k += 4
    while k <= reach:
        w1 = half[k]
        a, b = line[reach - k : reach - k + size], line[reach + k : reach + k + size]
        for x in range(size):
            result[x] += w1 * (a[x] + b[x])
        k += 1


@numba.njit(cache=True, nogil=True)
def _extended(source: Any, reach: int, line: Any) -> None:  # pragma: no cover - compiled
    size = source.size
    for x in range(reach):
        line[x] = source[0]
        line[reach + size + x] = source[size - 1]
    for x in range(size):
        line[reach + x] = source[x]


@numba.njit(cache=True, nogil=True)
def _along_last(first: int, last: int, block: Any, half: Any, out: Any) -> None:  # pragma: no cover - compiled
    size, reach = block.shape[1], half.size - 1
    line = np.empty(size + 2 * reach, block.dtype)
    for row in range(first, last):
        _extended(block[row], reach, line)
        _line(line, half, out[row])


@numba.njit(cache=True, nogil=True)
def _rows(block: Any, j: int, start: int, half: Any, result: Any) -> None:  # pragma: no cover - compiled
    """Convolve across rows: what becomes of row `j` from sample `start` on."""
    size, width, reach = block.shape[0], result.size, half.size - 1
    stop = start + width
    middle, weight = block[j, start:stop], half[0]
    for x in range(width):
        result[x] = weight * middle[x]
    k = 1
    while k + 3 <= reach:
        w1, w2, w3, w4 = half[k], half[k + 1], half[k + 2], half[k + 3]
        a, b = block[max(0, j - k), start:stop], block[min(size - 1, j + k), start:stop]
        c, d = block[max(0, j - k - 1), start:stop], block[min(size - 1, j + k + 1), start:stop]
        e, f = block[max(0, j - k - 2), start:stop], block[min(size - 1, j + k + 2), start:stop]
        g, h = block[max(0, j - k - 3), start:stop], block[min(size - 1, j + k + 3), start:stop]
        for x in range(width):
            result[x] = (((result[x] + w1 * (a[x] + b[x])) + w2 * (c[x] + d[x])) + w3 * (e[x] + f[x])) + w4 * (g[x] + h[x])
        k += 4
    while k <= reach:
        w1 = half[k]
        a, b = block[max(0, j - k), start:stop], block[min(size - 1, j + k), start:stop]
        for x in range(width):
            result[x] += w1 * (a[x] + b[x])
        k += 1


@numba.njit(cache=True, nogil=True)
def _across(first: int, last: int, block: Any, half: Any, out: Any) -> None:  # pragma: no cover - compiled
    # Columns of rows that stay in the cache while the kernel moves along them.
    chunks = (block.shape[2] + _CHUNK - 1) // _CHUNK
    for share in range(first, last):
        i, start = share // chunks, share % chunks * _CHUNK
        for j in range(block.shape[1]):
            _rows(block[i], j, start, half, out[i, j, start : start + _CHUNK])


@numba.njit(cache=True, nogil=True)
def _planes(first: int, last: int, source: Any, along: Any, last_half: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Convolve planes along both axes; source and result may be one."""
    height, width = source.shape[1], source.shape[2]
    reach = last_half.size - 1
    done = np.empty((height, width + 2 * reach), source.dtype)
    for z in range(first, last):
        for y in range(height):
            _rows(source[z], y, 0, along, done[y, reach : reach + width])
        for y in range(height):
            line = done[y]
            for x in range(reach):
                line[x], line[reach + width + x] = line[reach], line[reach + width - 1]
            _line(line, last_half, out[z, y])
