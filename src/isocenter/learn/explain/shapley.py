"""Shapley values of tables: how a prediction is shared out among the features, adding up exactly.

The value of a set of features is the mean prediction when these have the case's values and all others those of background
cases (the interventional game). Linear models have a closed form, few features are summed over all sets, and else orders of the
features are drawn in pairs of one and its reverse until the standard error is small; every order adds up exactly, so the mean
does as well.

References
----------
Lundberg, Lee. A unified approach to interpreting model predictions. NeurIPS 2017; Strumbelj, Kononenko. KAIS 41 (2014) 647-665;
Mitchell et al. Sampling permutations for Shapley value estimation. JMLR 23 (2022) 43.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.learn.recipe import FittedRecipe, Table, one_thread

__all__ = ["ShapleyValues", "shapley", "shapley_linear", "shapley_of"]

FloatArray = npt.NDArray[np.float64]
Model = Callable[[FloatArray], npt.ArrayLike]

#: Features up to which all sets are summed.
_EXACT = 10
#: Rows that a model sees at once, at most.
_AT_ONCE = 65_536


@dataclass(frozen=True, eq=False)
class ShapleyValues:
    """How predictions are shared out.

    Attributes
    ----------
    values
        Shape (cases, features).
    base
        Mean prediction of the background: `base` plus the sum of a row is the prediction.
    error
        Standard error of each value; 0 where it is exact.
    converged
        Whether the largest error of a case is within the tolerance (a share of the spread of its values).
    evaluations
        Rows that the model was asked for.
    """

    values: FloatArray
    base: float
    error: FloatArray
    converged: bool
    evaluations: int


def shapley_linear(weights: npt.ArrayLike, intercept: float, cases: npt.ArrayLike, background: npt.ArrayLike) -> ShapleyValues:
    """Return the exact values of a linear model: weight times distance from the background's mean.

    Parameters
    ----------
    weights, intercept
        Of the model, shape (features,).
    cases, background
        Shapes (cases, features) and (background, features).
    """
    w, x, b = np.asarray(weights, np.float64).ravel(), np.asarray(cases, np.float64), np.asarray(background, np.float64)
    mean = b.mean(axis=0)
    values = (x - mean) * w
    return ShapleyValues(values, float(mean @ w + intercept), np.zeros_like(values), True, 0)


def shapley(
    model: Model,
    cases: npt.ArrayLike,
    background: npt.ArrayLike,
    *,
    tolerance: float = 0.02,
    most: int = 512,
    seed: int = 0,
) -> ShapleyValues:
    """Return the Shapley values of any model.

    Parameters
    ----------
    model
        Rows of shape (n, features) to n numbers.
    cases
        Shape (cases, features).
    background
        Shape (background, features): what stands for not knowing a feature; 20 to 100 training cases.
    tolerance
        Standard error that counts as converged, as a share of the largest value of the case.
    most
        Pairs of orders that are drawn for a case, at most.
    seed
        Chooses the orders.
    """
    x, b = np.asarray(cases, np.float64), np.asarray(background, np.float64)
    if x.ndim != 2 or b.ndim != 2 or not len(b) or x.shape[1] != b.shape[1] or not x.shape[1]:
        raise ParameterError(f"Cases of shape {x.shape} and background of shape {b.shape}: expected the same features.")
    counted = _Counted(model)
    base = float(counted(b).mean())
    if x.shape[1] <= _EXACT:
        values = np.array([_exact(counted, row, b) for row in x]).reshape(x.shape)
        return ShapleyValues(values, base, np.zeros_like(values), True, counted.rows)
    values, error, converged = np.zeros(x.shape), np.zeros(x.shape), True
    for k, row in enumerate(x):
        values[k], error[k], done = _sampled(counted, row, b, tolerance, most, np.random.default_rng([seed, k]))
        converged &= done
    return ShapleyValues(values, base, error, converged, counted.rows)


class _Counted:
    """A model that counts its rows and sees a bounded number at once."""

    def __init__(self, model: Model) -> None:
        self.model, self.rows = model, 0

    def __call__(self, rows: FloatArray) -> FloatArray:
        self.rows += len(rows)
        parts = [np.asarray(self.model(rows[i : i + _AT_ONCE]), np.float64).ravel() for i in range(0, len(rows), _AT_ONCE)]
        return np.concatenate(parts)

    def of_sets(self, known: npt.NDArray[np.bool_], case: FloatArray, background: FloatArray) -> FloatArray:
        """Return the value of sets of features, given as rows of which are known."""
        step = max(1, _AT_ONCE // len(background))
        found = []
        for i in range(0, len(known), step):
            rows = np.where(known[i : i + step, None, :], case, background[None])
            found.append(self(rows.reshape(-1, case.size)).reshape(len(rows), -1).mean(axis=1))
        return np.concatenate(found)


def _exact(model: _Counted, case: FloatArray, background: FloatArray) -> FloatArray:
    n = case.size
    codes = np.arange(1 << n)
    known = (codes[:, None] >> np.arange(n)) & 1 == 1
    worth = model.of_sets(known, case, background)
    size = known.sum(axis=1)
    weight = np.array([math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)])
    values = np.empty(n)
    for k in range(n):
        without = codes[~known[:, k]]
        values[k] = (weight[size[without]] * (worth[without | (1 << k)] - worth[without])).sum()
    return values


def _sampled(
    model: _Counted, case: FloatArray, background: FloatArray, tolerance: float, most: int, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray, bool]:
    n = case.size
    drawn: list[FloatArray] = []
    while len(drawn) < most:
        for _ in range(min(8, most - len(drawn))):
            order = generator.permutation(n)
            pair = [_one_order(model, case, background, way) for way in (order, order[::-1])]
            drawn.append((pair[0] + pair[1]) / 2.0)
        values = np.mean(drawn, axis=0)
        error = np.std(drawn, axis=0, ddof=1) / math.sqrt(len(drawn)) if len(drawn) > 1 else np.full(n, np.inf)
        if len(drawn) >= 16 and error.max() <= tolerance * max(float(np.abs(values).max()), 1e-12):
            return values, error, True
    return values, error, False


def _one_order(model: _Counted, case: FloatArray, background: FloatArray, order: npt.NDArray[np.int64]) -> FloatArray:
    """Return what each feature adds when the features become known in one order."""
    known = np.tri(case.size + 1, case.size, -1, dtype=bool)
    sets = np.empty_like(known)
    sets[:, order] = known
    values = np.empty(case.size)
    values[order] = np.diff(model.of_sets(sets, case, background))
    return values


def shapley_of(
    fitted: FittedRecipe,
    table: Table,
    background: Table,
    *,
    target: int = 1,
    tolerance: float = 0.02,
    most: int = 512,
    seed: int = 0,
) -> ShapleyValues:
    """Return the Shapley values of a fitted table model for the features of a table.

    Parameters
    ----------
    fitted
        The model; features that it does not use get 0 exactly.
    table
        The cases to explain: held-out ones, if anything is to be said of what the model learnt.
    background
        Training cases.
    target
        Index of the class whose probability is explained; of no matter for a regression.
    tolerance, most, seed
        As for `shapley`.

    Notes
    -----
    Filling, harmonisation and scaling change each feature by itself, so that sharing out what the model sees of a feature is
    sharing out the feature. The predictions are those before calibration.
    """
    if fitted.classes and not 0 <= target < len(fitted.classes):
        raise ParameterError(f"Class {target} of {len(fitted.classes)}: expected an index below that.")
    x, b = fitted.prepared(table.values, table.sites), fitted.prepared(background.values, background.sites)

    def model(rows: FloatArray) -> Any:
        found = fitted.predict_prepared(rows)
        return found[:, target] if fitted.classes else found

    with one_thread():
        inner = shapley(model, x, b, tolerance=tolerance, most=most, seed=seed)
    values, error = np.zeros((len(table), len(table.names))), np.zeros((len(table), len(table.names)))
    values[:, fitted.kept], error[:, fitted.kept] = inner.values, inner.error
    return ShapleyValues(values, inner.base, error, inner.converged, inner.evaluations)
