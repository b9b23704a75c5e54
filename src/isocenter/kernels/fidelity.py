"""How far an image is from what it should be: squared errors and structural similarity.

References
----------
Wang, Bovik, Sheikh, Simoncelli. Image quality assessment: from error visibility to structural similarity. IEEE Trans.
Image Process. 13 (2004) 600-612.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.kernels.smooth import gaussian, gaussian_radius

__all__ = ["mean_squared_error", "structural_similarity", "value_range"]

Array = npt.NDArray[Any]


def _both_finite(first: Array, second: Array, who: str) -> npt.NDArray[np.bool_]:
    finite: npt.NDArray[np.bool_] = np.isfinite(first) & np.isfinite(second)
    if not finite.any():
        raise ContentError(f"{who} found no sample that is finite in both images: expected values to compare.")
    return finite


def mean_squared_error(first: Array, second: Array, who: str) -> tuple[float, int]:
    """Return the mean squared difference of the samples that are finite in both, and their number."""
    finite = _both_finite(first, second, who)
    if finite.all():
        apart = first.astype(np.float64).ravel() - second.ravel()
    else:
        apart = first[finite].astype(np.float64) - second[finite]
    return float(apart @ apart) / apart.size, int(apart.size)


def value_range(truth: Array, given: float | None, who: str) -> float:
    """Return the range of values errors are seen against: the given one, or that of the truth.

    Raises
    ------
    ContentError
        If the truth is constant and none is given.
    """
    if given is not None:
        return given
    finite = truth[np.isfinite(truth)]
    span = float(np.ptp(finite.astype(np.float64))) if finite.size else 0.0
    if span == 0.0:
        raise ContentError(f"{who} was given a truth of one value, which has no range: state 'value_range' (255 for uint8).")
    return span


def structural_similarity(
    first: Array, second: Array, span: float, sigma: float, threads: int = 1
) -> tuple[npt.NDArray[np.float64], tuple[slice, ...]]:
    """Return the similarity around every sample, and the part of it whose windows lie inside the image.

    Parameters
    ----------
    first, second
        One to three axes.
    span
        Range of values.
    sigma
        Width of the window in samples; it ends at 3.5 sigma.
    threads
        Threads to use; the result does not depend on it.
    """
    one, two = first.astype(np.float64), second.astype(np.float64)
    widths = [sigma if n > 1 else 0.0 for n in one.shape]

    def mean(values: Array) -> Array:
        return gaussian(values, widths, 3.5, threads)

    a, b = mean(one), mean(two)
    # Variances of what is left without the local mean of all: squares of large offsets would cancel badly.
    middle = (float(one.mean()) + float(two.mean())) / 2
    one, two = one - middle, two - middle
    a0, b0 = a - middle, b - middle
    variance_a, variance_b = mean(one * one) - a0 * a0, mean(two * two) - b0 * b0
    covariance = mean(one * two) - a0 * b0
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    found = ((2 * a * b + c1) * (2 * covariance + c2)) / ((a * a + b * b + c1) * (variance_a + variance_b + c2))
    reach = gaussian_radius(sigma, 3.5)
    inner = tuple(slice(reach, n - reach) if n > 2 * reach else slice(None) for n in one.shape)
    return found, inner
