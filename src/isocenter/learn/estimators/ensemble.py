"""Several learners that see the same features: their probabilities, or numbers, are averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

__all__ = ["Average", "probabilities_of"]

FloatArray = npt.NDArray[np.float64]


def probabilities_of(model: Any, x: FloatArray) -> FloatArray:
    """Return class probabilities of a fitted scikit-learn classifier, by its decision function where it has no probabilities.

    Parameters
    ----------
    model
        Fitted.
    x
        Shape (n, features).

    Returns
    -------
    array
        Shape (n, classes that it was fitted on), rows summing to 1.
    """
    if hasattr(model, "predict_proba"):
        p = np.asarray(model.predict_proba(x), np.float64)
        return p / p.sum(axis=1, keepdims=True)
    decision = np.asarray(model.decision_function(x), np.float64)
    if decision.ndim == 1:
        decision = np.stack([-decision, decision], axis=1)
    out = np.exp(decision - decision.max(axis=1, keepdims=True))
    return np.asarray(out / out.sum(axis=1, keepdims=True))


class Average(BaseEstimator):
    """The mean of several estimators, classifiers or regressors.

    Parameters
    ----------
    members
        Estimators that are not yet fitted.
    """

    def __init__(self, members: tuple[Any, ...]) -> None:
        self.members = members

    def fit(self, X: Any, y: Any) -> Average:
        """Fit every member to samples of shape (n, features)."""
        for member in self.members:
            member.fit(X, y)
        if hasattr(self.members[0], "classes_"):
            self.classes_ = self.members[0].classes_
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the mean probabilities, shape (n, classes)."""
        return np.asarray(np.mean([probabilities_of(m, X) for m in self.members], axis=0))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class, or the mean number, of each sample."""
        if hasattr(self, "classes_"):
            return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
        return np.asarray(np.mean([m.predict(X) for m in self.members], axis=0))
