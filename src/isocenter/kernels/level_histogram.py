"""Features of discretised intensities (intensity histogram) and of the volume above each intensity.

References
----------
IBSI reference manual v11, sections 3.4 (ZVCW, intensity histogram) and 3.5 (P88C, intensity-volume histogram).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.statistics import first_order

__all__ = ["LEVEL_HISTOGRAM", "VOLUME_HISTOGRAM", "level_histogram", "volume_histogram", "volume_of_sorted"]

#: Tag (after ``ih_``) -> IBSI code.
LEVEL_HISTOGRAM = {
    "mean": "X6K6", "var": "CH89", "skew": "88K1", "kurt": "C3I7", "median": "WIFQ", "min": "1PR8", "p10": "GPMT",
    "p90": "OZ0C", "max": "3NCY", "mode": "AMMC", "iqr": "WR0O", "range": "5Z3W", "mad": "D2ZX", "rmad": "WRZB",
    "medad": "4RNL", "cov": "CWYJ", "qcod": "SLWD", "entropy": "TLU2", "uniformity": "BJ5W", "max_grad": "12CE",
    "max_grad_g": "8E6O", "min_grad": "VQB3", "min_grad_g": "RHQZ",
}  # fmt: skip

#: Tag (after ``ivh_``) -> IBSI code.
VOLUME_HISTOGRAM = {
    "v10": "BC2M", "v90": "BC2M", "i10": "GBPN", "i90": "GBPN", "diff_v10_v90": "DDTU", "diff_i10_i90": "CNV2",
}  # fmt: skip

_SHARED = {
    "mean": "mean", "var": "variance", "skew": "skewness", "kurt": "excess_kurtosis", "median": "median", "min": "minimum",
    "p10": "percentile_10", "p90": "percentile_90", "max": "maximum", "iqr": "interquartile_range", "range": "range",
    "mad": "mean_absolute_deviation", "rmad": "robust_mean_absolute_deviation", "medad": "median_absolute_deviation",
    "cov": "coefficient_of_variation", "qcod": "quartile_coefficient_of_dispersion",
}  # fmt: skip


def level_histogram(counts: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return the 23 intensity-histogram features.

    Parameters
    ----------
    counts
        Samples of level 1, 2 ... n; at least one sample.

    Notes
    -----
    Of several modes the one nearest to the mean is taken. Gradients need three levels (two give their difference,
    one gives 0).
    """
    occurrences = np.asarray(counts, dtype=np.float64)
    levels = np.repeat(np.arange(1, len(occurrences) + 1, dtype=np.uint16), counts)
    shared = first_order(levels, is_sorted=True)
    found = {tag: shared[name] for tag, name in _SHARED.items()}
    p = occurrences / occurrences.sum()
    modes = np.flatnonzero(occurrences == occurrences.max()) + 1
    found["mode"] = float(modes[np.argmin(np.abs(modes - shared["mean"]))])
    present = p[p > 0.0]
    found["entropy"] = float(-np.sum(present * np.log2(present))) + 0.0
    found["uniformity"] = float(np.sum(p * p))
    slope = np.gradient(occurrences) if len(occurrences) > 1 else np.zeros(1)
    found["max_grad"], found["max_grad_g"] = float(slope.max()), float(np.argmax(slope) + 1)
    found["min_grad"], found["min_grad_g"] = float(slope.min()), float(np.argmin(slope) + 1)
    return found


def volume_histogram(points: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return the intensity-volume histogram features.

    Parameters
    ----------
    points
        Ascending intensities of the histogram's axis.
    counts
        Samples of the region at each of them, at least one.

    Returns
    -------
    dict
        ``v10``, ``v90``: share of the volume at or above 10 and 90 % of the axis; ``i10``, ``i90``: lowest intensity
        that at most 10 and 90 % of the volume reach; and their differences. Where more of the volume than that reaches
        the last point, the intensity lies one step beyond it.
    """
    low, high = float(points[0]), float(points[-1])
    above = np.cumsum(counts[::-1])[::-1] / counts.sum()
    fraction = (points - low) / (high - low) if high > low else np.zeros(len(points))
    beyond = high + (float(points[-1] - points[-2]) if len(points) > 1 else 0.0)

    def volume(share: float) -> float:
        reached = above[fraction >= share - 1e-12]
        return float(reached.max()) if reached.size else 0.0

    def intensity(share: float) -> float:
        rare = points[above <= share + 1e-12]
        return float(rare.min()) if rare.size else beyond

    return _six(volume(0.1), volume(0.9), intensity(0.1), intensity(0.9))


def _six(v10: float, v90: float, i10: float, i90: float) -> dict[str, float]:
    return {"v10": v10, "v90": v90, "i10": i10, "i90": i90, "diff_v10_v90": v10 - v90, "diff_i10_i90": i10 - i90}


def volume_of_sorted(values: npt.NDArray[Any], low: float | None = None, high: float | None = None) -> dict[str, float]:
    """Return what `volume_histogram` gives for an axis of all values that occur, without listing them.

    Parameters
    ----------
    values
        Ascending, one axis, at least one.
    low, high
        Ends of the axis; None: those of the values.
    """
    n = values.size
    start, stop = float(values[0]) if low is None else low, float(values[-1]) if high is None else high

    def volume(share: float) -> float:
        if stop <= start:
            return 0.0
        first = bisect_left(range(n), True, key=lambda k: (float(values[k]) - start) / (stop - start) >= share - 1e-12)
        return (n - first) / n

    def intensity(share: float) -> float:
        first = bisect_left(range(n + 1), True, key=lambda k: (n - k) / n <= share + 1e-12)
        if 0 < first < n and values[first] == values[first - 1]:  # equal values count together
            first = int(np.searchsorted(values, values[first], side="right"))
        if first < n:
            return float(values[first])
        top = float(values[-1])
        if stop > top:
            return stop
        below = int(np.searchsorted(values, values[-1], side="left"))
        return stop + (top - (float(values[below - 1]) if below else start))

    return _six(volume(0.1), volume(0.9), intensity(0.1), intensity(0.9))
