"""Fitted models as arrays alone: each predicts with numpy as the estimator did that the arrays were taken from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

__all__ = ["Arrays", "Classifier", "Machine", "Regressor", "raw_values"]

FloatArray = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]

#: Samples compared with all stored ones at a time, so that memory stays bounded.
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model that gives probabilities.

    Attributes
    ----------
    kind
        What the arrays are.
    arrays
        Name -> array; ``classes`` among them.
    """

    kind: str
    arrays: Arrays

    @property
    def classes_(self) -> npt.NDArray[np.int64]:
        """The classes that it was fitted on."""
        return np.asarray(self.arrays["classes"], np.int64)

    def predict_proba(self, x: FloatArray) -> FloatArray:
        """Return probabilities of shape (n, classes)."""
        raw = raw_values(self.kind, self.arrays, x)
        if self.kind in ("prior", "trees", "neighbours"):
            return raw
        if raw.shape[1] == 1:
            p = expit(raw[:, 0])
            return np.stack([1.0 - p, p], axis=1)
        return np.asarray(softmax(raw, axis=1))


@dataclass(frozen=True, eq=False)
class Machine:
    """A support vector classifier: decisions, one against the rest.

    Attributes
    ----------
    kind, arrays
        As of `Classifier`.
    """

    kind: str
    arrays: Arrays

    @property
    def classes_(self) -> npt.NDArray[np.int64]:
        """The classes that it was fitted on."""
        return np.asarray(self.arrays["classes"], np.int64)

    def decision_function(self, x: FloatArray) -> FloatArray:
        """Return decisions of shape (n,) for two classes, (n, classes) for more."""
        pairs = raw_values(self.kind, self.arrays, x)
        if pairs.shape[1] == 1:
            return pairs[:, 0]
        return _one_against_rest(pairs, self.classes_.size)


@dataclass(frozen=True, eq=False)
class Regressor:
    """A model that gives numbers.

    Attributes
    ----------
    kind, arrays
        As of `Classifier`, without classes.
    """

    kind: str
    arrays: Arrays

    def predict(self, x: FloatArray) -> FloatArray:
        """Return numbers of shape (n,)."""
        return raw_values(self.kind, self.arrays, x)[:, 0]


def raw_values(kind: str, arrays: Arrays, x: FloatArray) -> FloatArray:
    """Return what a model computes before it is made into probabilities, shape (n, outputs)."""
    return _KINDS[kind](arrays, np.asarray(x, np.float64))


def _constant(a: Arrays, x: FloatArray) -> FloatArray:
    return np.broadcast_to(a["value"], (len(x), a["value"].size)).copy()


def _linear(a: Arrays, x: FloatArray) -> FloatArray:
    return np.asarray(x @ a["slopes"] + a["offset"])


def _trees(a: Arrays, x: FloatArray) -> FloatArray:
    """Return the mean leaf of a forest; its trees compare in single precision."""
    node = _leaves(a, x.astype(np.float32))
    total = np.zeros((len(x), a["value"].shape[1]))
    for column in node.T:  # in the order of the trees: sums of floats depend on it
        total += a["value"][column]
    return total / node.shape[1]


def _boosted(a: Arrays, x: FloatArray) -> FloatArray:
    node = _leaves(a, x)
    outputs = a["baseline"].size
    total = np.zeros((len(x), outputs)) + a["baseline"]
    for tree, column in enumerate(node.T):
        total[:, tree % outputs] += a["value"][column, 0]
    return total


def _leaves(a: Arrays, x: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the leaf of every sample in every tree, shape (n, trees)."""
    node = np.broadcast_to(a["roots"], (len(x), a["roots"].size)).astype(np.int64)
    rows = np.arange(len(x))[:, None]
    while True:
        inner = a["left"][node] >= 0
        if not inner.any():
            return node
        goes_left = x[rows, np.where(inner, a["feature"][node], 0)] <= a["threshold"][node]
        node = np.where(inner, np.where(goes_left, a["left"][node], a["right"][node]), node)


def _neighbours(a: Arrays, x: FloatArray) -> FloatArray:
    """Return the mean of the nearest rows, each by one over its distance; rows that are equal decide alone."""
    rows, values, count = a["rows"], a["values"], int(a["count"][0])
    found = []
    for start in range(0, len(x), _CHUNK):
        distance = np.sqrt(((x[start : start + _CHUNK, None] - rows[None]) ** 2).sum(axis=2))
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :count]
        near = np.take_along_axis(distance, nearest, axis=1)
        with np.errstate(divide="ignore"):
            weight = 1.0 / near
        equal = np.isinf(weight)
        weight = np.where(equal.any(axis=1, keepdims=True), equal.astype(np.float64), weight)
        found.append((weight[:, :, None] * values[nearest]).sum(axis=1) / weight.sum(axis=1, keepdims=True))
    return np.concatenate(found) if found else np.zeros((0, values.shape[1]))


def _kernel(a: Arrays, x: FloatArray) -> FloatArray:
    """Return the decisions of a support vector machine with a kernel, shape (n, pairs)."""
    found = []
    for start in range(0, len(x), _CHUNK):
        part = x[start : start + _CHUNK]
        if int(a["degree"][0]):
            k = (float(a["gamma"][0]) * (part @ a["vectors"].T) + 1.0) ** int(a["degree"][0])
        else:
            squared = (part**2).sum(axis=1)[:, None] + (a["vectors"] ** 2).sum(axis=1)[None] - 2.0 * part @ a["vectors"].T
            k = np.exp(-float(a["gamma"][0]) * np.maximum(squared, 0.0))
        found.append(k @ a["weights"] + a["offset"])
    return np.concatenate(found) if found else np.zeros((0, a["offset"].size))


def _one_against_rest(pairs: FloatArray, classes: int) -> FloatArray:
    """Return votes of the pairs with their confidence squeezed to less than half a vote, as scikit-learn joins them."""
    votes, sums = np.zeros((len(pairs), classes)), np.zeros((len(pairs), classes))
    k = 0
    for i in range(classes):
        for j in range(i + 1, classes):
            sums[:, i] += pairs[:, k]
            sums[:, j] -= pairs[:, k]
            votes[:, i] += pairs[:, k] >= 0
            votes[:, j] += pairs[:, k] < 0
            k += 1
    return votes + sums / (3.0 * (np.abs(sums) + 1.0))


def _perceptron(a: Arrays, x: FloatArray) -> FloatArray:
    layers = sum(name.startswith("slopes") for name in a)
    for k in range(layers):
        x = x @ a[f"slopes{k}"] + a[f"offset{k}"]
        if k < layers - 1:
            x = np.maximum(x, 0.0)
    return x


def _bumps(a: Arrays, x: FloatArray) -> FloatArray:
    squared = (x**2).sum(axis=1)[:, None] + (a["centres"] ** 2).sum(axis=1)[None] - 2.0 * x @ a["centres"].T
    hidden = np.exp(-np.maximum(squared, 0.0) / (2.0 * float(a["scale"][0]) ** 2))
    return np.asarray(2.0 * ((hidden - a["mean"]) @ a["weights"] + a["offset"]))


def _directions(a: Arrays, x: FloatArray) -> FloatArray:
    hidden = np.tanh(x @ a["centres"].T + a["shift"])
    return np.asarray(2.0 * ((hidden - a["mean"]) @ a["weights"] + a["offset"]))


def _belief(a: Arrays, x: FloatArray) -> FloatArray:
    value = first = np.clip(x * a["scale"] + a["shift"], 0.0, 1.0)
    for k in range(sum(name.startswith("units") for name in a)):
        value = expit(value @ a[f"units{k}"].T + a[f"bias{k}"])
    return np.asarray(np.concatenate([first, value], axis=1) @ a["slopes"] + a["offset"])


_KINDS: dict[str, Callable[[Arrays, FloatArray], FloatArray]] = {
    "belief": _belief,
    "boosted": _boosted,
    "bumps": _bumps,
    "constant": _constant,
    "directions": _directions,
    "kernel": _kernel,
    "linear": _linear,
    "neighbours": _neighbours,
    "perceptron": _perceptron,
    "prior": _constant,
    "trees": _trees,
}
