"""What is fitted inside a fold: filling, harmonising, scaling, choosing features, and the learner itself, as one value."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.extras import require
from isocenter.learn.combat import Combat, fit_combat
from isocenter.learn.estimators.catalogue import Learner, learner
from isocenter.learn.standard import Standard, standard_of

__all__ = ["FittedRecipe", "Recipe", "Table", "filled"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Features and what is known of their cases.

    Attributes
    ----------
    values
        Shape (n, features); NaN where a feature is not defined.
    target
        Class indices (integers) or numbers, shape (n,).
    groups
        Patient of each case, shape (n,).
    sites
        Site of each case, shape (n,); empty text where it is not known.
    names
        Of the features.
    classes
        Names of the classes; empty for a regression.
    unit
        Of the numbers.
    """

    values: FloatArray
    target: npt.NDArray[Any]
    groups: npt.NDArray[np.str_]
    sites: npt.NDArray[np.str_]
    names: tuple[str, ...]
    classes: tuple[str, ...] = ()
    unit: str = "1"

    def __post_init__(self) -> None:
        values = np.asarray(self.values, np.float64)
        target = np.asarray(self.target)
        n = len(values)
        if values.ndim != 2 or not n or values.shape[1] != len(self.names):
            raise ContentError(f"Features of shape {values.shape} for {len(self.names)} names: expected (cases, features).")
        if not (target.size == np.size(self.groups) == np.size(self.sites) == n):
            raise ContentError(
                f"{n} cases with {target.size} targets and {np.size(self.groups)} patients: expected one for each."
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "groups", np.asarray(self.groups).astype(str).ravel())
        object.__setattr__(self, "sites", np.asarray(self.sites).astype(str).ravel())
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "classes", tuple(self.classes))

    @property
    def task(self) -> Literal["classification", "regression"]:
        """What there is to learn."""
        return "classification" if self.classes else "regression"

    def take(self, indices: npt.ArrayLike) -> Table:
        """Return some of the cases."""
        i = np.asarray(indices, np.int64)
        return Table(self.values[i], self.target[i], self.groups[i], self.sites[i], self.names, self.classes, self.unit)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Recipe:
    """How a model is made from a table.

    Attributes
    ----------
    learner
        Name in the catalogue.
    settings
        Of the learner.
    harmonise
        Take the effect of the site out first (ComBat).
    keep
        Features kept of all: those that tell most, less those that repeat a kept one; None keeps all.
    seed
        Of everything random.
    guess
        Guess where no feature varies among the training cases, instead of refusing: site and patient data may be alike in a small fold.
    """

    learner: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    harmonise: bool = False
    keep: int | None = None
    seed: int = 0
    guess: bool = False

    def with_settings(self, settings: Mapping[str, Any]) -> Recipe:
        """Return the recipe with other settings of its learner."""
        return replace(self, settings=dict(settings))

    def fit(self, table: Table) -> FittedRecipe:
        """Fit everything on these cases, and on nothing else.

        Raises
        ------
        ContentError
            If there is one class only, or no feature varies.
        """
        known: Learner = learner(self.learner)
        if table.task not in known.tasks:
            raise ParameterError(f"Learner '{self.learner}' for {table.task}: expected one of {', '.join(known.tasks)}.")
        if table.classes and np.unique(table.target).size < 2:
            raise ContentError("A classifier cannot be trained on one class: expected two or more.")
        middle, x = filled(table.values)
        several = int((np.unique(table.sites, return_counts=True)[1] >= 2).sum()) >= 2
        combat = fit_combat(x, table.sites) if self.harmonise and several else None
        if combat is not None:
            x = combat(x, table.sites)
        mean, spread = x.mean(axis=0), x.std(axis=0)
        varies = spread > 1e-9 * np.maximum(1.0, np.abs(mean))
        z = (x - mean) / np.where(varies, spread, 1.0)
        kept = _chosen(z, table.target, varies, self.keep, bool(table.classes))
        settings = dict(self.settings)
        if not kept.size:
            if not self.guess:
                raise ContentError("No feature varies among the training cases: expected one or more that does.")
            known, settings, kept = learner("majority"), {}, np.array([0], np.int64)
        standard = Standard(0.0, 1.0, False) if table.classes else standard_of(table.target)
        wanted = table.target if table.classes else standard.into(table.target)
        model = known.make(table.task, self.seed, int(kept.size), **settings)
        with one_thread():
            model.fit(z[:, kept], wanted)
        spread = np.where(varies, spread, 1.0)
        units = (standard.centre, standard.scale, standard.logarithm)
        return FittedRecipe(self, table.classes, middle, combat, mean, spread, kept, model, *units)


@dataclass(frozen=True)
class FittedRecipe:
    """A fitted model with all that was fitted before it.

    Attributes
    ----------
    recipe, classes
        What made it, and the classes it tells apart.
    middle, combat, mean, spread, kept
        Fill values, harmonisation, scaling and the columns that the model sees.
    model
        The fitted estimator.
    centre, scale, logarithm
        Of the target of a regression: it is learned in standard units, and as a logarithm where it is positive and skewed.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    middle: FloatArray
    combat: Combat | None
    mean: FloatArray
    spread: FloatArray
    kept: npt.NDArray[np.int64]
    model: Any
    centre: float
    scale: float
    logarithm: bool

    def prepared(self, values: npt.ArrayLike, sites: npt.ArrayLike) -> FloatArray:
        """Return what the model sees of features of shape (n, features)."""
        x = np.asarray(values, np.float64)
        if x.ndim != 2 or x.shape[1] != self.middle.size:
            raise ContentError(f"Features of shape {x.shape}: expected {self.middle.size} columns as in training.")
        x = np.where(np.isfinite(x), x, self.middle)
        if self.combat is not None:
            x = self.combat(x, sites)
        return np.asarray(((x - self.mean) / self.spread)[:, self.kept])

    def predict(self, values: npt.ArrayLike, sites: npt.ArrayLike) -> FloatArray:
        """Return probabilities of shape (n, classes), or numbers of shape (n,)."""
        with one_thread():
            return self.predict_prepared(self.prepared(values, sites))

    def predict_prepared(self, z: FloatArray) -> FloatArray:
        """Return the same for what `prepared` gives."""
        if not self.classes:
            return Standard(self.centre, self.scale, self.logarithm).back(self.model.predict(z))
        p = np.zeros((len(z), len(self.classes)))
        from isocenter.learn.estimators.ensemble import probabilities_of

        p[:, np.asarray(self.model.classes_, np.int64)] = probabilities_of(self.model, z)
        return p


def filled(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the median of each column over what is finite in it, and the values with it where they are not."""
    middle = _middles(values)
    return middle, np.where(np.isfinite(values), values, middle)


def _middles(values: FloatArray) -> FloatArray:
    """Return the median of each column over what is finite in it; 0 where nothing is."""
    if np.isfinite(values).all():
        return np.asarray(np.median(values, axis=0))
    held = np.ma.masked_invalid(values)
    return np.asarray(np.ma.median(held, axis=0).filled(0.0))


@functools.cache
def _pools() -> Any:
    # Looking for the libraries that have threads takes milliseconds: once for each process, after scikit-learn is there.
    require("sklearn.ensemble", "Training a model")
    return require("threadpoolctl", "Training a model").ThreadpoolController()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra and tree building to one thread: sums in one order, and no threads that wait for each other."""
    with _pools().limit(limits=1):
        yield


def _chosen(
    z: FloatArray, target: npt.NDArray[Any], varies: npt.NDArray[np.bool_], keep: int | None, classes: bool
) -> npt.NDArray[np.int64]:
    """Return the columns to keep: by how much they tell of the target, passing over those that repeat one already kept."""
    columns = np.flatnonzero(varies)
    if keep is None or columns.size <= keep:
        return columns
    wanted = np.eye(int(target.max()) + 1)[target.astype(np.int64)] if classes else np.asarray(target, np.float64)[:, None]
    wanted = wanted - wanted.mean(axis=0)
    strength = ((z[:, columns].T @ wanted) ** 2 / np.maximum((wanted**2).sum(axis=0), 1e-12)).max(axis=1)
    taken: list[int] = []
    for k in columns[np.argsort(-strength, kind="stable")]:
        if all(abs(float(z[:, k] @ z[:, j])) / len(z) < 0.95 for j in taken):
            taken.append(int(k))
            if len(taken) == keep:
                break
    return np.array(sorted(taken), np.int64)
