"""Names of classical learners, what each is for, and the few settings that are tried inside a fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from isocenter.core.errors import UnknownNameError, did_you_mean
from isocenter.core.extras import require

__all__ = ["LEARNERS", "Learner", "learner"]

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Learner:
    """A learner by name.

    Attributes
    ----------
    name, summary
        What it is called, and what it is.
    tasks
        What it can learn.
    make
        ``make(task, seed, features, **settings)`` returns an estimator that is not yet fitted, for so many standardised features.
    settings
        Those that are tried in the inner folds; the first is taken where there is nothing to choose by.
    """

    name: str
    summary: str
    tasks: tuple[Task, ...]
    make: Callable[..., Any]
    settings: tuple[Mapping[str, Any], ...] = ({},)


def _majority(task: Task, seed: int, features: int) -> Any:
    dummy = require("sklearn.dummy", "Training a model")
    return dummy.DummyClassifier(strategy="prior") if task == "classification" else dummy.DummyRegressor(strategy="median")


def _logistic(task: Task, seed: int, features: int, strength: float = 1.0) -> Any:
    linear = require("sklearn.linear_model", "Training a model")
    if task == "regression":
        return linear.Ridge(alpha=1.0 / strength)
    return linear.LogisticRegression(C=strength, max_iter=5000)


def _svm(kernel: str) -> Callable[..., Any]:
    def make(task: Task, seed: int, features: int, strength: float = 1.0, width: float = 1.0) -> Any:
        svm = require("sklearn.svm", "Training a model")
        common = {"C": strength, "kernel": kernel, "gamma": width / features, "degree": 3, "coef0": 1.0, "cache_size": 200}
        return svm.SVC(**common) if task == "classification" else svm.SVR(**common, epsilon=0.05)

    return make


def _forest(task: Task, seed: int, features: int, trees: int = 300, least: int = 2) -> Any:
    ensemble = require("sklearn.ensemble", "Training a model")
    kind = ensemble.ExtraTreesClassifier if task == "classification" else ensemble.ExtraTreesRegressor
    share = "sqrt" if task == "classification" else 0.33
    return kind(n_estimators=trees, min_samples_leaf=least, max_features=share, random_state=seed, n_jobs=1)


def _boosting(task: Task, seed: int, features: int, rate: float = 0.06, leaves: int = 15) -> Any:
    ensemble = require("sklearn.ensemble", "Training a model")
    kind = ensemble.HistGradientBoostingClassifier if task == "classification" else ensemble.HistGradientBoostingRegressor
    return kind(
        learning_rate=rate, max_iter=150, max_leaf_nodes=leaves, l2_regularization=1.0, early_stopping=False, random_state=seed
    )


def _neighbours(task: Task, seed: int, features: int, count: int = 7) -> Any:
    neighbours = require("sklearn.neighbors", "Training a model")
    kind = neighbours.KNeighborsClassifier if task == "classification" else neighbours.KNeighborsRegressor
    return kind(n_neighbors=count, weights="distance")


def _elm(task: Task, seed: int, features: int, nodes: int = 300, width: float = 1.0, ridge: float = 1e-2) -> Any:
    require("sklearn", "Training a model")
    from isocenter.learn.estimators.elm import ExtremeLearningMachine

    return ExtremeLearningMachine(nodes, "gaussian", width, ridge, seed)


def _dbn(task: Task, seed: int, features: int, strength: float = 1.0) -> Any:
    require("sklearn", "Training a model")
    from isocenter.learn.estimators.dbn import DeepBeliefNetwork

    return DeepBeliefNetwork(strength=strength, seed=seed)


def _mlp(task: Task, seed: int, features: int, penalty: float = 1e-2) -> Any:
    network = require("sklearn.neural_network", "Training a model")
    kind = network.MLPClassifier if task == "classification" else network.MLPRegressor
    return kind(
        hidden_layer_sizes=(64,),
        alpha=penalty,
        max_iter=300,
        early_stopping=False,
        random_state=seed,
        tol=1e-3,
        n_iter_no_change=20,
    )


def _ensemble(task: Task, seed: int, features: int) -> Any:
    require("sklearn", "Training a model")
    from isocenter.learn.estimators.ensemble import Average

    regression = task == "regression"
    return Average(
        (
            _svm("rbf")(task, seed, features, 3.0, 0.3 if regression else 1.0),
            _forest(task, seed, features, 500),
            _logistic(task, seed, features, 0.01),
        )
    )


_BOTH: tuple[Task, ...] = ("classification", "regression")
#: Multiples of one over the number of features, as the width of a Gaussian kernel is usually given.
_WIDTHS = tuple({"strength": s, "width": w} for s in (1.0, 3.0, 10.0) for w in (1.0, 0.3))
_STRENGTHS = tuple({"strength": s} for s in (1.0, 0.1, 10.0))

#: Every classical learner, simplest first: the first is the baseline that all others must beat.
LEARNERS: dict[str, Learner] = {
    one.name: one
    for one in (
        Learner("majority", "Says the share of each class, or the median, whatever the case: the floor.", _BOTH, _majority),
        Learner(
            "logistic",
            "Logistic (or ridge) regression: linear, and easy to read.",
            _BOTH,
            _logistic,
            ({"strength": 0.01}, *_STRENGTHS),
        ),
        Learner(
            "svm-linear",
            "Support vector machine with a linear kernel.",
            _BOTH,
            _svm("linear"),
            ({"strength": 0.01}, {"strength": 0.1}, {"strength": 1.0}),
        ),
        Learner("svm-polynomial", "Support vector machine with a cubic kernel.", _BOTH, _svm("poly"), _STRENGTHS),
        Learner("svm", "Support vector machine with a Gaussian kernel.", _BOTH, _svm("rbf"), _WIDTHS),
        Learner("forest", "Forest of extremely randomised trees.", _BOTH, _forest, ({"least": 2}, {"least": 5})),
        Learner("boosting", "Gradient-boosted trees.", _BOTH, _boosting, ({"leaves": 15}, {"leaves": 6})),
        Learner("ensemble", "The mean of a Gaussian support vector machine, a forest and a linear model.", _BOTH, _ensemble),
        Learner("neighbours", "The nearest training cases vote.", _BOTH, _neighbours, ({"count": 7}, {"count": 15})),
        Learner("mlp", "Network of one hidden layer on features.", _BOTH, _mlp, ({"penalty": 1e-2}, {"penalty": 1.0})),
        Learner(
            "elm", "Extreme learning machine with Gaussian nodes.", ("classification",), _elm, ({"width": 1.0}, {"width": 2.0})
        ),
        Learner("dbn", "Deep belief network: stacked Boltzmann machines and a logistic model.", ("classification",), _dbn),
    )
}


def learner(name: str) -> Learner:
    """Return a learner by name.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    if name not in LEARNERS:
        raise UnknownNameError(f"No learner '{name}': there are {', '.join(LEARNERS)}.{did_you_mean(name, LEARNERS)}")
    return LEARNERS[name]
