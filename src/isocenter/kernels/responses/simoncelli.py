"""Simoncelli wavelets: a band of spatial frequencies that is the same in every direction.

References
----------
IBSI 2 reference manual (arXiv:2006.05470), section 3.7 (LODD, PRT7). Portilla and Simoncelli, Int. J. Computer Vision
40 (2000) 49-71.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from isocenter.kernels.responses.boundary import Boundary, padded

__all__ = ["band", "margins", "simoncelli", "transfer"]

Array = npt.NDArray[Any]


def band(frequency: npt.NDArray[np.float64], level: int) -> npt.NDArray[np.float64]:
    """Return the transfer function at radial frequencies, where 1 is the highest that an axis holds.

    Level 1 passes (1/4, 1) with its peak at 1/2, and each further level half of the frequencies before.
    """
    scaled = frequency * 2.0 ** (level - 1)
    inside = (scaled > 0.25) & (scaled < 1.0)
    return np.where(inside, np.cos(0.5 * np.pi * np.log2(2.0 * np.where(inside, scaled, 0.5))), 0.0)


def transfer(shape: Sequence[int], level: int) -> npt.NDArray[np.float64]:
    """Return the transfer function on the half spectrum of `scipy.fft.rfftn`.

    Notes
    -----
    The IBSI's reference maps place the n frequencies of an axis evenly from the lowest to the highest, both included,
    so that zero lies between two samples where n is even, and keep the real part. Taking the real part is averaging
    the function over k and -k, which is what is returned; for odd n it is the plain function.
    """
    both = []
    for sign in (1, -1):
        radius = np.zeros(tuple(shape[:-1]) + (shape[-1] // 2 + 1,))
        for axis, n in enumerate(shape):
            index = np.fft.ifftshift(np.arange(n))  # place on the even axis of each bin of the FFT
            place = (index - (n - 1) / 2.0) / max((n - 1) / 2.0, 0.5)
            if sign < 0:
                place = place[-np.arange(n) % n]
            if axis == len(shape) - 1:
                place = place[: n // 2 + 1]
            radius += (place**2).reshape([-1 if k == axis else 1 for k in range(len(shape))])
        both.append(band(np.sqrt(radius), level))
    result: npt.NDArray[np.float64] = 0.5 * (both[0] + both[1])
    return result


def margins(shape: Sequence[int], level: int, boundary: Boundary) -> list[tuple[int, int]]:
    """Return how far an image is continued beyond its edges before it is taken to the frequencies.

    The continued sides are odd, so that frequency 0 is one of the samples and the filter the same in every direction.
    """
    if boundary == "periodic":
        return [(0, 0)] * len(shape)
    wanted = 32 * 2 ** (level - 1)
    return [(min(n, wanted), min(n, wanted) + 1 - n % 2) for n in shape]


def simoncelli(array: Array, level: int, axes: Sequence[int], *, boundary: Boundary = "mirror") -> Array:
    """Return the response to the band of a level.

    Parameters
    ----------
    array
        Float samples.
    level
        1 is the finest.
    axes
        The filtered axes; others are looped over.
    boundary
        Beyond the edges. The filter has no compact support: the image is continued by 32 samples (64, 128 ... at
        the next levels), at most by its own size, on each side.
    """
    used = sorted(axes)
    stack = np.moveaxis(array, used, range(-len(used), 0))
    shape = stack.shape
    stack = stack.reshape(-1, *shape[array.ndim - len(used) :])
    widths = margins(stack.shape[1:], level, boundary)
    sizes = [n + a + b for n, (a, b) in zip(stack.shape[1:], widths, strict=True)]
    spectrum = transfer(sizes, level).astype(array.dtype)
    inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, stack.shape[1:], strict=True))
    out = np.empty(stack.shape, array.dtype)
    for k in range(len(stack)):
        wave = fft.rfftn(padded(stack[k], widths, boundary))
        wave *= spectrum
        out[k] = fft.irfftn(wave, s=sizes)[inside]
    return np.ascontiguousarray(np.moveaxis(out.reshape(shape), range(-len(used), 0), used))
