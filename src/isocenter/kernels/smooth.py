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
    for axis, width in enumerate(sigma):
        weights = gaussian_weights(width, truncate)
        if len(weights) > 1 and data.shape[axis] > 1:
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
    half = np.asarray(weights, dtype=array.dtype)
    if after == 1:
        run_rows(_along_last, before, threads, block.reshape(before, -1), half, out.reshape(before, -1))
    else:
        run_rows(_across, before * array.shape[axis], threads, block, half, out)
    return out.reshape(array.shape)


@numba.njit(cache=True, nogil=True)
def _along_last(first: int, last: int, block: Any, half: Any, out: Any) -> None:  # pragma: no cover - compiled
    size, reach = block.shape[1], half.size - 1
    line = np.empty(size + 2 * reach, block.dtype)
    for row in range(first, last):
        result = out[row]
        for x in range(line.size):
            line[x] = block[row, min(max(x - reach, 0), size - 1)]
        for x in range(size):
            result[x] = half[0] * line[reach + x]
        for k in range(1, reach + 1):
            weight = half[k]
            for x in range(size):
                result[x] += weight * (line[reach + x - k] + line[reach + x + k])


@numba.njit(cache=True, nogil=True)
def _across(first: int, last: int, block: Any, half: Any, out: Any) -> None:  # pragma: no cover - compiled
    size, width = block.shape[1], block.shape[2]
    for row in range(first, last):
        i, j = row // size, row % size
        result, middle = out[i, j], block[i, j]
        for x in range(width):
            result[x] = half[0] * middle[x]
        for k in range(1, half.size):
            weight = half[k]
            low, high = block[i, max(0, j - k)], block[i, min(size - 1, j + k)]
            for x in range(width):
                result[x] += weight * (low[x] + high[x])
