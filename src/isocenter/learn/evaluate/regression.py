"""Scores of a predicted number: errors, agreement after Bland and Altman, and the tolerance interval of the error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import group_weights, percentile_interval, widened

__all__ = ["BlandAltman", "bland_altman", "evaluate_regression", "tolerance_interval"]

FloatArray = npt.NDArray[np.float64]

#: What a score can be, where it is no error of 0 or more.
_BOUNDS = {"r2": (-np.inf, 1.0), "correlation": (-1.0, 1.0), "bias": (-np.inf, np.inf)}
_ERROR = (0.0, np.inf)


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two measurements of the same cases, in their unit.

    Attributes
    ----------
    bias, bias_interval
        Mean of prediction minus truth, with its 95 % interval.
    lower, upper
        Limits of agreement: bias -+ 1.96 standard deviations.
    lower_interval, upper_interval
        Their 95 % intervals.
    slope, slope_interval
        Of the difference over the mean of both: not 0 where the error grows with the size, or predictions shrink to the middle.
    n
        Cases.
    """

    bias: float
    bias_interval: tuple[float, float]
    lower: float
    upper: float
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]
    slope: float
    slope_interval: tuple[float, float]
    n: int


def _pair(truth: npt.ArrayLike, predicted: npt.ArrayLike, fewest: int) -> tuple[FloatArray, FloatArray]:
    y, p = np.asarray(truth, np.float64).ravel(), np.asarray(predicted, np.float64).ravel()
    if y.size == p.size == 1 < fewest:
        raise ContentError(f"One case alone says nothing of agreement: expected {fewest} or more.")
    if y.size != p.size or y.size < fewest:
        raise ContentError(f"{y.size} true values and {p.size} predicted ones: expected as many of each, {fewest} or more.")
    if not np.isfinite(y).all() or not np.isfinite(p).all():
        raise ContentError("Values to compare hold NaN or infinities: expected a number for each case.")
    return y, p


def bland_altman(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> BlandAltman:
    """Return bias and limits of agreement.

    Parameters
    ----------
    truth, predicted
        Same cases, same unit, shape (n,); three or more.

    References
    ----------
    Bland and Altman. Statistical methods for assessing agreement between two methods of clinical measurement. Lancet 327
    (1986) 307-310.
    """
    y, p = _pair(truth, predicted, 3)
    difference = p - y
    n, bias, spread = y.size, float(difference.mean()), float(difference.std(ddof=1))
    t = float(stats.t.ppf(0.975, n - 1))
    of_bias, of_limit = t * spread / np.sqrt(n), t * spread * np.sqrt(1.0 / n + 1.96**2 / (2.0 * (n - 1)))
    low, high = bias - 1.96 * spread, bias + 1.96 * spread
    middle = (p + y) / 2.0
    if np.ptp(middle) > 0:
        line = stats.linregress(middle, difference)
        slope, half = float(line.slope), float(stats.t.ppf(0.975, n - 2) * line.stderr)
    else:
        slope, half = 0.0, float("inf")
    return BlandAltman(
        bias,
        (bias - of_bias, bias + of_bias),
        low,
        high,
        (low - of_limit, low + of_limit),
        (high - of_limit, high + of_limit),
        slope,
        (slope - half, slope + half),
        n,
    )


def tolerance_interval(errors: npt.ArrayLike, content: float = 0.95, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval that holds a share of all future errors with the stated confidence, for normal errors.

    Wider than the limits of agreement, because it pays for the few cases that it was estimated from.

    Parameters
    ----------
    errors
        Prediction minus truth, shape (n,), two or more.
    content, confidence
        Share inside, and how sure.

    References
    ----------
    Howe. Two-sided tolerance limits for normal populations. JASA 64 (1969) 610-620.
    """
    e = np.asarray(errors, np.float64).ravel()
    if e.size < 2 or not np.isfinite(e).all():
        raise ContentError(f"A tolerance interval of {e.size} errors: expected two or more, all finite.")
    if not (0 < content < 1 and 0 < confidence < 1):
        raise ParameterError(f"Content {content:g} and confidence {confidence:g}: expected shares between 0 and 1.")
    n = e.size
    z = float(stats.norm.ppf((1 + content) / 2))
    factor = z * np.sqrt((n - 1) * (1 + 1 / n) / stats.chi2.ppf(1 - confidence, n - 1))
    half = float(factor * e.std(ddof=1))
    return float(e.mean()) - half, float(e.mean()) + half


def evaluate_regression(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    unit: str = "1",
    draws: int = 2000,
    seed: int = 0,
    widen: float = 1.0,
) -> Scores:
    """Judge predicted numbers.

    Parameters
    ----------
    truth, predicted
        Shape (n,), in `unit`.
    groups
        Patient of each case; each case its own when None.
    unit
        Of both.
    draws, seed
        Bootstrap resamples of whole patients, and their choice.
    widen
        Factor on the intervals, above 1 for predictions of a cross-validation (see `kernels.bootstrap.widened`).

    Returns
    -------
    Scores
        mae, rmse, r2 (against the mean of these cases: negative when worse than it), correlation, bias, and
        mae_of_median: what guessing the median of these very cases would reach.
    """
    y, p = _pair(truth, predicted, 2)
    unit_of = np.arange(y.size) if groups is None else np.asarray(groups).ravel()
    guess = np.abs(y - np.median(y))
    middle = y.mean()  # spreads are taken about it: squares of years or of identifiers would leave no digits for them
    y, p = y - middle, p - middle

    def compute(w: FloatArray) -> dict[str, FloatArray]:
        total = w.sum(axis=1)
        error = p - y
        square = w @ error**2
        mean_y, mean_p = (w @ y) / total, (w @ p) / total
        var_y = (w @ y**2) / total - mean_y**2
        var_p = (w @ p**2) / total - mean_p**2
        both = (w @ (y * p)) / total - mean_y * mean_p
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "mae": (w @ np.abs(error)) / total,
                "rmse": np.sqrt(square / total),
                "r2": np.where(var_y > 1e-300, 1.0 - square / total / var_y, np.nan),
                "correlation": np.where(
                    (var_y > 1e-300) & (var_p > 1e-300), both / np.sqrt(np.maximum(var_y * var_p, 0)), np.nan
                ),
                "bias": (w @ error) / total,
                "mae_of_median": (w @ guess) / total,
            }

    whole = {k: float(v[0]) for k, v in compute(np.ones((1, y.size))).items()}
    rows: dict[str, list[FloatArray]] = {k: [] for k in whole}
    if np.unique(unit_of).size > 1:
        for weights in group_weights(unit_of, draws, seed):
            for name, values in compute(weights).items():
                rows[name].append(values)
    units = {"r2": "1", "correlation": "1"}
    scores = {}
    for name, value in whole.items():
        interval = percentile_interval(np.concatenate(rows[name])) if rows[name] else None
        scores[name] = Score(value, units.get(name, unit), widened(value, interval, widen, _BOUNDS.get(name, _ERROR)), y.size)
    return Scores(scores)
