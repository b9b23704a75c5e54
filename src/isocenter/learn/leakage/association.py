"""How well facts that should not matter tell the label: a shallow predictor, cross-validated by patient, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from isocenter.learn.balance import deal

__all__ = ["Telling", "coded", "cramers_v", "telling_class", "telling_number"]

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Telling:
    """How well something tells the label, on cases that it was not fitted to.

    Attributes
    ----------
    value
        Area under the ROC curve (the clearest class against the rest), or the share of variance explained.
    low, high
        Its interval.
    which
        Index of that class, -1 for numbers.
    """

    value: float
    low: float
    high: float
    which: int = -1


def coded(values: Sequence[str | float], bins: int = 6) -> Ints:
    """Return a category for each value: texts and few numbers as they are, many numbers in bins of like count."""
    if any(isinstance(v, str) for v in values) or len(set(values)) <= 12:
        names = np.array([v if isinstance(v, str) else f"{v:.12g}" for v in values], dtype=np.str_)
        return np.unique(names, return_inverse=True)[1].reshape(-1).astype(np.intp)
    numbers = np.array([float(v) for v in values])
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, numbers, side="right").astype(np.intp)


def cramers_v(first: Ints, second: Ints) -> float:
    """Return the association of two classifications, 0 to 1, corrected for its bias in small tables.

    References
    ----------
    W. Bergsma, A bias-correction for Cramer's V, J. Korean Stat. Soc. 42 (2013) 323-328.
    """
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), 1.0)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    n = table.sum()
    rows, columns = table.shape
    if min(rows, columns) < 2 or n < 2:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n
    phi = max(float(((table - expected) ** 2 / expected).sum()) / n - (rows - 1) * (columns - 1) / (n - 1), 0.0)
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(min(np.sqrt(phi / least), 1.0)) if least > 0 else 0.0


def telling_class(columns: Sequence[Ints], targets: Ints, groups: npt.NDArray[np.str_], *, tests: int = 1) -> Telling:
    """Return how well facts tell the class: naive Bayes over them, five folds by patient.

    Parameters
    ----------
    columns
        Categories of each fact.
    targets
        Class of each case.
    groups
        Patient of each case.
    tests
        How many such questions are asked: the interval is widened so that all of them hold together.
    """
    fold = _folds(targets, groups)
    classes = int(targets.max()) + 1
    scores = np.zeros((len(targets), classes))
    for k in np.unique(fold):
        inside, outside = fold == k, fold != k
        prior = np.bincount(targets[outside], minlength=classes) + 1.0
        scores[inside] += np.log(prior / prior.sum())
        for column in columns:
            table = np.zeros((int(column.max()) + 1, classes))
            np.add.at(table, (column[outside], targets[outside]), 1.0)
            table = (table + 0.5) / (table + 0.5).sum(axis=0)
            scores[inside] += np.log(table[column[inside]])
    scores -= scores.max(axis=1, keepdims=True)
    chances = np.exp(scores)
    chances /= chances.sum(axis=1, keepdims=True)
    shrink = len(np.unique(groups)) / len(groups)  # cases of one patient are no independent evidence
    z = float(norm.ppf(1 - 0.025 / (tests * (classes if classes > 2 else 1))))
    best = Telling(0.5, 0.0, 1.0, 0)
    for c in range(classes if classes > 2 else 1, 0, -1):
        c = c if classes == 2 else c - 1
        truth = targets == c
        if not truth.any() or truth.all():
            continue
        found = _area(chances[:, c], truth, shrink, z, c)
        if found.low > best.low:
            best = found
    return best


def _area(score: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_], shrink: float, z: float, which: int) -> Telling:
    """Return the area under the ROC curve with the interval of Hanley and McNeil, which is wider than nothing at 1."""
    order = np.unique(np.round(score, 12), return_inverse=True)[1].reshape(-1)
    counts = np.bincount(order)
    middle = np.cumsum(counts) - (counts - 1) / 2.0
    positive, negative = int(truth.sum()), int((~truth).sum())
    area = (middle[order][truth].sum() - positive * (positive + 1) / 2) / (positive * negative)
    a, b = max(positive * shrink, 1.0), max(negative * shrink, 1.0)
    held = float(np.clip(area, 0.5 / a, 1 - 0.5 / a))
    first, second = held / (2 - held), 2 * held**2 / (1 + held)
    error = np.sqrt((held * (1 - held) + (a - 1) * (first - held**2) + (b - 1) * (second - held**2)) / (a * b))
    return Telling(float(area), float(max(area - z * error, 0.0)), float(min(area + z * error, 1.0)), which)


def telling_number(
    column: Ints, values: npt.NDArray[np.float64], groups: npt.NDArray[np.str_], *, tests: int = 1
) -> tuple[Telling, float, float]:
    """Return how well one fact tells a number: the mean of its category, five folds by patient.

    Returns
    -------
    telling
        Share of variance explained on cases left out, with its interval.
    error, guess
        Mean absolute error of it, and of the median of the training cases.
    """
    fold = _folds(coded([float(v) for v in values]), groups)
    told, guess = np.zeros(len(values)), np.zeros(len(values))
    for k in np.unique(fold):
        inside, outside = fold == k, fold != k
        middle = float(values[outside].mean())
        guess[inside] = float(np.median(values[outside]))
        count = np.bincount(column[outside], minlength=int(column.max()) + 1)
        total = np.bincount(column[outside], weights=values[outside], minlength=int(column.max()) + 1)
        told[inside] = ((total + middle) / (count + 1.0))[column[inside]]
    rng = np.random.default_rng(0)
    names, member = np.unique(groups, return_inverse=True)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), 400)[:, member.reshape(-1)].astype(np.float64)
    weights = np.vstack([np.ones(len(values)), weights])
    mean = (weights @ values) / weights.sum(axis=1)
    spread = weights @ values**2 - weights.sum(axis=1) * mean**2
    explained = 1 - (weights @ (values - told) ** 2) / np.maximum(spread, 1e-12)
    error = float(explained[1:].std())
    z = float(norm.ppf(1 - 0.025 / tests))
    value = float(explained[0])
    telling = Telling(value, value - z * error, min(value + z * error, 1.0))
    return telling, float(np.abs(values - told).mean()), float(np.abs(values - guess).mean())


def _folds(targets: Ints, groups: npt.NDArray[np.str_]) -> Ints:
    names, member = np.unique(groups, return_inverse=True)
    member = member.reshape(-1).astype(np.intp)
    count = min(5, len(names))
    return deal(member, [targets], [1.0] * count, 0)[member]
