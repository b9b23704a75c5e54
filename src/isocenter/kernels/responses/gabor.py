"""Gabor filters: waves of one length and direction under a Gaussian, plane by plane.

References
----------
IBSI 2 reference manual (arXiv:2006.05470), section 3.5 (Q88H). Gabor, J. Inst. Electr. Eng. 93 (1946) 429-457.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from isocenter.kernels.responses.boundary import Boundary, padded
from isocenter.kernels.responses.separable import Pooling
from isocenter.kernels.threads import run_rows

__all__ = ["gabor", "gabor_kernel", "orientations"]

Array = npt.NDArray[Any]


def orientations(theta: float, step: float | None) -> list[tuple[float, int]]:
    """Return the directions in degrees with how often each counts.

    Parameters
    ----------
    theta
        First direction in degrees.
    step
        Degrees between directions over the full turn; None takes `theta` alone.

    Notes
    -----
    Half a turn apart the modulus is the same, so such pairs are one entry that counts twice.
    """
    if step is None:
        return [(theta, 1)]
    found: dict[float, int] = {}
    for k in range(math.ceil(360.0 / step - 1e-9)):
        angle = round((theta + k * step) % 180.0, 9) % 180.0
        found[angle] = found.get(angle, 0) + 1
    return sorted(found.items())


def gabor_kernel(
    spacing: tuple[float, float], sigma: float, wavelength: float, gamma: float, theta: float, truncate: float
) -> npt.NDArray[np.complex128]:
    """Return the sampled kernel, rows first; 1 at its middle.

    Parameters
    ----------
    spacing
        mm per row and per column.
    sigma, wavelength
        Width of the Gaussian along the wave, and length of the wave, in mm.
    gamma
        Aspect: the Gaussian is `sigma` / `gamma` wide across the wave.
    theta
        Direction of the wave in degrees, from the columns' axis (x) towards the rows' axis (y).
    truncate
        The kernel covers this many standard deviations in every direction.
    """
    turn = math.radians(theta)
    cos, sin = math.cos(turn), math.sin(turn)
    along, across = truncate * sigma, truncate * sigma / gamma
    height = math.ceil(math.hypot(along * sin, across * cos) / spacing[0])
    width = math.ceil(math.hypot(along * cos, across * sin) / spacing[1])
    y = np.arange(-height, height + 1)[:, None] * spacing[0]
    x = np.arange(-width, width + 1)[None, :] * spacing[1]
    first, second = x * cos + y * sin, y * cos - x * sin
    result: npt.NDArray[np.complex128] = np.exp(
        -(first**2 + (gamma * second) ** 2) / (2.0 * sigma**2) + 2j * math.pi * first / wavelength
    )
    return result


def gabor(
    array: Array,
    spacing: Sequence[float],
    *,
    sigma: float,
    wavelength: float,
    gamma: float = 1.0,
    theta: float = 0.0,
    step: float | None = None,
    pooling: Pooling = "mean",
    planes: Sequence[tuple[int, int]] = ((-2, -1),),
    truncate: float = 6.0,
    boundary: Boundary = "mirror",
    threads: int = 1,
) -> Array:
    """Return the modulus of the response to a Gabor filter.

    Parameters
    ----------
    array
        Float samples.
    spacing
        mm per sample along every axis.
    sigma, wavelength, gamma, theta, truncate
        As of `gabor_kernel`.
    step
        Degrees between the directions that are pooled; None takes `theta` alone.
    pooling
        How directions and planes are brought together.
    planes
        The planes it acts in, as (row axis, column axis); each volume is filtered plane by plane.
    boundary
        Beyond the edges.
    threads
        Threads to use; the result does not depend on it.
    """
    axes = [(r % array.ndim, c % array.ndim) for r, c in planes]
    unit = min(spacing[a] for plane in axes for a in plane)
    directions = orientations(theta, step)
    result: Array | None = None
    for rows, columns in axes:
        pixel = (spacing[rows], spacing[columns])
        kernels = [(gabor_kernel(pixel, sigma, wavelength, gamma, t, truncate), n) for t, n in directions]
        weight = pixel[0] * pixel[1] / unit**2
        part = _in_plane(array, (rows, columns), [(k * weight, n) for k, n in kernels], boundary, pooling, threads)
        result = part if result is None else _joined(result, part, pooling)
    assert result is not None  # there is at least one plane
    if pooling == "mean":
        result /= result.dtype.type(len(axes) * sum(n for _, n in directions))
    return result


def _joined(one: Array, two: Array, pooling: Pooling) -> Array:
    if pooling == "mean":
        one += two
        return one
    joined: Array = (np.maximum if pooling == "max" else np.minimum)(one, two)
    return joined


def _in_plane(
    array: Array, plane: tuple[int, int], kernels: list[tuple[Array, int]], boundary: Boundary, pooling: Pooling, threads: int
) -> Array:
    stack = np.moveaxis(array, plane, (-2, -1))
    shape = stack.shape
    stack = stack.reshape(-1, *shape[-2:])
    reach = [max(k.shape[a] for k, _ in kernels) // 2 for a in (0, 1)]
    sizes = [fft.next_fast_len(n + 2 * r) for n, r in zip(shape[-2:], reach, strict=True)]
    spectra = []
    for kernel, count in kernels:
        whole = np.zeros(sizes, np.complex128)
        whole[: kernel.shape[0], : kernel.shape[1]] = kernel
        whole = np.roll(whole, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), (0, 1))
        spectra.append((fft.fft2(whole).astype(np.result_type(array.dtype, np.complex64)), count))
    out = np.empty(stack.shape, array.dtype)
    widths = [(r, r) for r in reach]
    inside = tuple(slice(r, r + n) for r, n in zip(reach, shape[-2:], strict=True))

    def some(first: int, last: int) -> None:
        for k in range(first, last):
            spectrum = fft.fft2(padded(stack[k], widths, boundary), s=sizes)
            total: Array | None = None
            for other, count in spectra:
                response = np.abs(fft.ifft2(spectrum * other)[inside])
                if pooling == "mean":
                    response *= response.dtype.type(count)
                total = response if total is None else _joined(total, response, pooling)
            out[k] = total

    run_rows(some, len(stack), threads)
    return np.ascontiguousarray(np.moveaxis(out.reshape(shape), (-2, -1), plane))
