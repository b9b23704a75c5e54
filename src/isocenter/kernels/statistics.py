"""First-order statistics of a set of values, as the IBSI defines them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["first_order"]

FloatArray = npt.NDArray[np.float64]


#: Values that are widened to float64 at a time.
_CHUNK = 1 << 14


def _chunks(x: npt.NDArray[Any]) -> Iterator[FloatArray]:
    for start in range(0, x.size, _CHUNK):
        yield x[start : start + _CHUNK].astype(np.float64)


def _at(x: npt.NDArray[Any], share: float) -> float:
    """Return a percentile of sorted values, linear between neighbours."""
    place = share * (x.size - 1)
    low = math.floor(place)
    below, above = float(x[low]), float(x[min(low + 1, x.size - 1)])
    return below + (place - low) * (above - below)


def _from(x: npt.NDArray[Any], share: float, value: float) -> int:
    """Return the index of the first of the sorted values that is not below a percentile of theirs."""
    low = math.floor(share * (x.size - 1))
    return int(np.searchsorted(x, x[low])) if float(x[low]) == value else low + 1


def _until(x: npt.NDArray[Any], share: float, value: float) -> int:
    """Return the index behind the last of the sorted values that is not above a percentile of theirs."""
    low = math.floor(share * (x.size - 1))
    high = min(low + 1, x.size - 1)
    return int(np.searchsorted(x, x[high], side="right")) if float(x[high]) == value or high == low else low + 1


def first_order(values: npt.ArrayLike, *, is_sorted: bool = False) -> dict[str, float]:
    """Return the 18 intensity statistics of the IBSI.

    Parameters
    ----------
    values
        The samples of the region, any shape, at least one; finite. They are sorted in their own type and widened a
        little at a time, so that a large region needs one copy of itself.
    is_sorted
        Whether they ascend already; then nothing is copied.

    Returns
    -------
    dict
        Name -> value. Of equal values, variance, skewness and excess kurtosis are 0; the coefficient of variation
        of a zero mean and the quartile coefficient of dispersion of a zero sum of quartiles are NaN.

    References
    ----------
    Zwanenburg et al., The Image Biomarker Standardization Initiative, Radiology 295 (2020), section 3.3 of its
    reference manual.
    """
    x = np.asarray(values).ravel() if is_sorted else np.sort(np.asarray(values), axis=None)
    n = x.size
    mean = sum(float(part.sum()) for part in _chunks(x)) / n
    p10, p25, median, p75, p90 = (_at(x, share) for share in (0.1, 0.25, 0.5, 0.75, 0.9))
    inner = x[_from(x, 0.1, p10) : _until(x, 0.9, p90)]
    inner_mean = sum(float(part.sum()) for part in _chunks(inner)) / max(inner.size, 1)
    second = third = fourth = absolute = from_median = energy = 0.0
    for part in _chunks(x):  # sums, not products of vectors: those may be shared among threads and add up in another order
        energy += float(np.sum(part * part))
        from_median += float(np.sum(np.abs(part - median)))
        part -= mean
        absolute += float(np.sum(np.abs(part)))
        square = part * part
        second += float(np.sum(square))
        part *= square
        third += float(np.sum(part))
        square *= square
        fourth += float(np.sum(square))
    robust = sum(float(np.abs(part - inner_mean).sum()) for part in _chunks(inner)) / max(inner.size, 1)
    variance = second / n
    low, high = float(x[0]), float(x[-1])
    # Equal values leave a rounding residue in the mean; a spread below it is no spread.
    flat = variance <= (np.finfo(np.float64).eps * max(abs(low), abs(high), 1e-300)) ** 2 * 16
    deviation = math.sqrt(variance)
    return {
        "mean": mean,
        "variance": 0.0 if flat else variance,
        "skewness": 0.0 if flat else third / n / deviation**3,
        "excess_kurtosis": 0.0 if flat else fourth / n / variance**2 - 3.0,
        "median": median,
        "minimum": low,
        "percentile_10": p10,
        "percentile_90": p90,
        "maximum": high,
        "interquartile_range": p75 - p25,
        "range": high - low,
        "mean_absolute_deviation": absolute / n,
        "robust_mean_absolute_deviation": robust,
        "median_absolute_deviation": from_median / n,
        "coefficient_of_variation": deviation / mean if mean != 0.0 else math.nan,
        "quartile_coefficient_of_dispersion": (p75 - p25) / (p75 + p25) if p75 + p25 != 0.0 else math.nan,
        "energy": energy,
        "root_mean_square": math.sqrt(energy / n),
    }
