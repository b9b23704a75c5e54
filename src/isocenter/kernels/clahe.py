"""Contrast-limited adaptive histogram equalisation over tiles in up to three dimensions.

References
----------
Zuiderveld. Contrast limited adaptive histogram equalization. Graphics Gems IV, Academic Press (1994) 474-485.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.finite import three_axes
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["clahe"]


def clahe(
    array: npt.NDArray[Any], tiles: Sequence[int], clip: float, bins: int, low: float, high: float, threads: int = 1
) -> npt.NDArray[Any]:
    """Return an array equalised by the histograms of the tiles around each sample, 0 to 1.

    Parameters
    ----------
    array
        float32 or float64, finite, one to three axes.
    tiles
        Number of tiles along every axis.
    clip
        Most that one bin may hold, as a fraction of a tile's samples; what exceeds it is spread over all bins.
    bins
        Levels that are counted.
    low, high
        Range of values.
    threads
        Threads to use; the result does not depend on it.
    """
    block = three_axes(array)
    count = np.array([1] * (3 - array.ndim) + [max(1, min(int(t), n)) for t, n in zip(tiles, array.shape, strict=True)])
    if high <= low:
        return np.zeros_like(array)
    levels = np.clip((block - low) * (bins / (high - low)), 0, bins - 1).astype(np.uint16)
    curves = np.empty((*count, bins), np.float32)
    limit = float(clip)
    run_rows(_tile_curves, int(np.prod(count)), threads, kernel_input(levels), count, limit, curves)
    out = np.empty(block.shape, block.dtype)
    run_rows(_blend, block.shape[0] * block.shape[1], threads, kernel_input(levels), kernel_input(curves), out)
    return out.reshape(array.shape)


@numba.njit(cache=True, nogil=True)
def _tile_curves(first: int, last: int, levels: Any, count: Any, clip: float, curves: Any) -> None:  # pragma: no cover - compiled
    nz, ny, nx = levels.shape
    bins = curves.shape[3]
    table = np.zeros(bins)
    for tile in range(first, last):
        c, b, a = tile % count[2], tile // count[2] % count[1], tile // (count[2] * count[1])
        z0, z1 = a * nz // count[0], (a + 1) * nz // count[0]
        y0, y1 = b * ny // count[1], (b + 1) * ny // count[1]
        x0, x1 = c * nx // count[2], (c + 1) * nx // count[2]
        table[:] = 0
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    table[levels[z, y, x]] += 1
        size = (z1 - z0) * (y1 - y0) * (x1 - x0)
        limit = max(clip * size, size / bins)
        excess = 0.0
        for k in range(bins):
            if table[k] > limit:
                excess += table[k] - limit
                table[k] = limit
        total = 0.0
        for k in range(bins):
            total += table[k] + excess / bins
            curves[a, b, c, k] = total / size


@numba.njit(cache=True, nogil=True)
def _between(position: int, size: int, count: int) -> tuple[int, int, float]:  # pragma: no cover - compiled
    """Return the two tiles whose middles a sample lies between, and the weight of the second."""
    place = (position + 0.5) * count / size - 0.5
    low = int(np.floor(place))
    return max(low, 0), min(low + 1, count - 1), place - low


@numba.njit(cache=True, nogil=True)
def _blend(first: int, last: int, levels: Any, curves: Any, out: Any) -> None:  # pragma: no cover - compiled
    nz, ny, nx = levels.shape
    kz, ky, kx, bins = curves.shape
    row_curves = np.empty((kx, bins), np.float32)
    one = np.float32(1.0)
    for row in range(first, last):
        z, y = row // ny, row % ny
        z0, z1, wz = _between(z, nz, kz)
        y0, y1, wy = _between(y, ny, ky)
        u, v = np.float32(wz), np.float32(wy)
        # Where rows are short, mixing whole curves would cost more than mixing four of them at every sample.
        mixed = kx * bins < nx
        if mixed:
            for c in range(kx):
                for k in range(bins):
                    top = (one - v) * curves[z0, y0, c, k] + v * curves[z0, y1, c, k]
                    bottom = (one - v) * curves[z1, y0, c, k] + v * curves[z1, y1, c, k]
                    row_curves[c, k] = (one - u) * top + u * bottom
        for x in range(nx):
            x0, x1, wx = _between(x, nx, kx)
            w, k = np.float32(wx), levels[z, y, x]
            if mixed:
                out[z, y, x] = (one - w) * row_curves[x0, k] + w * row_curves[x1, k]
                continue
            top = (one - v) * ((one - w) * curves[z0, y0, x0, k] + w * curves[z0, y0, x1, k])
            top += v * ((one - w) * curves[z0, y1, x0, k] + w * curves[z0, y1, x1, k])
            bottom = (one - v) * ((one - w) * curves[z1, y0, x0, k] + w * curves[z1, y0, x1, k])
            bottom += v * ((one - w) * curves[z1, y1, x0, k] + w * curves[z1, y1, x1, k])
            out[z, y, x] = (one - u) * top + u * bottom
