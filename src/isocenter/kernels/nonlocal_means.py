"""Non-local means: averages samples whose surroundings look alike, exactly as defined.

For one shift at a time the squared differences of two rows are summed over the patch by a ring of rows, so each costs as
many additions as a patch has sides, not samples; no volume of distances is stored.

References
----------
Buades, Coll, Morel. A non-local algorithm for image denoising. CVPR (2005) 60-65.
Manjon et al. Adaptive non-local means denoising of MR images with spatially varying noise levels. JMRI 31 (2010) 192-203.
Wiest-Daessle et al. Rician noise removal by non-local means filtering. MICCAI (2008) 171-179.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.finite import three_axes
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["nonlocal_means_filter"]

#: Rows that are worked on together: what they gather stays in the cache.
_BAND = 24


def nonlocal_means_filter(
    array: npt.NDArray[Any],
    patch: Sequence[int],
    search: Sequence[int],
    strength: float,
    sigma: float,
    squares: bool = False,
    threads: int = 1,
) -> npt.NDArray[Any]:
    """Return the weighted mean of the samples in the search box; edges are extended by the nearest sample.

    A sample at distance s weighs ``exp(-max(d - 2 sigma^2, 0) / strength^2)`` with d the mean squared difference of the two
    patches; the sample itself weighs 1.

    Parameters
    ----------
    array
        float32 or float64, one to three axes.
    patch, search
        Half widths in samples, one per axis.
    strength
        Difference of patches that weighs 1/e, in the unit of the array; more than 0.
    sigma
        Standard deviation of the noise.
    squares
        Average the squares of the samples, and return that: the magnitude's bias can be taken off it.
    threads
        Threads to use; the result does not depend on it.
    """
    block = three_axes(array)
    lead = (0,) * (3 - array.ndim)
    # Along an axis of one sample every shift finds the same: it would only count twice.
    sizes = block.shape
    half = [p if n > 1 else 0 for p, n in zip(lead + tuple(int(p) for p in patch), sizes, strict=True)]
    reach = [s if n > 1 else 0 for s, n in zip(lead + tuple(int(s) for s in search), sizes, strict=True)]
    margin = [(p + s, p + s) for p, s in zip(half, reach, strict=True)]
    padded = kernel_input(np.pad(block, margin, mode="edge"))
    count = int(np.prod([2 * p + 1 for p in half]))
    kind = block.dtype.type
    scale = kind(1.0 / (count * strength * strength * 16.0))
    free = kind(2.0 * sigma * sigma * count)
    constants = np.array([0.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0], block.dtype)
    out = np.empty(block.shape, block.dtype)
    bands = -(-block.shape[1] // _BAND)
    sides = np.array([half, reach], np.int64)
    run_rows(_nonlocal_bands, block.shape[0] * bands, threads, padded, sides, scale, free, constants, squares, out)
    return out.reshape(array.shape)


@numba.njit(cache=True, nogil=True)
def _differences(
    padded: Any, z: int, y: int, shift: Any, half: Any, side: Any, zero: Any, line: Any
) -> None:  # pragma: no cover - compiled
    """Sum squared differences of a row and its shifted self over the patch's first axis."""
    line[:] = zero
    width = line.size
    for dz in range(-half[0], half[0] + 1):
        here = padded[z + dz, y, side : side + width]
        there = padded[z + dz + shift[0], y + shift[1], side + shift[2] : side + shift[2] + width]
        for x in range(width):
            apart = here[x] - there[x]
            line[x] += apart * apart


@numba.njit(cache=True, nogil=True)
def _gather(
    total: Any,
    values: Any,
    nx: int,
    px: int,
    scale: Any,
    free: Any,
    constants: Any,
    squares: bool,
    sums: Any,
    top: Any,
    bottom: Any,
) -> None:  # pragma: no cover - compiled
    """Weigh one shifted row by the differences of patches and add it up."""
    zero, one, half, sixth, rest = constants[0], constants[1], constants[2], constants[3], constants[4]
    for x in range(nx):
        sums[x] = total[x]
    for d in range(1, 2 * px + 1):
        shifted = total[d : d + nx]
        for x in range(nx):
            sums[x] += shifted[x]
    for x in range(nx):
        u = (sums[x] - free) * scale
        u = u if u > zero else zero
        u = u if u < one else one
        w = one - u * (one - u * (half - u * (sixth - u * rest)))
        w *= w
        w *= w
        w *= w
        w *= w
        value = values[x]
        top[x] += w * (value * value if squares else value)
        bottom[x] += w


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _nonlocal_bands(
    first: int, last: int, padded: Any, sides: Any, scale: Any, free: Any, constants: Any, squares: bool, out: Any
) -> None:  # pragma: no cover - compiled
    ny, nx = out.shape[1], out.shape[2]
    half, reach = sides[0], sides[1]
    mz, my, mx = half[0] + reach[0], half[1] + reach[1], half[2] + reach[2]
    rows, width = 2 * half[1] + 1, nx + 2 * half[2]
    ring = np.empty((rows, width), padded.dtype)
    total, sums = np.empty(width, padded.dtype), np.empty(nx, padded.dtype)
    top, bottom = np.empty((_BAND, nx), padded.dtype), np.empty((_BAND, nx), padded.dtype)
    shift = np.empty(3, np.int64)
    bands = -(-ny // _BAND)
    for piece in range(first, last):
        z, begin = piece // bands, piece % bands * _BAND
        end = min(begin + _BAND, ny)
        top[:] = 0
        bottom[:] = 0
        for k in range((2 * reach[0] + 1) * (2 * reach[1] + 1) * (2 * reach[2] + 1)):
            shift[0] = k // ((2 * reach[1] + 1) * (2 * reach[2] + 1)) - reach[0]
            shift[1] = k // (2 * reach[2] + 1) % (2 * reach[1] + 1) - reach[1]
            shift[2] = k % (2 * reach[2] + 1) - reach[2]
            for y in range(begin - half[1], end + half[1]):
                _differences(padded, z + mz, y + my, shift, half, reach[2], constants[0], ring[(y + rows) % rows])
                if y < begin + half[1]:
                    continue
                total[:] = ring[(y + 1) % rows]  # the oldest row first, so that sums do not depend on where tiles begin
                for r in range(2, rows + 1):
                    other = ring[(y + r) % rows]
                    for x in range(width):
                        total[x] += other[x]
                at = y - half[1]
                values = padded[z + mz + shift[0], at + my + shift[1], mx + shift[2] : mx + shift[2] + nx]
                _gather(total, values, nx, half[2], scale, free, constants, squares, sums, top[at - begin], bottom[at - begin])
        for y in range(begin, end):
            result = out[z, y]
            for x in range(nx):
                result[x] = top[y - begin, x] / bottom[y - begin, x]
