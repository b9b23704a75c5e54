"""Bilateral filter in up to three dimensions: averages neighbours that are near in space and alike in value.

The weight of a difference is a polynomial raised to a power by squaring, which runs eight samples to an instruction: it
follows the Gaussian to 1e-5 of its peak.

References
----------
Tomasi, Manduchi. Bilateral filtering for gray and color images. ICCV (1998) 839-846.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.finite import three_axes
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["bilateral_filter"]


def bilateral_filter(
    array: npt.NDArray[Any], sigma: Sequence[float], radius: Sequence[int], contrast: float, threads: int = 1
) -> npt.NDArray[Any]:
    """Return the bilateral filter of an array; edges are extended by the nearest sample.

    Parameters
    ----------
    array
        float32 or float64, one to three axes.
    sigma, radius
        Standard deviation in space and half width of the box, in samples, one per axis.
    contrast
        Standard deviation of the weight of differences in value; more than 0.
    threads
        Threads to use; the result does not depend on it.
    """
    block = kernel_input(three_axes(array))
    lead = 3 - array.ndim
    reach = (0,) * lead + tuple(int(r) for r in radius)
    widths = (1.0,) * lead + tuple(float(s) for s in sigma)
    grids = np.meshgrid(*[np.arange(-r, r + 1) / w for r, w in zip(reach, widths, strict=True)], indexing="ij")
    weights = np.exp(-0.5 * sum(g**2 for g in grids)).astype(block.dtype)
    kind = block.dtype.type
    out = np.empty(block.shape, block.dtype)
    # exp(-t) is taken as a 16th power; differences beyond t = 16 weigh nothing that float32 can tell.
    scale = kind(1.0 / (2.0 * contrast * contrast * 16.0))
    constants = np.array([1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0], block.dtype)
    rows = block.shape[0] * block.shape[1]
    run_rows(_bilateral_rows, rows, threads, block, weights, scale, constants, out)
    return out.reshape(array.shape)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bilateral_rows(
    first: int, last: int, block: Any, weights: Any, scale: Any, constants: Any, out: Any
) -> None:  # pragma: no cover - compiled
    nz, ny, nx = block.shape
    rz, ry, rx = weights.shape[0] // 2, weights.shape[1] // 2, weights.shape[2] // 2
    line = np.empty(nx + 2 * rx, block.dtype)
    top, bottom = np.empty(nx, block.dtype), np.empty(nx, block.dtype)
    one, half, sixth, rest = constants[0], constants[1], constants[2], constants[3]
    for row in range(first, last):
        z, y = row // ny, row % ny
        middle = block[z, y]
        top[:] = 0
        bottom[:] = 0
        for dz in range(-rz, rz + 1):
            for dy in range(-ry, ry + 1):
                source = block[min(max(z + dz, 0), nz - 1), min(max(y + dy, 0), ny - 1)]
                line[rx : rx + nx] = source
                line[:rx] = source[0]
                line[rx + nx :] = source[nx - 1]
                for dx in range(2 * rx + 1):
                    near = weights[dz + rz, dy + ry, dx]
                    shifted = line[dx : dx + nx]
                    for x in range(nx):
                        value = shifted[x]
                        apart = value - middle[x]
                        u = apart * apart * scale
                        u = u if u < one else one
                        w = one - u * (one - u * (half - u * (sixth - u * rest)))
                        w *= w
                        w *= w
                        w *= w
                        w *= w
                        w *= near
                        top[x] += w * apart
                        bottom[x] += w
        result = out[z, y]
        for x in range(nx):
            result[x] = middle[x] + top[x] / bottom[x]
