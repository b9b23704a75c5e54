"""Scores of held-out risks: concordance, areas at times and the integrated Brier score, each over cases of one fold, by patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import group_weights, percentile_interval, widened
from isocenter.learn.evaluate.survival import kaplan_meier

__all__ = ["brier_parts", "judge_survival", "pair_score"]

FloatArray = npt.NDArray[np.float64]
Weighted = Callable[[FloatArray], FloatArray]


def pair_score(
    time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, fold: npt.ArrayLike, moment: float | None = None
) -> Weighted:
    """Return a function from case weights, shape (draws, n), to Harrell's C or the area at a time, shape (draws,).

    Parameters
    ----------
    time, event, risk
        Of each case.
    fold
        Which model predicted it: risks of two models have no common scale, so that pairs of one fold alone are compared.
    moment
        None for C; else cases with the event by then are told from those still without it, weighted for censoring.
    """
    t, e, r = np.asarray(time, np.float64), np.asarray(event).astype(bool), np.asarray(risk, np.float64)
    same = np.asarray(fold)[:, None] == np.asarray(fold)[None]
    if moment is None:
        known = e[:, None] & ((t[:, None] < t[None]) | ((t[:, None] == t[None]) & ~e[None])) & same
        pairs = known.astype(np.float64)
    else:
        case = (t <= moment) & e
        pairs = (case[:, None] & (t > moment)[None] & same) * np.where(case, 1.0 / _staying(t, e, t), 0.0)[:, None]
    good = pairs * (0.5 * (r[:, None] == r[None]) + (r[:, None] > r[None]))

    def score(weights: FloatArray) -> FloatArray:
        w = np.atleast_2d(np.asarray(weights, np.float64))
        all_of, right = ((w @ pairs) * w).sum(axis=1), ((w @ good) * w).sum(axis=1)
        return np.asarray(np.divide(right, all_of, out=np.full(len(w), np.nan), where=all_of > 0))

    return score


def _staying(t: FloatArray, e: npt.NDArray[np.bool_], at: FloatArray) -> FloatArray:
    """Return the chance of not being censored just before a time."""
    censoring = kaplan_meier(t, ~e) if (~e).any() else None
    if censoring is None:
        return np.ones(at.size)
    before = np.searchsorted(censoring.times, at, side="left")
    return np.maximum(np.where(before == 0, 1.0, np.append(1.0, censoring.survival)[before]), 0.05)


def brier_parts(time: npt.ArrayLike, event: npt.ArrayLike, survival: FloatArray, grid: npt.ArrayLike) -> FloatArray:
    """Return what each case adds to the integrated Brier score, which is their mean.

    Parameters
    ----------
    time, event
        Of each case.
    survival
        Predicted share without the event at each time of the grid, shape (n, times).
    grid
        Times, rising; the score is the mean over them by length of time.

    References
    ----------
    Graf et al. Assessment and comparison of prognostic classification schemes for survival data. Statistics in Medicine 18 (1999) 2529.
    """
    t, e, g = np.asarray(time, np.float64), np.asarray(event).astype(bool), np.asarray(grid, np.float64)
    own, at = _staying(t, e, t), _staying(t, e, g)
    died, there = (t[:, None] <= g[None]) & e[:, None], t[:, None] > g[None]
    each = died * survival**2 / own[:, None] + there * (1.0 - survival) ** 2 / at[None]
    if g.size == 1:
        return np.asarray(each[:, 0])
    return np.asarray(np.trapezoid(each, g, axis=1) / (g[-1] - g[0]))


def judge_survival(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    risk: npt.ArrayLike,
    groups: npt.ArrayLike,
    fold: npt.ArrayLike,
    moments: Sequence[float],
    *,
    brier: FloatArray | None = None,
    widen: float = 1.0,
    draws: int = 1000,
    seed: int = 0,
) -> Scores:
    """Judge held-out risks.

    Parameters
    ----------
    time, event, risk
        Of each case; a higher risk means earlier.
    groups
        Patient of each case.
    fold
        Which model predicted it.
    moments
        Times for which the area is given.
    brier
        As `brier_parts` gives them; None gives no such score.
    widen
        Factor on the intervals for the overlap of training sets (`learn.prove.widening`).
    draws, seed
        Bootstrap resamples of whole patients, and their choice.

    Returns
    -------
    Scores
        ``c_index``, ``auc_at_T`` for each time, ``integrated_brier`` and ``events``.

    Raises
    ------
    ContentError
        If there is no event.
    """
    e, unit = np.asarray(event).astype(bool), np.asarray(groups).ravel()
    if not e.any():
        raise ContentError("Survival cannot be judged without an event: expected one or more.")
    known: dict[str, Weighted] = {"c_index": pair_score(time, e, risk, fold)}
    known |= {f"auc_at_{m:g}": pair_score(time, e, risk, fold, m) for m in moments}
    if brier is not None:
        part = brier
        known["integrated_brier"] = lambda w: np.asarray((w @ part) / np.maximum(w.sum(axis=1), 1e-300))
    one, found = np.ones((1, e.size)), {}
    several = list(group_weights(unit, draws, seed)) if np.unique(unit).size > 1 else []
    for name, score in known.items():
        value = float(score(one)[0])
        interval = percentile_interval(np.concatenate([score(w) for w in several])) if several else None
        found[name] = Score(value, "1", widened(value, interval, widen, (0.0, 1.0)), int(e.size))
    found["events"] = Score(float(e.sum()), "1", None, int(e.size))
    return Scores(found)
