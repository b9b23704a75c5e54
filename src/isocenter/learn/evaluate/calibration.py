"""Calibration: whether 80 % means 80 of 100, and the maps that mend it, fitted inside the fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize

from isocenter.core.errors import ContentError, ParameterError
from isocenter.kernels.bootstrap import proportion_interval

__all__ = ["Calibrator", "Reliability", "calibration_error", "fit_calibrator", "reliability"]

FloatArray = npt.NDArray[np.float64]

_EPS = 1e-7


@dataclass(frozen=True)
class Reliability:
    """One bin of a reliability diagram.

    Attributes
    ----------
    low, high
        Bounds of the predicted probability.
    predicted, observed
        Mean prediction, and share of cases where it was so.
    interval
        Of the observed share (Wilson), None for an empty bin.
    n
        Cases in the bin.
    """

    low: float
    high: float
    predicted: float
    observed: float
    interval: tuple[float, float] | None
    n: int


def reliability(happened: npt.ArrayLike, probability: npt.ArrayLike, bins: int = 10) -> tuple[Reliability, ...]:
    """Return the reliability diagram in bins of equal width.

    Parameters
    ----------
    happened
        Whether the predicted thing was so, shape (n,).
    probability
        What was predicted, shape (n,).
    bins
        How many.

    References
    ----------
    DeGroot and Fienberg. The comparison and evaluation of forecasters. The Statistician 32 (1983) 12-22.
    """
    y, p = np.asarray(happened, np.float64).ravel(), np.asarray(probability, np.float64).ravel()
    at = _bin(p, bins)
    rows = []
    for k in range(bins):
        inside = at == k
        n = int(inside.sum())
        observed = float(y[inside].mean()) if n else float("nan")
        predicted = float(p[inside].mean()) if n else float("nan")
        rows.append(
            Reliability(k / bins, (k + 1) / bins, predicted, observed, proportion_interval(observed * n, n) if n else None, n)
        )
    return tuple(rows)


def _bin(p: FloatArray, bins: int) -> npt.NDArray[np.int64]:
    return np.clip(np.floor(p * bins).astype(np.int64), 0, bins - 1)


def calibration_error(
    happened: npt.ArrayLike, probability: npt.ArrayLike, weights: npt.ArrayLike | None = None, bins: int = 10
) -> FloatArray:
    """Return the expected calibration error, one for each row of weights.

    Parameters
    ----------
    happened, probability
        As for `reliability`.
    weights
        How often each case counts, shape (draws, n).
    bins
        Of equal width.

    References
    ----------
    Naeini et al. Obtaining well calibrated probabilities using Bayesian binning. AAAI 2015, 2901-2907.
    """
    y, p = np.asarray(happened, np.float64).ravel(), np.asarray(probability, np.float64).ravel()
    w = np.ones((1, p.size)) if weights is None else np.atleast_2d(np.asarray(weights, np.float64))
    at = _bin(p, bins)
    gap = np.zeros(len(w))
    for k in range(bins):
        inside = at == k
        if inside.any():
            gap += np.abs(w[:, inside] @ (y[inside] - p[inside]))
    return np.asarray(gap / np.maximum(w.sum(axis=1), 1e-300))


@dataclass(frozen=True)
class Calibrator:
    """A fitted map from probabilities to probabilities.

    Attributes
    ----------
    kind
        ``temperature`` (one number, keeps every ranking) or ``isotonic`` (a rising step function; two classes).
    temperature
        Above 1 softens.
    knots, values
        Of the step function.
    """

    kind: Literal["temperature", "isotonic"]
    temperature: float = 1.0
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __call__(self, probabilities: npt.ArrayLike) -> FloatArray:
        """Return calibrated probabilities of the same shape (n, classes)."""
        p = np.asarray(probabilities, np.float64)
        if self.kind == "temperature":
            return _tempered(p, self.temperature)
        positive = np.interp(p[:, 1], self.knots, self.values)
        return np.stack([1.0 - positive, positive], axis=1)


def _tempered(p: FloatArray, temperature: float) -> FloatArray:
    logits = np.log(np.clip(p, _EPS, 1.0)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    out = np.exp(logits)
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def fit_calibrator(
    truth: npt.ArrayLike, probabilities: npt.ArrayLike, kind: Literal["temperature", "isotonic"] = "temperature"
) -> Calibrator:
    """Fit a calibrator on cases that neither trained the model nor will judge it.

    Parameters
    ----------
    truth
        Class index of each case, shape (n,).
    probabilities
        Shape (n, classes).
    kind
        ``isotonic`` takes two classes and wants hundreds of cases: with fewer it memorises them.

    Raises
    ------
    ContentError
        If there are no cases of two classes.

    References
    ----------
    Guo et al. On calibration of modern neural networks. ICML 2017; Zadrozny and Elkan. Transforming classifier scores into
    accurate multiclass probability estimates. KDD 2002.
    """
    y, p = np.asarray(truth, np.int64).ravel(), np.asarray(probabilities, np.float64)
    if np.unique(y).size < 2:
        raise ContentError("A calibrator cannot be fitted on cases of one class: expected two or more.")
    if kind == "temperature":

        def loss(log_t: float) -> float:
            return float(-np.log(np.maximum(_tempered(p, np.exp(log_t))[np.arange(y.size), y], _EPS)).mean())

        found = optimize.minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded", options={"xatol": 1e-6})
        return Calibrator("temperature", float(np.exp(found.x)))
    if kind != "isotonic" or p.shape[1] != 2:
        raise ParameterError(f"Calibrator '{kind}' of {p.shape[1]} classes: expected temperature, or isotonic with two classes.")
    from sklearn.isotonic import IsotonicRegression

    # Laplace's half case on either side keeps probabilities off 0 and 1, which no finite sample supports.
    model = IsotonicRegression(y_min=0.5 / (y.size + 1), y_max=1 - 0.5 / (y.size + 1), out_of_bounds="clip").fit(p[:, 1], y)
    return Calibrator("isotonic", 1.0, tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_)))
