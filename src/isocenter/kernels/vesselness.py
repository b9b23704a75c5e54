"""Tubes at a scale: from the eigenvalues of the second derivatives.

References
----------
Frangi, Niessen, Vincken, Viergever. Multiscale vessel enhancement filtering. MICCAI (1998) 130-137.
Sato et al. Three-dimensional multi-scale line filter. Medical Image Analysis 2 (1998) 143-168.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.finite import three_axes
from isocenter.kernels.smooth import gaussian
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["tubeness"]

Array = npt.NDArray[Any]


def tubeness(
    array: Array,
    spacing: Sequence[float],
    sigma: float,
    *,
    sato: bool = False,
    bright: bool = True,
    alpha: float = 0.5,
    beta: float = 0.5,
    gamma: float | None = None,
    threads: int = 1,
) -> Array:
    """Return how much every sample looks like part of a tube about `sigma` mm wide.

    Parameters
    ----------
    array
        float32 or float64, two or three axes.
    spacing
        mm along every axis.
    sigma
        Standard deviation of the Gaussian that the derivatives are taken of, mm.
    sato
        Sato's line measure, in the unit of the array, instead of Frangi's, 0 to 1.
    bright
        Tubes brighter than their surroundings, else darker ones.
    alpha, beta
        Frangi's sensitivity to plates and to blobs.
    gamma
        Strength of second derivatives that counts as structure; None takes half the largest.
    threads
        Threads to use; the result does not depend on it.
    """
    smooth = gaussian(array, [sigma / s if n > 1 else 0.0 for s, n in zip(spacing, array.shape, strict=True)], 4.0, threads)
    block = kernel_input(three_axes(smooth))
    # Times sigma^2, so that responses of different scales compare.
    scale = np.array([0.0] * (3 - array.ndim) + [sigma / s if n > 1 else 0.0 for s, n in zip(spacing, array.shape, strict=True)])
    rows = block.shape[0] * block.shape[1]
    flat = array.ndim == 2
    limit = 0.0
    if not sato:
        largest = np.zeros(rows)
        if gamma is None:
            run_rows(_strength_rows, rows, threads, block, scale.astype(block.dtype), largest)
            limit = 0.5 * float(largest.max(initial=0.0))
        else:
            limit = gamma
        if limit <= 0.0:
            return np.zeros_like(smooth)
    shape = np.array([0.5 / alpha**2, 0.5 / beta**2, 0.5 / limit**2 if limit else 0.0, 1.0 if bright else -1.0])
    out = np.empty(block.shape, block.dtype)
    run_rows(_tube_rows, rows, threads, block, scale.astype(block.dtype), shape.astype(block.dtype), flat, sato, out)
    return out.reshape(array.shape)


@numba.njit(inline="always")
def _hessian(block: Any, z: int, y: int, x: int, s: Any) -> Any:  # pragma: no cover - compiled
    nz, ny, nx = block.shape
    z0, z1, y0, y1, x0, x1 = (
        max(z - 1, 0),
        min(z + 1, nz - 1),
        max(y - 1, 0),
        min(y + 1, ny - 1),
        max(x - 1, 0),
        min(x + 1, nx - 1),
    )
    twice = block[z, y, x] + block[z, y, x]
    quarter = block.dtype.type(0.25)
    zz = (block[z1, y, x] + block[z0, y, x] - twice) * s[0] * s[0]
    yy = (block[z, y1, x] + block[z, y0, x] - twice) * s[1] * s[1]
    xx = (block[z, y, x1] + block[z, y, x0] - twice) * s[2] * s[2]
    zy = (block[z1, y1, x] - block[z1, y0, x] - block[z0, y1, x] + block[z0, y0, x]) * quarter * s[0] * s[1]
    zx = (block[z1, y, x1] - block[z1, y, x0] - block[z0, y, x1] + block[z0, y, x0]) * quarter * s[0] * s[2]
    yx = (block[z, y1, x1] - block[z, y1, x0] - block[z, y0, x1] + block[z, y0, x0]) * quarter * s[1] * s[2]
    return zz, yy, xx, zy, zx, yx


@numba.njit(cache=True, nogil=True)
def _strength_rows(first: int, last: int, block: Any, s: Any, largest: Any) -> None:  # pragma: no cover - compiled
    ny, nx = block.shape[1], block.shape[2]
    for row in range(first, last):
        best = 0.0
        for x in range(nx):
            zz, yy, xx, zy, zx, yx = _hessian(block, row // ny, row % ny, x, s)
            mixed = zy * zy + zx * zx + yx * yx
            best = max(best, zz * zz + yy * yy + xx * xx + mixed + mixed)
        largest[row] = np.sqrt(best)


@numba.njit(inline="always")
def _eigenvalues(zz: Any, yy: Any, xx: Any, zy: Any, zx: Any, yx: Any) -> Any:  # pragma: no cover - compiled
    """Return the eigenvalues of a symmetric matrix, the largest first (in double precision: they cancel)."""
    mean = (np.float64(zz) + yy + xx) / 3.0
    a, b, c = zz - mean, yy - mean, xx - mean
    p = np.sqrt((a * a + b * b + c * c + 2.0 * (np.float64(zy) * zy + np.float64(zx) * zx + np.float64(yx) * yx)) / 6.0)
    if p <= 1e-30:
        return mean, mean, mean
    det = a * (b * c - np.float64(yx) * yx) - zy * (zy * c - np.float64(yx) * zx) + zx * (np.float64(zy) * yx - b * zx)
    r = det / (2.0 * p * p * p)
    angle = np.arccos(min(max(r, -1.0), 1.0)) / 3.0
    one = mean + 2.0 * p * np.cos(angle)
    three = mean + 2.0 * p * np.cos(angle + 2.0943951023931953)
    return one, 3.0 * mean - one - three, three


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _tube_rows(
    first: int, last: int, block: Any, s: Any, shape: Any, flat: bool, sato: bool, out: Any
) -> None:  # pragma: no cover - compiled
    ny, nx = block.shape[1], block.shape[2]
    plate, blob, noise, sign = np.float64(shape[0]), np.float64(shape[1]), np.float64(shape[2]), np.float64(shape[3])
    for row in range(first, last):
        z, y = row // ny, row % ny
        for x in range(nx):
            zz, yy, xx, zy, zx, yx = _hessian(block, z, y, x, s)
            out[z, y, x] = 0
            if sign * (np.float64(zz) + yy + xx) >= 0.0:  # a tube bends downwards in sum
                continue
            if flat:
                half = (np.float64(yy) + xx) / 2.0
                root = np.sqrt(((np.float64(yy) - xx) / 2.0) ** 2 + np.float64(yx) * yx)
                one, two, three = 0.0, half + root, half - root
            else:
                one, two, three = _eigenvalues(zz, yy, xx, zy, zx, yx)
            one, two, three = sign * one, sign * two, sign * three
            if sato:
                if flat:
                    out[z, y, x] = max(0.0, -min(two, three))
                else:
                    low, middle = min(one, three), one + two + three - min(one, three) - max(one, three)
                    out[z, y, x] = np.sqrt(low * middle) if middle < 0.0 else 0.0
                continue
            # By magnitude, the smallest first.
            if abs(one) > abs(two):
                one, two = two, one
            if abs(two) > abs(three):
                two, three = three, two
            if abs(one) > abs(two):
                one, two = two, one
            if three >= 0.0 or (two >= 0.0 and not flat):
                continue
            strength = 1.0 - np.exp(-(one * one + two * two + three * three) * noise)
            if flat:
                ratio = two / three
                out[z, y, x] = np.exp(-ratio * ratio * blob) * strength
            else:
                sheet, ball = two / three, one * one / (two * three)
                out[z, y, x] = (1.0 - np.exp(-sheet * sheet * plate)) * np.exp(-ball * blob) * strength
