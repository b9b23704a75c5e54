"""Scores of a landmark finder: errors in mm and the success curve; a landmark that was not found is a miss, not a gap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import group_weights, mean_interval, percentile_interval

__all__ = ["evaluate_landmarks", "success_curve"]

FloatArray = npt.NDArray[np.float64]


def _errors(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> FloatArray:
    t, p = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if t.shape != p.shape or t.ndim != 3:
        raise ContentError(f"Landmarks of shapes {t.shape} and {p.shape}: expected (cases, landmarks, axes) for both.")
    error = np.linalg.norm(p - t, axis=2)
    there = np.isfinite(t).all(axis=2)
    # Not predicted: worse than any distance. Not in the truth: nothing to compare.
    return np.asarray(np.where(there, np.where(np.isfinite(error), error, np.inf), np.nan))


def success_curve(truth: npt.ArrayLike, predicted: npt.ArrayLike, distances: npt.ArrayLike) -> FloatArray:
    """Return the share of landmarks within each distance.

    Parameters
    ----------
    truth, predicted
        Points in mm, shape (cases, landmarks, axes); NaN in `truth` where there is none, in `predicted` where none was found.
    distances
        In mm, shape (k,).
    """
    error = _errors(truth, predicted)
    error = error[~np.isnan(error)]
    if not error.size:
        raise ContentError("No landmark in the truth: expected one or more.")
    return np.asarray((error[None] <= np.asarray(distances, np.float64)[:, None]).mean(axis=1))


def evaluate_landmarks(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    within: Sequence[float] = (2.0, 2.5, 3.0, 4.0),
    unit: str = "mm",
    draws: int = 2000,
    seed: int = 0,
) -> Scores:
    """Judge landmarks.

    Parameters
    ----------
    truth, predicted
        As for `success_curve`.
    groups
        Patient of each case; each case its own when None.
    within
        Distances for which the share of successes is given.
    unit
        Of the points.
    draws, seed
        Bootstrap resamples of whole patients, and their choice.

    Returns
    -------
    Scores
        median_error (infinite when half or more are missed), percentile_95_error, mean_error_of_found, missed, within_D.
    """
    error = _errors(truth, predicted)
    cases = len(error)
    unit_of = np.repeat(np.arange(cases) if groups is None else np.asarray(groups).ravel(), error.shape[1])
    flat = error.ravel()
    keep = ~np.isnan(flat)
    flat, unit_of = flat[keep], unit_of[keep]
    if not flat.size:
        raise ContentError("No landmark in the truth: expected one or more.")
    many = np.unique(unit_of).size > 1
    scores: dict[str, Score] = {}
    for name, share in (("median_error", 0.5), ("percentile_95_error", 0.95)):
        values = [_quantile(flat, row, share) for w in group_weights(unit_of, draws, seed) for row in w] if many else []
        scores[name] = Score(
            _quantile(flat, np.ones(flat.size), share), unit, percentile_interval(values) if many else None, flat.size
        )
    found = np.isfinite(flat)
    mean = float(flat[found].mean()) if found.any() else float("nan")
    of_found = mean_interval(flat[found], unit_of[found], draws, seed) if found.any() else None
    scores["mean_error_of_found"] = Score(mean, unit, of_found, int(found.sum()))
    scores["missed"] = Score(float((~found).mean()), "1", mean_interval(~found, unit_of, draws, seed), flat.size)
    for d in within:
        inside = flat <= d
        scores[f"within_{d:g}"] = Score(float(inside.mean()), "1", mean_interval(inside, unit_of, draws, seed), flat.size)
    return Scores(scores)


def _quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    # Between two values as numpy.quantile has it, each standing there as often as it weighs.
    place = share * (total[-1] - 1.0)
    low, high = (int(np.searchsorted(total, np.floor(at + 1e-9), side="right")) for at in (place, place + 1.0))
    first, second = (float(values[order][min(k, values.size - 1)]) for k in (low, high))
    part = place - float(np.floor(place + 1e-9))
    return first if part < 1e-9 or first == second else first + part * (second - first)
