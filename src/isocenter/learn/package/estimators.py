"""Every learner of the catalogue as arrays and back: nothing is pickled, so a package runs no code of whoever made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.learn.estimators.ensemble import Average
from isocenter.learn.package.predictors import Arrays, Classifier, Machine, Regressor, raw_values

__all__ = ["HOLDS_ROWS", "from_arrays", "to_arrays"]

#: Kinds whose arrays hold rows of training cases as they are.
HOLDS_ROWS = {
    "bumps": "centres that are feature rows of training cases",
    "kernel": "support vectors, which are feature rows of training cases",
    "neighbours": "the feature rows and targets of all training cases",
}

Found = tuple[str, dict[str, npt.NDArray[Any]]]


def to_arrays(model: Any) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return a fitted estimator as plain values and arrays.

    Parameters
    ----------
    model
        Fitted, of the catalogue of learners; or what `from_arrays` gave.

    Returns
    -------
    description, arrays
        ``{"form": ..., "kind": ...}`` (``members`` for an average), and its arrays by name.

    Raises
    ------
    UnsupportedError
        If there is no way to write it without code.
    """
    if isinstance(model, Classifier | Machine | Regressor):
        return {"form": type(model).__name__.lower(), "kind": model.kind}, dict(model.arrays)
    if isinstance(model, Average):
        members, arrays = [], {}
        for k, member in enumerate(model.members):
            description, own = to_arrays(member)
            members.append(description)
            arrays.update({f"{k}/{name}": value for name, value in own.items()})
        return {"form": "average", "members": members}, arrays
    name = type(model).__name__
    if name not in _TAKEN:
        raise UnsupportedError(f"A model of type {name} cannot be packaged: expected a learner of the catalogue.")
    kind, found = _TAKEN[name](model)
    arrays = {key: np.ascontiguousarray(np.atleast_1d(value)) for key, value in found.items()}
    if not hasattr(model, "classes_"):
        return {"form": "regressor", "kind": kind}, arrays
    arrays["classes"] = np.asarray(model.classes_, np.int64)
    return {"form": "machine" if name == "SVC" else "classifier", "kind": kind}, arrays


def from_arrays(description: Mapping[str, Any], arrays: Arrays) -> Any:
    """Return the model that `to_arrays` described; it predicts as the estimator did.

    Raises
    ------
    FormatError
        If the description or an array is missing or does not fit.
    """
    try:
        form = description["form"]
        if form == "average":
            members = description["members"]
            model = Average(tuple(from_arrays(d, _below(arrays, k)) for k, d in enumerate(members)))
            if hasattr(model.members[0], "classes_"):
                model.classes_ = model.members[0].classes_
            return model
        forms: dict[str, Callable[..., Any]] = {"classifier": Classifier, "machine": Machine, "regressor": Regressor}
        made = forms[form](str(description["kind"]), dict(arrays))
        _check_trees(made.arrays)
        raw_values(made.kind, made.arrays, np.zeros((1, _features(made.arrays))))  # arrays that do not fit are found here
        if form != "regressor":
            made.classes_  # noqa: B018 - it must be there
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            f"The model's arrays do not fit its description ({error}): the package was not written whole."
        ) from error
    return made


def _below(arrays: Arrays, k: int) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(f"{k}/"): value for name, value in arrays.items() if name.startswith(f"{k}/")}


def _features(arrays: Arrays) -> int:
    return int(arrays["features"][0])


def _check_trees(arrays: Arrays) -> None:
    """Refuse trees that would never end, or look at a feature that is not there."""
    if "rows" in arrays and not len(arrays["rows"]) == len(arrays["values"]) >= int(arrays["count"][0]) > 0:
        raise ValueError("stored cases without their targets")
    if "roots" not in arrays:
        return
    left, right, feature = arrays["left"], arrays["right"], arrays["feature"]
    own = np.arange(left.size)
    inner = left >= 0
    if (left[inner] <= own[inner]).any() or (right[inner] <= own[inner]).any():
        raise ValueError("a branch of a tree leads back")
    if max(left.max(initial=0), right.max(initial=0), arrays["roots"].max(initial=0)) >= left.size or arrays["roots"].min() < 0:
        raise ValueError("a branch of a tree leads nowhere")
    if feature.min(initial=0) < 0 or feature.max(initial=0) >= _features(arrays) or not left.size == right.size == feature.size:
        raise ValueError("a tree looks at a feature that is not there")
    if len(arrays["value"]) != left.size or len(arrays["threshold"]) != left.size:
        raise ValueError("a tree has nodes without a value")


def _sized(count: int, kind: str, found: dict[str, npt.NDArray[Any]]) -> Found:
    return kind, {**found, "features": np.array([count], np.int64)}


def _dummy_classifier(m: Any) -> Found:
    return _sized(int(getattr(m, "n_features_in_", 1)), "prior", {"value": m.class_prior_})


def _dummy_regressor(m: Any) -> Found:
    return _sized(int(getattr(m, "n_features_in_", 1)), "constant", {"value": m.constant_.ravel()})


def _logistic(m: Any) -> Found:
    return _sized(m.n_features_in_, "linear", {"slopes": m.coef_.T, "offset": m.intercept_})


def _ridge(m: Any) -> Found:
    return _sized(m.n_features_in_, "linear", {"slopes": np.atleast_2d(m.coef_).T, "offset": np.atleast_1d(m.intercept_)})


def _support(m: Any) -> Found:
    if m.kernel == "linear":  # its weights say all; the support vectors need not travel
        return _sized(m.n_features_in_, "linear", {"slopes": m.coef_.T, "offset": m.intercept_})
    weights = m.dual_coef_
    if hasattr(m, "classes_") and m.classes_.size > 2:
        weights = _pairs(m)
    degree = {"poly": int(m.degree), "rbf": 0}[m.kernel]
    if degree and m.coef0 != 1.0:
        raise UnsupportedError("A polynomial kernel with another constant than 1 cannot be packaged: expected the catalogue's.")
    return _sized(
        m.n_features_in_,
        "kernel",
        {
            "vectors": m.support_vectors_,
            "weights": np.asarray(weights).T,
            "offset": m.intercept_,
            "gamma": np.array([m._gamma], np.float64),
            "degree": np.array([degree], np.int64),
        },
    )


def _pairs(m: Any) -> npt.NDArray[np.float64]:
    """Return the weight of every support vector in every pair of classes, shape (pairs, vectors)."""
    count = m.classes_.size
    ends = np.concatenate([[0], np.cumsum(m.n_support_)])
    rows = []
    for i in range(count):
        for j in range(i + 1, count):
            row = np.zeros(ends[-1])
            row[ends[i] : ends[i + 1]] = m.dual_coef_[j - 1, ends[i] : ends[i + 1]]
            row[ends[j] : ends[j + 1]] = m.dual_coef_[i, ends[j] : ends[j + 1]]
            rows.append(row)
    return np.array(rows)


def _forest(m: Any) -> Found:
    trees = [e.tree_ for e in m.estimators_]
    values = [t.value[:, 0, :] for t in trees]
    found = _joined([(t.feature, t.threshold, t.children_left, t.children_right) for t in trees])
    return _sized(m.n_features_in_, "trees", {**found, "value": np.concatenate(values)})


def _boosting(m: Any) -> Found:
    nodes = [tree.nodes for stage in m._predictors for tree in stage]
    if any(n["is_categorical"].any() for n in nodes):
        raise UnsupportedError("Boosted trees on categories cannot be packaged: expected features that are numbers.")
    rows = []
    for n in nodes:
        leaf = n["is_leaf"].astype(bool)
        left, right = n["left"].astype(np.int64), n["right"].astype(np.int64)
        rows.append((n["feature_idx"], n["num_threshold"], np.where(leaf, -1, left), np.where(leaf, -1, right)))
    value = np.concatenate([n["value"] for n in nodes])[:, None]
    baseline = np.asarray(m._baseline_prediction, np.float64).ravel()
    return _sized(m.n_features_in_, "boosted", {**_joined(rows), "value": value, "baseline": baseline})


def _joined(trees: list[tuple[Any, Any, Any, Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the nodes of all trees in one row, children by their place in it; -1 for a leaf."""
    starts = np.concatenate([[0], np.cumsum([len(t[0]) for t in trees])]).astype(np.int64)
    found: dict[str, list[npt.NDArray[Any]]] = {"feature": [], "threshold": [], "left": [], "right": []}
    for start, (feature, threshold, left, right) in zip(starts, trees, strict=False):
        leaf = np.asarray(left) < 0
        found["feature"].append(np.where(leaf, 0, feature).astype(np.int64))
        found["threshold"].append(np.where(leaf, 0.0, threshold))
        found["left"].append(np.where(leaf, -1, np.asarray(left, np.int64) + start))
        found["right"].append(np.where(leaf, -1, np.asarray(right, np.int64) + start))
    return {"roots": starts[:-1], **{name: np.concatenate(parts) for name, parts in found.items()}}


def _nearest(m: Any) -> Found:
    values = (
        np.eye(m.classes_.size)[np.asarray(m._y, np.int64)] if hasattr(m, "classes_") else np.asarray(m._y, np.float64)[:, None]
    )
    found = {"rows": np.asarray(m._fit_X, np.float64), "values": values, "count": np.array([m.n_neighbors], np.int64)}
    return _sized(m.n_features_in_, "neighbours", found)


def _mlp(m: Any) -> Found:
    if m.activation != "relu":
        raise UnsupportedError(f"A network with activation '{m.activation}' cannot be packaged: expected relu.")
    found = {}
    for k, (slopes, offset) in enumerate(zip(m.coefs_, m.intercepts_, strict=True)):
        found[f"slopes{k}"], found[f"offset{k}"] = slopes, offset
    return _sized(m.n_features_in_, "perceptron", found)


def _elm(m: Any) -> Found:
    found = {"centres": m.centres_, "mean": m.mean_, "weights": m.weights_, "offset": m.offset_}
    if m.kind == "gaussian":
        return _sized(m.n_features_in_, "bumps", {**found, "scale": np.array([m.scale_])})
    return _sized(m.n_features_in_, "directions", {**found, "shift": m.shift_})


def _dbn(m: Any) -> Found:
    found = {"scale": m.scaler_.scale_, "shift": m.scaler_.min_, "slopes": m.top_.coef_.T, "offset": m.top_.intercept_}
    for k, machine in enumerate(m.machines_):
        found[f"units{k}"], found[f"bias{k}"] = machine.components_, machine.intercept_hidden_
    return _sized(m.scaler_.n_features_in_, "belief", found)


_TAKEN: dict[str, Callable[[Any], Found]] = {
    "DummyClassifier": _dummy_classifier,
    "DummyRegressor": _dummy_regressor,
    "LogisticRegression": _logistic,
    "Ridge": _ridge,
    "SVC": _support,
    "SVR": _support,
    "ExtraTreesClassifier": _forest,
    "ExtraTreesRegressor": _forest,
    "HistGradientBoostingClassifier": _boosting,
    "HistGradientBoostingRegressor": _boosting,
    "KNeighborsClassifier": _nearest,
    "KNeighborsRegressor": _nearest,
    "MLPClassifier": _mlp,
    "MLPRegressor": _mlp,
    "ExtremeLearningMachine": _elm,
    "DeepBeliefNetwork": _dbn,
}
