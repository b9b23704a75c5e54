"""Laplacian of Gaussian: how much brighter or darker a place is than its surroundings of one size.

References
----------
IBSI 2 reference manual (arXiv:2006.05470), section 3.3 (L6PA). Marr and Hildreth, Proc. R. Soc. B 207 (1980) 187-217.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.separable import Taps, filter_axis

__all__ = ["gaussian_reach", "laplacian_of_gaussian"]


def gaussian_reach(sigma: float, truncate: float) -> int:
    """Return how many samples to each side a kernel of `sigma` samples is cut at: 1 + 2 floor(d sigma + 1/2) in all."""
    return int(truncate * sigma + 0.5)


def laplacian_of_gaussian(
    array: npt.NDArray[Any],
    spacing: Sequence[float],
    sigma: float,
    *,
    truncate: float = 4.0,
    axes: Sequence[int] | None = None,
    boundary: Boundary = "mirror",
    threads: int = 1,
) -> npt.NDArray[Any]:
    """Return the Laplacian-of-Gaussian response.

    Parameters
    ----------
    array
        Float samples.
    spacing
        mm per sample along every axis.
    sigma
        Standard deviation of the Gaussian in mm.
    truncate
        Where the kernel is cut along each axis, in standard deviations.
    axes
        Axes it acts along; None means all.
    boundary
        Beyond the edges.
    threads
        Threads to use; the result does not depend on it.

    Notes
    -----
    The sampled kernel in units of the smallest spacing, as the IBSI states it for cubes: derivatives are taken per
    that length, and sums weigh each sample by its size in it. The kernel is a sum of products of one-dimensional
    ones, so its cube is filtered exactly in a few passes.
    """
    used = tuple(range(array.ndim)) if axes is None else tuple(sorted(axes))
    unit = min(spacing[a] for a in used)
    smooth, curved = {}, {}
    for axis in used:
        width = sigma / spacing[axis]
        reach = gaussian_reach(width, truncate)
        place = np.arange(-reach, reach + 1)
        bell = np.exp(-0.5 * (place / width) ** 2) / (np.sqrt(2.0 * np.pi) * width)
        bend = bell * ((place / width) ** 2 - 1.0) * (unit / sigma) ** 2
        smooth[axis] = Taps.convolving(bell.tolist(), reach)
        curved[axis] = Taps.convolving(bend.tolist(), reach)
    # Two running results: smoothed along the axes so far, and the sum of those that were curved along one of them.
    plain, bent = array, None
    for axis in reversed(used):
        turned = filter_axis(plain, curved[axis], axis, boundary, threads)
        if bent is not None:
            turned += filter_axis(bent, smooth[axis], axis, boundary, threads)
        bent = turned
        if axis != used[0]:
            plain = filter_axis(plain, smooth[axis], axis, boundary, threads)
    assert bent is not None  # there is at least one axis
    return bent
