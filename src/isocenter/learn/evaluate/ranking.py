"""Areas under curves: ROC and precision-recall, weighted, with DeLong's covariance."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError

__all__ = ["auc_pr", "auc_roc", "delong", "roc_curve"]

FloatArray = npt.NDArray[np.float64]


def _checked(truth: npt.ArrayLike, score: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    positive, value = np.asarray(truth).astype(bool).ravel(), np.asarray(score, np.float64).ravel()
    if positive.size != value.size:
        raise ContentError(f"{positive.size} labels for {value.size} scores: expected one score for each label.")
    if not np.isfinite(value).all():
        raise ContentError("Scores hold NaN or infinities: a model that gives none for a case cannot be ranked by it.")
    return positive, value


def _steps(value: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the order of falling scores, and the last position of each run of equal ones."""
    order = np.argsort(-value, kind="stable")
    last = np.flatnonzero(np.append(np.diff(value[order]) != 0, True))
    return order, last


def roc_curve(truth: npt.ArrayLike, score: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the ROC curve.

    Parameters
    ----------
    truth
        Which cases are positive.
    score
        Higher means more likely positive.

    Returns
    -------
    false_positive_rate, sensitivity, threshold
        From (0, 0) at an infinite threshold to (1, 1); a case is called positive from the threshold on.
    """
    positive, value = _checked(truth, score)
    order, last = _steps(value)
    hits = np.cumsum(positive[order])[last]
    false = last + 1 - hits
    with np.errstate(invalid="ignore"):
        sensitivity = np.append(0.0, hits / positive.sum())
        rate = np.append(0.0, false / (~positive).sum())
    return rate, sensitivity, np.append(np.inf, value[order][last])


@overload
def auc_roc(truth: npt.ArrayLike, score: npt.ArrayLike, *, strata: npt.ArrayLike | None = None) -> float: ...
@overload
def auc_roc(
    truth: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> FloatArray: ...
def auc_roc(
    truth: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, strata: npt.ArrayLike | None = None
) -> FloatArray | float:
    """Return the area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Parameters
    ----------
    truth
        Which cases are positive, shape (n,).
    score
        Higher means more likely positive, shape (n,).
    weights
        How often each case counts, shape (draws, n): one area for each draw.
    strata
        The fold that predicted each case, shape (n,): only cases of one fold are compared, because the scores of two models
        do not share a scale, and pooling them makes chance look worse than 0.5.

    Returns
    -------
    float or array
        NaN where one class is missing.

    References
    ----------
    Hanley and McNeil. The meaning and use of the area under a ROC curve. Radiology 143 (1982) 29-36; Forman and Scholz. Apples-to-
    apples in cross-validation studies. SIGKDD Explorations 12 (2010) 49-57 (strata).
    """
    positive, value = _checked(truth, score)
    w = np.ones((1, value.size)) if weights is None else np.atleast_2d(np.asarray(weights, np.float64))
    if strata is None:
        wins, total = _pairs(positive, value, w)
    else:
        fold = np.asarray(strata).ravel()
        parts = [_pairs(positive[fold == k], value[fold == k], w[:, fold == k]) for k in np.unique(fold)]
        wins, total = np.sum([p[0] for p in parts], axis=0), np.sum([p[1] for p in parts], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = np.where(total > 0, wins / total, np.nan)
    return float(area[0]) if weights is None else area


def _pairs(positive: npt.NDArray[np.bool_], value: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return, for each row of weights, the pairs that are in order (ties half) and all pairs."""
    order, last = _steps(value)
    up = np.cumsum(w[:, order] * positive[order], axis=1)[:, last]
    down = np.cumsum(w[:, order] * ~positive[order], axis=1)[:, last]
    gained = np.diff(down, axis=1, prepend=0.0)
    before = np.concatenate([np.zeros((len(w), 1)), up[:, :-1]], axis=1)
    return (gained * (before + up) / 2.0).sum(axis=1), up[:, -1] * down[:, -1]


@overload
def auc_pr(truth: npt.ArrayLike, score: npt.ArrayLike) -> float: ...
@overload
def auc_pr(truth: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike) -> FloatArray: ...
def auc_pr(truth: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> FloatArray | float:
    """Return the area under the precision-recall curve as average precision: no interpolation between its steps.

    Parameters
    ----------
    truth, score, weights
        As for `auc_roc`.

    Returns
    -------
    float or array
        NaN without positives or without negatives, where any order would be perfect. Guessing gives the share of positives, not 0.5.
    """
    positive, value = _checked(truth, score)
    w = np.ones((1, value.size)) if weights is None else np.atleast_2d(np.asarray(weights, np.float64))
    order, last = _steps(value)
    hits = np.cumsum(w[:, order] * positive[order], axis=1)[:, last]
    called = np.cumsum(w[:, order], axis=1)[:, last]
    total = hits[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(called > 0, hits / called, 0.0)
        both = (total > 0) & (called[:, -1] > total)
        area = np.where(both, (np.diff(hits, axis=1, prepend=0.0) * precision).sum(axis=1) / total, np.nan)
    return float(area[0]) if weights is None else area


def _midranks(value: FloatArray) -> FloatArray:
    order = np.argsort(value, kind="stable")
    ordered = value[order]
    first = np.flatnonzero(np.append(True, np.diff(ordered) != 0))
    sizes = np.diff(np.append(first, value.size))
    ranks = np.empty(value.size)
    ranks[order] = np.repeat(first + (sizes + 1) / 2.0, sizes)
    return ranks


def delong(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the areas of several models on the same cases, and DeLong's covariance of them.

    Parameters
    ----------
    truth
        Which cases are positive, shape (n,). Cases must be independent: one for each patient.
    scores
        Shape (models, n).

    Returns
    -------
    areas, covariance
        Shapes (models,) and (models, models).

    Raises
    ------
    ContentError
        If there are not two cases of each class.

    References
    ----------
    DeLong et al. Biometrics 44 (1988) 837-845; Sun and Xu. IEEE Signal Processing Letters 21 (2014) 1389-1393 (midranks).
    """
    positive = np.asarray(truth).astype(bool).ravel()
    table = np.atleast_2d(np.asarray(scores, np.float64))
    for row in table:
        _checked(positive, row)
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        raise ContentError(f"DeLong's variance of {m} positive and {n} negative cases: expected two or more of each.")
    all_ranks = np.stack([_midranks(row) for row in table])
    up: Any = (all_ranks[:, positive] - np.stack([_midranks(row[positive]) for row in table])) / n
    down: Any = 1.0 - (all_ranks[:, ~positive] - np.stack([_midranks(row[~positive]) for row in table])) / m
    covariance = np.atleast_2d(np.cov(up)) / m + np.atleast_2d(np.cov(down)) / n
    return up.mean(axis=1), covariance
