"""Diffusion that stops at edges, and motion by curvature: explicit steps, one sweep over the volume each.

References
----------
Perona, Malik. Scale-space and edge detection using anisotropic diffusion. IEEE Trans. PAMI 12 (1990) 629-639.
Gerig, Kubler, Kikinis, Jolesz. Nonlinear anisotropic filtering of MRI data. IEEE Trans. Med. Imaging 11 (1992) 221-232.
Alvarez, Guichard, Lions, Morel. Axioms and fundamental equations of image processing. Arch. Rational Mech. Anal. 123
(1993) 199-257.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.finite import three_axes
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["curvature_motion", "perona_malik"]


def perona_malik(
    array: npt.NDArray[Any],
    contrast: float,
    iterations: int,
    step: float,
    exponential: bool = False,
    steps: Sequence[float] | None = None,
    threads: int = 1,
) -> npt.NDArray[Any]:
    """Return an array after diffusion between neighbours whose difference is small beside `contrast`.

    Parameters
    ----------
    array
        float32 or float64, one to three axes; nothing flows over the edge.
    contrast
        Slope, in values per unit of length, at which conductance falls to 1/2 (rational) or 1/e (exponential).
    iterations
        Number of explicit steps.
    step
        Time of each, in squared units of length; at most 1 / (2 sum 1 / h^2) keeps extremes.
    exponential
        Conductance exp(-(g / contrast)^2) instead of 1 / (1 + (g / contrast)^2).
    steps
        Distance h of neighbours along every axis, in units of length; None takes 1.
    threads
        Threads to use; the result does not depend on it.
    """
    first = kernel_input(three_axes(array))
    sizes = (1.0,) * (3 - array.ndim) + tuple(steps if steps is not None else (1.0,) * array.ndim)
    kind = first.dtype
    rates = np.array([step / h**2 for h in sizes], kind)
    slopes = np.array([1.0 / (h * contrast) ** 2 / (16.0 if exponential else 1.0) for h in sizes], kind)
    constants = np.array([1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0], kind)
    kernel = _exponential_rows if exponential else _rational_rows
    return _repeat(kernel, first, iterations, threads, rates, slopes, constants).reshape(array.shape)


def curvature_motion(
    array: npt.NDArray[Any],
    iterations: int,
    step: float,
    steps: Sequence[float] | None = None,
    flat: float = 1e-6,
    threads: int = 1,
) -> npt.NDArray[Any]:
    """Return an array whose level sets have moved by their mean curvature: bumps go, straight edges stay.

    Parameters
    ----------
    array, iterations, step, steps, threads
        As of `perona_malik`.
    flat
        Squared slope below which there is no direction to speak of.
    """
    first = kernel_input(three_axes(array))
    sizes = (1.0,) * (3 - array.ndim) + tuple(steps if steps is not None else (1.0,) * array.ndim)
    inverse = np.array([1.0 / h for h in sizes], first.dtype)
    kind = first.dtype.type
    return _repeat(_curvature_rows, first, iterations, threads, inverse, kind(step), kind(flat)).reshape(array.shape)


def _repeat(kernel: Any, source: npt.NDArray[Any], iterations: int, threads: int, *arguments: Any) -> npt.NDArray[Any]:
    """Run a kernel back and forth between two volumes; the input is never written to."""
    volumes = [np.empty(source.shape, source.dtype) for _ in range(min(2, iterations))]
    rows = source.shape[0] * source.shape[1]
    for k in range(iterations):
        target = volumes[k % 2]
        run_rows(kernel, rows, threads, source, *arguments, target)
        source = kernel_input(target)
    return volumes[(iterations - 1) % 2] if iterations else source.copy()


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _rational_rows(
    first: int, last: int, source: Any, rates: Any, slopes: Any, constants: Any, target: Any
) -> None:  # pragma: no cover - compiled
    nz, ny, nx = source.shape
    one = constants[0]
    line = np.empty(nx + 2, source.dtype)
    for row in range(first, last):
        z, y = row // ny, row % ny
        line[1 : nx + 1] = source[z, y]
        line[0], line[nx + 1] = line[1], line[nx]
        west, middle, east = line[:nx], line[1 : nx + 1], line[2:]
        up, down = source[max(z - 1, 0), y], source[min(z + 1, nz - 1), y]
        north, south = source[z, max(y - 1, 0)], source[z, min(y + 1, ny - 1)]
        result = target[z, y]
        for x in range(nx):
            value = middle[x]
            # The two flows of an axis over one denominator: a division is the dearest of what happens here.
            a, b = up[x] - value, down[x] - value
            p, q = one + a * a * slopes[0], one + b * b * slopes[0]
            flow = rates[0] * (a * q + b * p) / (p * q)
            a, b = north[x] - value, south[x] - value
            p, q = one + a * a * slopes[1], one + b * b * slopes[1]
            flow += rates[1] * (a * q + b * p) / (p * q)
            a, b = west[x] - value, east[x] - value
            p, q = one + a * a * slopes[2], one + b * b * slopes[2]
            flow += rates[2] * (a * q + b * p) / (p * q)
            result[x] = value + flow


@numba.njit(inline="always")
def _conducted(apart: Any, slope: Any, c: Any) -> Any:  # pragma: no cover - compiled
    """Return a difference times exp(-16 t), t the scaled square, by a polynomial and four squarings."""
    u = apart * apart * slope
    u = u if u < c[0] else c[0]
    w = c[0] - u * (c[0] - u * (c[1] - u * (c[2] - u * c[3])))
    w *= w
    w *= w
    w *= w
    w *= w
    return w * apart


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _exponential_rows(
    first: int, last: int, source: Any, rates: Any, slopes: Any, constants: Any, target: Any
) -> None:  # pragma: no cover - compiled
    nz, ny, nx = source.shape
    line = np.empty(nx + 2, source.dtype)
    for row in range(first, last):
        z, y = row // ny, row % ny
        line[1 : nx + 1] = source[z, y]
        line[0], line[nx + 1] = line[1], line[nx]
        west, middle, east = line[:nx], line[1 : nx + 1], line[2:]
        up, down = source[max(z - 1, 0), y], source[min(z + 1, nz - 1), y]
        north, south = source[z, max(y - 1, 0)], source[z, min(y + 1, ny - 1)]
        result = target[z, y]
        for x in range(nx):
            value = middle[x]
            flow = rates[0] * (
                _conducted(up[x] - value, slopes[0], constants) + _conducted(down[x] - value, slopes[0], constants)
            )
            flow += rates[1] * (
                _conducted(north[x] - value, slopes[1], constants) + _conducted(south[x] - value, slopes[1], constants)
            )
            flow += rates[2] * (
                _conducted(west[x] - value, slopes[2], constants) + _conducted(east[x] - value, slopes[2], constants)
            )
            result[x] = value + flow


@numba.njit(cache=True, nogil=True)
def _extended(source: Any, z: int, y: int, line: Any) -> None:  # pragma: no cover - compiled
    nz, ny, nx = source.shape
    row = source[min(max(z, 0), nz - 1), min(max(y, 0), ny - 1)]
    line[1 : nx + 1] = row
    line[0], line[nx + 1] = row[0], row[nx - 1]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _curvature_rows(
    first: int, last: int, source: Any, inverse: Any, step: Any, flat: Any, target: Any
) -> None:  # pragma: no cover - compiled
    ny, nx = source.shape[1], source.shape[2]
    lines = np.empty((3, 3, nx + 2), source.dtype)
    iz, iy, ix = inverse[0], inverse[1], inverse[2]
    half, quarter = source.dtype.type(0.5), source.dtype.type(0.25)
    for row in range(first, last):
        z, y = row // ny, row % ny
        for dz in range(3):
            for dy in range(3):
                _extended(source, z + dz - 1, y + dy - 1, lines[dz, dy])
        here = lines[1, 1]
        result = target[z, y]
        for k in range(nx):
            x = k + 1
            value = here[x]
            gz, gy, gx = (
                (lines[2, 1, x] - lines[0, 1, x]) * half * iz,
                (lines[1, 2, x] - lines[1, 0, x]) * half * iy,
                (here[x + 1] - here[x - 1]) * half * ix,
            )
            twice = value + value
            zz = (lines[2, 1, x] + lines[0, 1, x] - twice) * iz * iz
            yy = (lines[1, 2, x] + lines[1, 0, x] - twice) * iy * iy
            xx = (here[x + 1] + here[x - 1] - twice) * ix * ix
            zy = (lines[2, 2, x] - lines[2, 0, x] - lines[0, 2, x] + lines[0, 0, x]) * quarter * iz * iy
            zx = (lines[2, 1, x + 1] - lines[2, 1, x - 1] - lines[0, 1, x + 1] + lines[0, 1, x - 1]) * quarter * iz * ix
            yx = (lines[1, 2, x + 1] - lines[1, 2, x - 1] - lines[1, 0, x + 1] + lines[1, 0, x - 1]) * quarter * iy * ix
            z2, y2, x2 = gz * gz, gy * gy, gx * gx
            mixed = gz * gy * zy + gz * gx * zx + gy * gx * yx
            moved = xx * (z2 + y2) + yy * (z2 + x2) + zz * (y2 + x2) - mixed - mixed
            result[k] = value + step * moved / (z2 + y2 + x2 + flat)
