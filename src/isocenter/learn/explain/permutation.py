"""Permutation importance: by how much held-out predictions get worse when a feature is taken from another patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError, UnknownNameError, did_you_mean
from isocenter.core.results import Score
from isocenter.kernels.bootstrap import mean_interval, widened
from isocenter.learn.prove import Proof
from isocenter.learn.recipe import Table

__all__ = ["Importance", "Predicts", "importance_of", "permutation_importance"]

FloatArray = npt.NDArray[np.float64]


class Predicts(Protocol):
    """A model of features: that of a fold, or a package's."""

    def predict(self, values: npt.ArrayLike, sites: npt.ArrayLike, /) -> FloatArray:
        """Return probabilities of shape (n, classes), or numbers of shape (n,)."""
        ...


@dataclass(frozen=True)
class Importance:
    """What a feature, or a group of features, is worth to held-out predictions.

    Attributes
    ----------
    name
        Of the feature or group.
    score
        Mean rise of the loss (negative log probability of the truth; absolute error of a regression), its interval over
        patients, and n cases.
    """

    name: str
    score: Score

    @property
    def shown(self) -> bool:
        """Whether the interval lies above 0: less than that is no finding."""
        return self.score.interval is not None and self.score.interval[0] > 0.0


def permutation_importance(
    table: Table,
    proof: Proof,
    *,
    features: Mapping[str, Sequence[str]] | None = None,
    repeats: int = 10,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[Importance, ...]:
    """Judge features by the predictions of cases that the models never saw.

    Parameters
    ----------
    table
        All cases, as they were given to `prove`.
    proof
        Its result: which model tested which case.
    features
        Name of a group -> its features, which are exchanged together (features that repeat each other hide each other's
        worth when they are exchanged one by one). Default: each feature alone.
    repeats
        Permutations that are averaged.
    draws, seed
        Bootstrap resamples of patients; chooses them and the permutations.

    Returns
    -------
    tuple of Importance
        The largest first.

    Notes
    -----
    Inside the held-out cases of each fold every patient gets the values of another patient: cases of one patient stay together,
    since they would otherwise get each other's, which are nearly their own.

    References
    ----------
    Fisher, Rudin, Dominici. All models are wrong, but many are useful. JMLR 20 (2019) 177.
    """
    models = [(model, np.flatnonzero(proof.fold == number)) for number, model in enumerate(proof.models)]
    return importance_of(table.take(proof.tested), models, features=features, repeats=repeats, draws=draws, seed=seed)


def importance_of(
    table: Table,
    models: Sequence[tuple[Predicts, npt.NDArray[np.int64]]],
    *,
    features: Mapping[str, Sequence[str]] | None = None,
    repeats: int = 10,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[Importance, ...]:
    """Judge features by the predictions of cases that the models never saw.

    Parameters
    ----------
    table
        Those cases.
    models
        Each with the rows that it predicts; all rows together are those of the table, once each.
    features, repeats, draws, seed
        As of `permutation_importance`.
    """
    if repeats < 1:
        raise ParameterError(f"{repeats} permutations: expected 1 or more.")
    columns = _columns(table, features)
    rises = {name: np.zeros(len(table)) for name in columns}
    for number, (model, rows) in enumerate(models):
        part = table.take(rows)
        before = _loss(model, part, part.values)
        for at, (name, chosen) in enumerate(columns.items()):
            generator = np.random.default_rng([seed, number, at])
            for _ in range(repeats):
                values = part.values.copy()
                values[:, chosen] = part.values[_donors(part.groups, generator)][:, chosen]
                rises[name][rows] += (_loss(model, part, values) - before) / repeats
    folds = len(models)
    widen = float(np.sqrt(1 + folds / (folds - 1))) if folds > 1 else 1.0
    found = []
    for name, rise in rises.items():
        value = float(rise.mean())
        interval = widened(value, mean_interval(rise, table.groups, draws, seed), widen)
        found.append(Importance(name, Score(value, "1", interval, rise.size)))
    return tuple(sorted(found, key=lambda one: (-one.score.value, one.name)))


def _columns(table: Table, features: Mapping[str, Sequence[str]] | None) -> dict[str, npt.NDArray[np.int64]]:
    known = {name: k for k, name in enumerate(table.names)}
    wanted = {name: (name,) for name in table.names} if features is None else features
    for group, names in wanted.items():
        for name in names:
            if name not in known:
                raise UnknownNameError(f"No feature '{name}' (of group '{group}') in the table.{did_you_mean(name, known)}")
    return {group: np.array([known[n] for n in names], np.int64) for group, names in wanted.items()}


def _donors(groups: npt.NDArray[np.str_], generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return for each case the case whose values it gets: of a patient drawn for its own, in turn where there are several."""
    names, code = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(code == k) for k in range(names.size)]
    given = generator.permutation(names.size)
    donors = np.empty(groups.size, np.int64)
    for own, other in zip(members, given, strict=True):
        donors[own] = np.resize(members[other], own.size)
    return donors


def _loss(model: Predicts, part: Table, values: FloatArray) -> FloatArray:
    predicted = model.predict(values, part.sites)
    if not part.classes:
        return np.abs(predicted - part.target)
    chosen = predicted[np.arange(len(part)), part.target.astype(np.int64)]
    return np.asarray(-np.log(np.maximum(chosen, 1e-4)))
