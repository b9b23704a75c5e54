"""Total variation denoising: the image nearest to the noisy one whose gradient has a small sum.

Chambolle's fixed point on the dual field, one component per axis, in two sweeps an iteration.

References
----------
Rudin, Osher, Fatemi. Nonlinear total variation based noise removal algorithms. Physica D 60 (1992) 259-268.
Chambolle. An algorithm for total variation minimization and applications. J. Math. Imaging Vis. 20 (2004) 89-97.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.finite import three_axes
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["total_variation_filter"]


def total_variation_filter(
    array: npt.NDArray[Any], weight: float, iterations: int, steps: Sequence[float] | None = None, threads: int = 1
) -> npt.NDArray[Any]:
    """Return the minimiser of ``|u - array|^2 / (2 weight) + TV(u)`` as far as it is reached.

    Parameters
    ----------
    array
        float32 or float64, one to three axes.
    weight
        In the unit of the array times a length; more than 0.
    iterations
        Number of steps; a sample depends on those up to as many samples away.
    steps
        Distance of neighbours along every axis in units of length; None takes 1.
    threads
        Threads to use; the result does not depend on it.
    """
    block = kernel_input(three_axes(array))
    lead = 3 - array.ndim
    sizes = tuple(steps if steps is not None else (1.0,) * array.ndim)
    inverse = np.array([0.0] * lead + [1.0 / h for h in sizes], block.dtype)
    step = 1.0 / (2.0 * float((inverse.astype(np.float64) ** 2).sum()))
    kind = block.dtype.type
    dual = np.zeros((3, *block.shape), block.dtype)
    out = block.copy()
    rows = block.shape[0] * block.shape[1]
    for k in range(iterations):
        if k:
            run_rows(_primal_rows, rows, threads, block, dual, inverse, out)
        run_rows(_dual_rows, rows, threads, kernel_input(out), inverse, kind(step), kind(step / weight), dual)
    if iterations:
        run_rows(_primal_rows, rows, threads, block, dual, inverse, out)
    return out.reshape(array.shape)


@numba.njit(cache=True, nogil=True)
def _primal_rows(first: int, last: int, block: Any, dual: Any, inverse: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Take the divergence of the dual field off the image."""
    ny, nx = block.shape[1], block.shape[2]
    for row in range(first, last):
        z, y = row // ny, row % ny
        result, values = out[z, y], block[z, y]
        dz, dy, dx = dual[0, z, y], dual[1, z, y], dual[2, z, y]
        for x in range(nx):
            result[x] = values[x] - inverse[0] * dz[x] - inverse[1] * dy[x] - inverse[2] * dx[x]
        if z > 0:
            above = dual[0, z - 1, y]
            for x in range(nx):
                result[x] += inverse[0] * above[x]
        if y > 0:
            before = dual[1, z, y - 1]
            for x in range(nx):
                result[x] += inverse[1] * before[x]
        inner, left = result[1:], dx[: nx - 1]
        for x in range(nx - 1):
            inner[x] += inverse[2] * left[x]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _dual_rows(
    first: int, last: int, image: Any, inverse: Any, step: Any, pull: Any, dual: Any
) -> None:  # pragma: no cover - compiled
    """Move the dual field along the gradient and pull it back to length one."""
    nz, ny, nx = image.shape
    one = image.dtype.type(1.0)
    line = np.empty(nx + 1, image.dtype)
    for row in range(first, last):
        z, y = row // ny, row % ny
        line[:nx] = image[z, y]
        line[nx] = line[nx - 1]
        middle, east = line[:nx], line[1:]
        south, down = image[z, min(y + 1, ny - 1)], image[min(z + 1, nz - 1), y]
        dz, dy, dx = dual[0, z, y], dual[1, z, y], dual[2, z, y]
        for x in range(nx):
            value = middle[x]
            gz, gy, gx = (down[x] - value) * inverse[0], (south[x] - value) * inverse[1], (east[x] - value) * inverse[2]
            scale = one / (one + pull * np.sqrt(gz * gz + gy * gy + gx * gx))
            dz[x] = (dz[x] - step * gz) * scale
            dy[x] = (dy[x] - step * gy) * scale
            dx[x] = (dx[x] - step * gx) * scale
