"""First-order statistics of a set of values, as the IBSI defines them, and sums over small balls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input

__all__ = ["ball_mean", "first_order"]

FloatArray = npt.NDArray[np.float64]


def first_order(values: npt.ArrayLike) -> dict[str, float]:
    """Return the 18 intensity statistics of the IBSI.

    Parameters
    ----------
    values
        The samples of the region, any shape, at least one; finite.

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
    x = np.sort(np.asarray(values, dtype=np.float64).ravel())
    mean = float(x.mean())
    away = x - mean
    variance = float(np.mean(away * away))
    # Equal values leave a rounding residue in the mean; a spread below it is no spread.
    flat = variance <= (np.finfo(np.float64).eps * max(abs(float(x[0])), abs(float(x[-1])), 1e-300)) ** 2 * 16
    deviation = math.sqrt(variance)
    p10, p25, median, p75, p90 = (float(v) for v in np.percentile(x, (10, 25, 50, 75, 90)))
    inner = x[(x >= p10) & (x <= p90)]
    energy = float(np.sum(x * x))
    return {
        "mean": mean,
        "variance": 0.0 if flat else variance,
        "skewness": 0.0 if flat else float(np.mean((away / deviation) ** 3)),
        "excess_kurtosis": 0.0 if flat else float(np.mean((away / deviation) ** 4)) - 3.0,
        "median": median,
        "minimum": float(x[0]),
        "percentile_10": p10,
        "percentile_90": p90,
        "maximum": float(x[-1]),
        "interquartile_range": p75 - p25,
        "range": float(x[-1] - x[0]),
        "mean_absolute_deviation": float(np.mean(np.abs(away))),
        "robust_mean_absolute_deviation": float(np.mean(np.abs(inner - inner.mean()))) if inner.size else 0.0,
        "median_absolute_deviation": float(np.mean(np.abs(x - median))),
        "coefficient_of_variation": deviation / mean if mean != 0.0 else math.nan,
        "quartile_coefficient_of_dispersion": (p75 - p25) / (p75 + p25) if p75 + p25 != 0.0 else math.nan,
        "energy": energy,
        "root_mean_square": math.sqrt(energy / x.size),
    }


def _runs(radius: float, spacing: Sequence[float]) -> npt.NDArray[np.int64]:
    """Return rows (dz, dy, half length along x) of the samples within `radius` mm of a centre."""
    nz, ny, nx = (math.floor(radius / s + 1e-9) for s in spacing)
    rows = []
    for dz in range(-nz, nz + 1):
        for dy in range(-ny, ny + 1):
            left = radius**2 - (dz * spacing[0]) ** 2 - (dy * spacing[1]) ** 2
            if left >= -1e-9:
                rows.append((dz, dy, min(nx, math.floor(math.sqrt(max(left, 0.0)) / spacing[2] + 1e-9))))
    return np.asarray(rows, dtype=np.int64).reshape(-1, 3)


@numba.njit(cache=True, nogil=True)
def _ball_mean(sums: Any, points: Any, runs: Any) -> Any:  # pragma: no cover - compiled
    """Mean around each point from sums cumulated along x (with a leading zero), inside the array only."""
    depth, height, width = sums.shape[0], sums.shape[1], sums.shape[2] - 1
    result = np.empty(points.shape[0])
    for k in range(points.shape[0]):
        total, count = 0.0, 0
        for r in range(runs.shape[0]):
            z, y = points[k, 0] + runs[r, 0], points[k, 1] + runs[r, 1]
            if z < 0 or z >= depth or y < 0 or y >= height:
                continue
            first = max(points[k, 2] - runs[r, 2], 0)
            last = min(points[k, 2] + runs[r, 2] + 1, width)
            total += sums[z, y, last] - sums[z, y, first]
            count += last - first
        result[k] = total / count
    return result


def ball_mean(array: npt.NDArray[Any], points: npt.ArrayLike, spacing: Sequence[float], radius: float) -> FloatArray:
    """Return the mean over a ball around each of the given samples.

    Parameters
    ----------
    array
        Volume (3 axes); samples of the ball outside it do not count.
    points
        Indices of the centres, shape (n, 3).
    spacing
        mm per sample along each axis.
    radius
        mm; samples whose centre lies within it belong to the ball.
    """
    data = np.asarray(array, dtype=np.float64)
    sums = np.zeros((*data.shape[:2], data.shape[2] + 1))
    np.cumsum(data, axis=2, out=sums[:, :, 1:])
    result: FloatArray = _ball_mean(kernel_input(sums), kernel_input(points, np.int64), kernel_input(_runs(radius, spacing)))
    return result
