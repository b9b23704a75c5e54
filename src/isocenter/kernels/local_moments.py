"""Mean and variance of the box around every sample, and the filters that shrink a sample towards its mean by them.

One pass: sums along the first axis, then over a ring of rows, then along the row, in float64, so that variances of large
offsets do not cancel.

References
----------
Lee. Digital image enhancement and noise filtering by use of local statistics. IEEE Trans. PAMI 2 (1980) 165-168.
Lim. Two-dimensional signal and image processing. Prentice Hall (1990) 536-540.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.kernels.finite import three_axes
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["keep_local_mean", "shrink_to_mean"]


def keep_local_mean(before: npt.NDArray[Any], after: npt.NDArray[Any], radius: Sequence[int]) -> npt.NDArray[Any]:
    """Return a filtered array with what the filter took off, on average over the box around each sample, given back.

    The mirrored box hands out exactly what it gathers, so that the mean of the whole is that of the unfiltered array.

    Parameters
    ----------
    before, after
        Samples before and after a filter.
    radius
        Samples to each side, one per axis.
    """
    lost = before.astype(np.float64) - after
    for axis, reach in enumerate(radius):
        count = min(int(reach), before.shape[axis])  # a box wider than the image is the image
        if count:
            lost = ndimage.correlate1d(lost, np.full(2 * count + 1, 1.0 / (2 * count + 1)), axis=axis, mode="reflect")
    return np.asarray((after + lost).astype(after.dtype))


def shrink_to_mean(
    array: npt.NDArray[Any], radius: Sequence[int], additive: float, relative: float = 0.0, threads: int = 1
) -> npt.NDArray[Any]:
    """Return every sample moved to the mean of its box as far as the variance there is explained by noise.

    Parameters
    ----------
    array
        float32 or float64, one to three axes; edges are extended.
    radius
        Samples to each side, one per axis.
    additive
        Variance of additive noise.
    relative
        Squared coefficient of variation of multiplicative noise.
    threads
        Threads to use; the result does not depend on it.
    """
    block = kernel_input(three_axes(array))
    reach = (0,) * (3 - array.ndim) + tuple(int(r) for r in radius)
    out = np.empty(block.shape, block.dtype)
    rows = block.shape[0] * block.shape[1]
    run_rows(_shrink_rows, rows, threads, block, *reach, float(additive), float(relative), out)
    return out.reshape(array.shape)


@numba.njit(cache=True, nogil=True)
def _column_sums(block: Any, z: int, y: int, rz: int, first: Any, second: Any) -> None:  # pragma: no cover - compiled
    nz, nx = block.shape[0], block.shape[2]
    line = block[z, y]
    if rz == 1:  # the usual case in one sweep, in the order of the general one
        low, high = block[max(0, z - 1), y], block[min(nz - 1, z + 1), y]
        for x in range(nx):
            value, one, two = np.float64(line[x]), np.float64(low[x]), np.float64(high[x])
            first[x] = value + (one + two)
            second[x] = value * value + (one * one + two * two)
        return
    for x in range(nx):
        value = np.float64(line[x])
        first[x] = value
        second[x] = value * value
    for d in range(1, rz + 1):
        low, high = block[max(0, z - d), y], block[min(nz - 1, z + d), y]
        for x in range(nx):
            one, two = np.float64(low[x]), np.float64(high[x])
            first[x] += one + two
            second[x] += one * one + two * two


@numba.njit(cache=True, nogil=True)
def _row_sums(ring: Any, y: int, ry: int, rx: int, ny: int, line: Any) -> None:  # pragma: no cover - compiled
    """Sum over the rows of the box, with the ends of the row repeated."""
    count = ring.shape[0]
    nx = ring.shape[1]
    padded = line[rx : rx + nx]
    middle = ring[y % count]
    if ry == 0:
        padded[:] = middle
    for d in range(1, ry + 1):
        low, high = ring[max(0, y - d) % count], ring[min(ny - 1, y + d) % count]
        if d == 1:
            for x in range(nx):
                padded[x] = middle[x] + (low[x] + high[x])
        else:
            for x in range(nx):
                padded[x] += low[x] + high[x]
    for x in range(rx):
        line[x] = line[rx]
        line[rx + nx + x] = line[rx + nx - 1]


@numba.njit(cache=True, nogil=True)
def _along_row(line: Any, rx: int, total: Any) -> None:  # pragma: no cover - compiled
    nx = total.size
    middle = line[rx : rx + nx]
    if rx == 0:
        total[:] = middle
    for d in range(1, rx + 1):
        before, after = line[rx - d : rx - d + nx], line[rx + d : rx + d + nx]
        if d == 1:
            for x in range(nx):
                total[x] = middle[x] + (before[x] + after[x])
        else:
            for x in range(nx):
                total[x] += before[x] + after[x]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _shrink_rows(
    first: int, last: int, block: Any, rz: int, ry: int, rx: int, additive: float, relative: float, out: Any
) -> None:  # pragma: no cover - compiled
    ny, nx = block.shape[1], block.shape[2]
    rings = np.empty((2, 2 * ry + 1, nx))
    line = np.empty(nx + 2 * rx)
    sums, squares = np.empty(nx), np.empty(nx)
    share = 1.0 / ((2 * rz + 1) * (2 * ry + 1) * (2 * rx + 1))
    scale = 1.0 / (1.0 + relative)
    plane, ready = -1, -1
    for row in range(first, last):
        z, y = row // ny, row % ny
        if z != plane:
            plane, ready = z, max(0, y - ry) - 1
        while ready < min(ny - 1, y + ry):
            ready += 1
            _column_sums(block, z, ready, rz, rings[0, ready % (2 * ry + 1)], rings[1, ready % (2 * ry + 1)])
        _row_sums(rings[0], y, ry, rx, ny, line)
        _along_row(line, rx, sums)
        _row_sums(rings[1], y, ry, rx, ny, line)
        _along_row(line, rx, squares)
        values, result = block[z, y], out[z, y]
        for x in range(nx):
            mean = sums[x] * share
            variance = squares[x] * share - mean * mean
            noise = additive + relative * mean * mean
            beyond = variance - noise
            gain = scale * beyond / variance if beyond > 0.0 else 0.0
            result[x] = mean + gain * (np.float64(values[x]) - mean)
