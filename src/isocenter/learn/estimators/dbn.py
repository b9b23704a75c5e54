"""Deep belief network: restricted Boltzmann machines stacked greedily, a logistic model on top."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM
from sklearn.preprocessing import MinMaxScaler

__all__ = ["DeepBeliefNetwork"]

FloatArray = npt.NDArray[np.float64]


class DeepBeliefNetwork(ClassifierMixin, BaseEstimator):
    """Classify by features that restricted Boltzmann machines learn one layer after the other.

    Parameters
    ----------
    layers
        Units of each machine.
    epochs
        Passes over the samples for each.
    rate
        Learning rate of contrastive divergence.
    strength
        Inverse penalty of the logistic model, which also sees the inputs.
    seed
        Of the machines.

    References
    ----------
    Hinton, Osindero and Teh. A fast learning algorithm for deep belief nets. Neural Computation 18 (2006) 1527-1554.
    """

    def __init__(
        self, layers: tuple[int, ...] = (64, 32), epochs: int = 30, rate: float = 0.05, strength: float = 1.0, seed: int = 0
    ) -> None:
        self.layers, self.epochs, self.rate, self.strength, self.seed = layers, epochs, rate, strength, seed

    def fit(self, X: Any, y: Any) -> DeepBeliefNetwork:
        """Fit to samples of shape (n, features) and their labels."""
        x = np.asarray(X, np.float64)
        # A Bernoulli unit takes shares: features are brought to 0 .. 1 by the training samples alone.
        self.scaler_ = MinMaxScaler(clip=True).fit(x)
        self.machines_ = []
        value = self.scaler_.transform(x)
        for k, units in enumerate(self.layers):
            machine = BernoulliRBM(units, learning_rate=self.rate, n_iter=self.epochs, batch_size=16, random_state=self.seed + k)
            value = machine.fit_transform(value)
            self.machines_.append(machine)
        self.top_ = LogisticRegression(C=self.strength, max_iter=2000).fit(self._features(x), y)
        self.classes_ = self.top_.classes_
        return self

    def _features(self, x: FloatArray) -> FloatArray:
        value = first = self.scaler_.transform(x)
        for machine in self.machines_:
            value = machine.transform(value)
        return np.concatenate([first, value], axis=1)

    def predict_proba(self, X: Any) -> FloatArray:
        """Return probabilities of shape (n, classes)."""
        return np.asarray(self.top_.predict_proba(self._features(np.asarray(X, np.float64))))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each sample."""
        return np.asarray(self.top_.predict(self._features(np.asarray(X, np.float64))))
