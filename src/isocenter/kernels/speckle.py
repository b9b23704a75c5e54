"""Speckle-reducing anisotropic diffusion: smooths where the local variation is no more than fully developed speckle has.

References
----------
Yu, Acton. Speckle reducing anisotropic diffusion. IEEE Trans. Image Process. 11 (2002) 1260-1270.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.finite import three_axes
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["speckle_diffusion", "speckle_variation"]

#: Step in time; stable up to 1 / (2 n) in n dimensions.
_STEP = 0.15
#: How fast the speckle that is left falls.
_DECAY = 1.0 / 6.0


def speckle_variation(array: npt.NDArray[Any]) -> float:
    """Return the coefficient of variation that the evener blocks of an image have."""
    sizes = [min(n, 7) for n in array.shape]
    cut = tuple(slice(0, n // s * s) for n, s in zip(array.shape, sizes, strict=True))
    split = [v for n, s in zip(array.shape, sizes, strict=True) for v in (n // s, s)]
    order = [*range(0, 2 * len(sizes), 2), *range(1, 2 * len(sizes), 2)]
    blocks = array[cut].reshape(split).transpose(order).reshape(-1, int(np.prod(sizes))).astype(np.float64)
    means = blocks.mean(axis=1)
    seen = means > 0.05 * float(means.max(initial=0.0))
    ratios = blocks[seen].std(axis=1) / means[seen]
    ratios = ratios[ratios > 0]
    return float(np.quantile(ratios, 0.3)) if ratios.size else 0.0


def speckle_diffusion(array: npt.NDArray[Any], variation: float, iterations: int, threads: int = 1) -> npt.NDArray[Any]:
    """Return an array of positive values after speckle-reducing diffusion.

    Parameters
    ----------
    array
        float32 or float64, one to three axes, no value below 0.
    variation
        Coefficient of variation of the speckle at the start.
    iterations
        Number of explicit steps; a sample depends on those up to twice as many samples away.
    threads
        Threads to use; the result does not depend on it.
    """
    image = three_axes(array).copy()
    count = sum(n > 1 for n in image.shape)
    if not count:
        return image.reshape(array.shape)
    conductance = np.empty_like(image)
    rows = image.shape[0] * image.shape[1]
    kind = image.dtype.type
    other = np.empty_like(image)
    for k in range(iterations):
        squared = (variation * np.exp(-_DECAY * _STEP * k)) ** 2
        shape = np.array([squared, 1.0 / max(squared * (1.0 + squared), 1e-12), 1.0 / count, 0.25 / count**2, 0.5 / count])
        run_rows(_conductance_rows, rows, threads, kernel_input(image), shape.astype(image.dtype), conductance)
        step = kind(_STEP if count < 3 else _STEP * 2 / 3)
        run_rows(_flow_rows, rows, threads, kernel_input(image), kernel_input(conductance), step, other)
        image, other = other, image
    return image.reshape(array.shape)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _conductance_rows(first: int, last: int, image: Any, shape: Any, out: Any) -> None:  # pragma: no cover - compiled
    nz, ny, nx = image.shape
    zero, one = image.dtype.type(0.0), image.dtype.type(1.0)
    tiny = image.dtype.type(1e-30)
    squared, spread, first_part, second_part, third_part = shape[0], shape[1], shape[2], shape[3], shape[4]
    line = np.empty(nx + 2, image.dtype)
    for row in range(first, last):
        z, y = row // ny, row % ny
        line[1 : nx + 1] = image[z, y]
        line[0], line[nx + 1] = line[1], line[nx]
        west, middle, east = line[:nx], line[1 : nx + 1], line[2:]
        up, down = image[max(z - 1, 0), y], image[min(z + 1, nz - 1), y]
        north, south = image[z, max(y - 1, 0)], image[z, min(y + 1, ny - 1)]
        result = out[z, y]
        for x in range(nx):
            value = middle[x] + tiny
            a, b, c = up[x] - value, down[x] - value, north[x] - value
            d, e, f = south[x] - value, west[x] - value, east[x] - value
            slope = (a * a + b * b + c * c + d * d + e * e + f * f) / (value * value)
            bend = (a + b + c + d + e + f) / value
            # The instantaneous coefficient of variation; in two dimensions the form of the paper.
            top = first_part * slope - second_part * bend * bend
            bottom = one + third_part * bend
            variation = top / (bottom * bottom + tiny)
            beyond = (variation - squared) * spread
            conducted = one / (one + (beyond if beyond > zero else zero))
            result[x] = conducted


@numba.njit(cache=True, nogil=True)
def _flow_rows(first: int, last: int, image: Any, conductance: Any, step: Any, out: Any) -> None:  # pragma: no cover - compiled
    nz, ny, nx = image.shape
    half = image.dtype.type(0.5)
    line, ways = np.empty(nx + 2, image.dtype), np.empty(nx + 2, image.dtype)
    for row in range(first, last):
        z, y = row // ny, row % ny
        line[1 : nx + 1] = image[z, y]
        ways[1 : nx + 1] = conductance[z, y]
        line[0], line[nx + 1], ways[0], ways[nx + 1] = line[1], line[nx], ways[1], ways[nx]
        west, middle, east, cw, cm, ce = line[:nx], line[1 : nx + 1], line[2:], ways[:nx], ways[1 : nx + 1], ways[2:]
        z0, z1, y0, y1 = max(z - 1, 0), min(z + 1, nz - 1), max(y - 1, 0), min(y + 1, ny - 1)
        up, down, north, south = image[z0, y], image[z1, y], image[z, y0], image[z, y1]
        cu, cd, cn, cs = conductance[z0, y], conductance[z1, y], conductance[z, y0], conductance[z, y1]
        result = out[z, y]
        for x in range(nx):
            value, own = middle[x], cm[x]
            flow = (cu[x] + own) * (up[x] - value) + (cd[x] + own) * (down[x] - value)
            flow += (cn[x] + own) * (north[x] - value) + (cs[x] + own) * (south[x] - value)
            flow += (cw[x] + own) * (west[x] - value) + (ce[x] + own) * (east[x] - value)
            result[x] = value + step * half * flow
