"""Cox's regression as it is fitted inside a fold: filling, harmonising, scaling, choosing features, ridge, baseline hazard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.learn.combat import fit_combat
from isocenter.learn.evaluate.survival import fit_cox
from isocenter.learn.evaluate.survival_scores import pair_score
from isocenter.learn.package.predictors import Regressor
from isocenter.learn.prove import FoldModel, inner_folds
from isocenter.learn.recipe import FittedRecipe, Recipe, Table, filled

__all__ = ["SETTINGS", "Baseline", "RiskModel", "fit_baseline", "fit_risk", "fit_risk_inside", "fit_wide"]

FloatArray = npt.NDArray[np.float64]

#: Tried inside a fold: features kept, and ridge for each event on standardised features; ``keep`` 0 keeps all, with the spread (standard
#: deviation) that log relative hazards are expected to have as the penalty. The last two are for more features than a choice can bear.
SETTINGS: tuple[Mapping[str, Any], ...] = (
    {"keep": 8, "ridge": 0.1},
    {"keep": 8, "ridge": 0.01},
    {"keep": 8, "ridge": 1.0},
    {"keep": 24, "ridge": 1.0},
    {"keep": 0, "spread": 1.0},
    {"keep": 0, "spread": 0.3},
)


@dataclass(frozen=True)
class Baseline:
    """What turns a risk into a chance: the cumulative hazard of a case of risk 0, and where high risk begins.

    Attributes
    ----------
    times, hazard
        Breslow's estimate: it holds `hazard[k]` from `times[k]` on, and 0 before the first.
    cut
        Log relative hazard from which a case counts as of high risk.
    moments
        Times that areas are given for.
    """

    times: tuple[float, ...]
    hazard: tuple[float, ...]
    cut: float
    moments: tuple[float, ...]

    def survival(self, risk: npt.ArrayLike, moments: npt.ArrayLike) -> FloatArray:
        """Return the predicted share without the event, shape (n, moments)."""
        at = np.searchsorted(np.asarray(self.times), np.asarray(moments, np.float64), side="right")
        cumulated = np.append(0.0, np.asarray(self.hazard))[at]
        return np.asarray(np.exp(-cumulated[None] * np.exp(np.clip(np.asarray(risk, np.float64), -30, 30))[:, None]))


@dataclass(frozen=True)
class RiskModel:
    """What a fold gave: the model (None says the same of every case), its baseline and its settings.

    Attributes
    ----------
    model
        Gives the log relative hazard of features.
    baseline
        Of the training cases.
    """

    model: FoldModel | None
    baseline: Baseline

    def risk(self, table: Table) -> FloatArray:
        """Return the log relative hazard of cases, 0 where nothing was learned."""
        return np.zeros(len(table)) if self.model is None else self.model.predict(table.values, table.sites)


def _scores_of(z: FloatArray, time: FloatArray, event: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the chi-squared score statistic of each column alone (Cox's model at 0, ties as Breslow)."""
    order = np.argsort(-time, kind="stable")
    t, e, x = time[order], event[order], z[order]
    size = np.arange(1, t.size + 1)[:, None]
    last = np.searchsorted(-t, -t, side="right") - 1  # the risk set holds all of the same time
    mean = (np.cumsum(x, axis=0) / size)[last]
    square = (np.cumsum(x**2, axis=0) / size)[last]
    excess = (x - mean)[e].sum(axis=0)
    spread = np.maximum(square - mean**2, 0.0)[e].sum(axis=0)
    return np.asarray(excess**2 / np.maximum(spread, 1e-12))


def _strongest(z: FloatArray, strength: FloatArray, keep: int) -> npt.NDArray[np.int64]:
    taken: list[int] = []
    for k in np.argsort(-strength, kind="stable"):
        if all(abs(float(z[:, k] @ z[:, j])) / len(z) < 0.95 for j in taken):
            taken.append(int(k))
            if len(taken) == keep:
                break
    return np.array(sorted(taken), np.int64)


def fit_wide(time: FloatArray, event: npt.NDArray[np.bool_], z: FloatArray, spread: float) -> FloatArray:
    """Return the coefficients of a ridge Cox model of more features than cases, shape (features,); ties as Breslow.

    The penalty acts on the coefficients as they are: in the space that the cases span the same model has as many coefficients as cases.

    Parameters
    ----------
    time, event
        Under observation, and whether it ended with the event.
    z
        Standardised features, shape (n, features).
    spread
        Standard deviation that log relative hazards are expected to have where features are independent.

    References
    ----------
    Verweij and van Houwelingen. Penalized likelihood in Cox regression. Statistics in Medicine 13 (1994) 2427-2436; Hastie and
    Tibshirani. Efficient quadratic regularization for expression arrays. Biostatistics 5 (2004) 329-340.
    """
    u, s, v = np.linalg.svd(z, full_matrices=False)
    own = s > 1e-9 * max(float(s[0]), 1e-300)
    order = np.argsort(-time, kind="stable")
    x, t, e = (u[:, own] * s[own])[order], time[order], event[order]
    last = np.searchsorted(-t, -t, side="right") - 1
    ridge, b = z.shape[1] / spread**2, np.zeros(int(own.sum()))

    def parts(at: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        eta = x @ at
        hazard = np.exp(eta - eta.max())
        total = np.cumsum(hazard)[last]
        mean = np.cumsum(hazard[:, None] * x, axis=0)[last] / total[:, None]
        value = float((eta - eta.max() - np.log(total))[e].sum()) - ridge * float(at @ at) / 2
        gradient = (x - mean)[e].sum(axis=0) - ridge * at
        # How much each case weighs in the risk sets of all events up to its own time.
        share = np.array([(1.0 / total[e & (t <= moment)]).sum() for moment in t]) * hazard
        curved = (x * share[:, None]).T @ x - mean[e].T @ mean[e] + ridge * np.eye(at.size)
        return value, gradient, curved

    value, gradient, curved = parts(b)
    for _ in range(50):
        step = np.linalg.solve(curved, gradient)
        for _ in range(30):
            new = parts(b + step)
            if new[0] >= value - 1e-12:
                break
            step = step / 2
        b, gain = b + step, new[0] - value
        value, gradient, curved = new
        if abs(gain) < 1e-9:
            break
    return np.asarray(v[own].T @ b)


def fit_risk(
    table: Table, time: FloatArray, event: npt.NDArray[np.bool_], settings: Mapping[str, Any], harmonise: bool = False
) -> FittedRecipe:
    """Fit a Cox model with everything before it on these cases, and on nothing else.

    Parameters
    ----------
    table
        Features, patients and sites; its target is not looked at.
    time, event
        Under observation, and whether it ended with the event.
    settings
        As in `SETTINGS`.
    harmonise
        Take the effect of the site out first.

    Raises
    ------
    ContentError
        If there is no event, or no feature varies.
    """
    middle, x = filled(table.values)
    several = int((np.unique(table.sites, return_counts=True)[1] >= 2).sum()) >= 2
    combat = fit_combat(x, table.sites) if harmonise and several else None
    x = x if combat is None else combat(x, table.sites)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    varies = spread > 1e-9 * np.maximum(1.0, np.abs(mean))
    if not event.any() or not varies.any():
        raise ContentError("A Cox model cannot be fitted: expected an event or more and a feature that varies.")
    spread = np.where(varies, spread, 1.0)
    z = (x - mean) / spread
    if settings["keep"]:
        kept = _strongest(z, np.where(varies, _scores_of(z, time, event), -1.0), min(int(settings["keep"]), int(varies.sum())))
        slopes = fit_cox(time, event, z[:, kept], ridge=float(settings["ridge"]) * float(event.sum())).coefficients
    else:
        kept = np.flatnonzero(varies)
        slopes = fit_wide(time, event, z[:, kept], float(settings["spread"]))
    linear = Regressor(
        "linear", {"slopes": slopes[:, None].copy(), "offset": np.zeros(1), "features": np.array([kept.size], np.int64)}
    )
    recipe = Recipe("cox", dict(settings), harmonise, int(settings["keep"]) or None)
    return FittedRecipe(recipe, (), middle, combat, mean, spread, kept, linear, 0.0, 1.0, False)


def fit_baseline(
    time: FloatArray, event: npt.NDArray[np.bool_], risk: FloatArray, cut: float, moments: tuple[float, ...]
) -> Baseline:
    """Return Breslow's cumulative hazard of the training cases.

    References
    ----------
    Breslow. Discussion of Cox (1972). JRSS B 34: 216-217.
    """
    times, died = np.unique(time[event], return_counts=True)
    hazard = np.exp(np.clip(risk, -30, 30))
    at_risk = np.array([hazard[time >= t].sum() for t in times])
    return Baseline(tuple(map(float, times)), tuple(map(float, np.cumsum(died / at_risk))), float(cut), moments)


def fit_risk_inside(
    table: Table,
    time: FloatArray,
    event: npt.NDArray[np.bool_],
    moments: tuple[float, ...],
    *,
    learner: str = "cox",
    harmonise: bool = False,
    seed: int = 0,
) -> RiskModel:
    """Fit a risk model on the training part of a fold, choosing its settings, baseline and risk cut there.

    Parameters
    ----------
    table, time, event
        The training part.
    moments
        Times that areas are given for.
    learner
        ``none`` says the same of every case; anything else is a Cox model.
    harmonise, seed
        As of `learn.study.StudyOptions`.
    """
    if learner == "none":
        return RiskModel(None, fit_baseline(time, event, np.zeros(len(table)), 0.0, moments))
    marked = Table(table.values, event.astype(np.int64), table.groups, table.sites, table.names, ("censored", "event"))
    parts = [p for p in inner_folds(marked, 3, seed) if event[p[0]].sum() >= 2] if event.any() and not event.all() else []
    if event.all():
        parts = inner_folds(Table(table.values, time, table.groups, table.sites, table.names), 3, seed)
    best: tuple[float, Mapping[str, Any], FloatArray] | None = None
    width = table.values.shape[1]
    for settings in [s for s in SETTINGS if s["keep"] == 8 or width > (8 if s["keep"] else 24)]:
        held, fold = np.full(len(table), np.nan), np.full(len(table), -1)
        for number, (train, test) in enumerate(parts):
            try:
                made = fit_risk(table.take(train), time[train], event[train], settings, harmonise)
            except ContentError:
                break  # this ridge does not hold the features that separate the events: the next one may
            held[test], fold[test] = made.predict(table.values[test], table.sites[test]), number
        if not np.isfinite(held).all():
            continue
        value = float(pair_score(time, event, held, fold)(np.ones((1, len(table))))[0])
        if best is None or value > best[0] + 1e-12:
            best = (value, settings, held)
    settings = SETTINGS[2] if best is None else best[1]
    fitted = fit_risk(table, time, event, settings, harmonise)
    risk = fitted.predict(table.values, table.sites)
    cut = float(np.median(risk))
    model = FoldModel(fitted, None, 0.5, dict(settings))
    return RiskModel(model, fit_baseline(time, event, risk, cut, moments))
