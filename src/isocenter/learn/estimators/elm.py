"""Extreme learning machine: random hidden nodes, and output weights in one step."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from isocenter.core.errors import ContentError, ParameterError

__all__ = ["ExtremeLearningMachine"]

FloatArray = npt.NDArray[np.float64]


class ExtremeLearningMachine(ClassifierMixin, BaseEstimator):
    """Classify by a layer of random nodes whose output weights are the ridge solution.

    Parameters
    ----------
    nodes
        Hidden nodes.
    kind
        ``gaussian`` (bumps about random training samples) or ``sigmoid`` (random directions).
    width
        Of a bump, in multiples of the median distance between samples; for ``sigmoid`` the scale of the weights.
    ridge
        Penalty on the output weights.
    seed
        Chooses the nodes.

    References
    ----------
    Huang, Zhu and Siew. Extreme learning machine: theory and applications. Neurocomputing 70 (2006) 489-501; Huang et al. Extreme
    learning machine for regression and multiclass classification. IEEE SMC B 42 (2012) 513-529 (ridge).
    """

    def __init__(
        self,
        nodes: int = 300,
        kind: Literal["gaussian", "sigmoid"] = "gaussian",
        width: float = 1.0,
        ridge: float = 1e-2,
        seed: int = 0,
    ) -> None:
        self.nodes, self.kind, self.width, self.ridge, self.seed = nodes, kind, width, ridge, seed

    def fit(self, X: Any, y: Any) -> ExtremeLearningMachine:
        """Fit to samples of shape (n, features) and their labels."""
        x = np.asarray(X, np.float64)
        self.classes_, code = np.unique(np.asarray(y), return_inverse=True)
        if self.classes_.size < 2:
            raise ContentError("A classifier cannot be trained on one class: expected two or more.")
        generator = np.random.default_rng(self.seed)
        self.n_features_in_ = x.shape[1]
        if self.kind == "gaussian":
            self.centres_ = x[generator.choice(len(x), min(self.nodes, len(x)), replace=False)]
            some = x[generator.choice(len(x), min(200, len(x)), replace=False)]
            distances = np.sqrt(_squared(some, some)[np.triu_indices(len(some), 1)])
            self.scale_ = self.width * max(float(np.median(distances)) if distances.size else 1.0, 1e-12)
        elif self.kind == "sigmoid":
            self.centres_ = generator.normal(size=(self.nodes, x.shape[1])) * self.width / np.sqrt(x.shape[1])
            self.shift_ = generator.normal(size=self.nodes)
        else:
            raise ParameterError(f"Nodes of kind '{self.kind}': expected gaussian or sigmoid.")
        hidden = self._hidden(x)
        self.mean_ = hidden.mean(axis=0)
        hidden = hidden - self.mean_
        target = 2.0 * np.eye(self.classes_.size)[code] - 1.0
        self.offset_ = target.mean(axis=0)
        gram = hidden.T @ hidden + self.ridge * np.eye(hidden.shape[1])
        self.weights_ = np.linalg.solve(gram, hidden.T @ (target - self.offset_))
        return self

    def _hidden(self, x: FloatArray) -> FloatArray:
        if self.kind == "gaussian":
            return np.asarray(np.exp(-_squared(x, self.centres_) / (2.0 * self.scale_**2)))
        return np.asarray(np.tanh(x @ self.centres_.T + self.shift_))

    def predict_proba(self, X: Any) -> FloatArray:
        """Return probabilities of shape (n, classes): the soft maximum of the outputs."""
        score = (self._hidden(np.asarray(X, np.float64)) - self.mean_) @ self.weights_ + self.offset_
        out = np.exp(2.0 * (score - score.max(axis=1, keepdims=True)))
        return np.asarray(out / out.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each sample."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def _squared(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.maximum((first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2.0 * first @ second.T, 0.0)
