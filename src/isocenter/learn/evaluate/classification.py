"""Scores of a classifier: counts, rates, ranking and calibration, each with an interval over patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.results import Score, Scores
from isocenter.kernels.bootstrap import auc_interval, group_weights, percentile_interval, proportion_interval, widened
from isocenter.learn.evaluate.calibration import calibration_error
from isocenter.learn.evaluate.ranking import auc_pr, auc_roc

__all__ = ["confusion", "evaluate_classification"]

FloatArray = npt.NDArray[np.float64]

Compute = Callable[[FloatArray, npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray], dict[str, FloatArray]]

#: Shares of a number of cases: Wilson's interval where resampling has nothing to vary.
_PROPORTIONS = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "npv", "f1")


def confusion(truth: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Return the confusion matrix: rows are the truth, columns the prediction.

    Parameters
    ----------
    truth, predicted
        Class indices, shape (n,).
    classes
        How many there are.
    """
    code = np.asarray(truth, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(code, minlength=classes**2).reshape(classes, classes)


def evaluate_classification(
    truth: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    classes: Sequence[str],
    groups: npt.ArrayLike | None = None,
    *,
    predicted: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    draws: int = 2000,
    seed: int = 0,
    widen: float = 1.0,
) -> Scores:
    """Judge a classifier.

    Parameters
    ----------
    truth
        Class index of each case, shape (n,).
    probabilities
        Shape (n, classes). With two classes the second is the positive one.
    classes
        Their names, in order.
    groups
        Patient of each case; each case its own when None.
    predicted
        What was called (by an operating point chosen inside the fold); the most probable class when None.
    strata
        The fold that predicted each case: areas under the ROC curve compare within folds (see `ranking.auc_roc`).
    draws, seed
        Bootstrap resamples of whole patients, and their choice.
    widen
        Factor on the intervals, above 1 for predictions of a cross-validation (see `kernels.bootstrap.widened`).

    Returns
    -------
    Scores
        Two classes: the counts, accuracy, balanced_accuracy, sensitivity, specificity, precision, npv, f1, auc_roc, auc_pr, brier
        and ece. More: accuracy, balanced_accuracy, macro precision, f1 and auc_roc (one against the rest), brier, ece, and
        sensitivity, precision and auc_roc of each class. NaN where a score is not defined (precision when nothing was called).

    Raises
    ------
    ContentError
        If shapes do not fit, probabilities are no probabilities, or there are no cases.
    """
    y, p = _checked(truth, probabilities, len(classes))
    called = p.argmax(axis=1) if predicted is None else np.asarray(predicted, np.int64)
    unit = np.arange(y.size) if groups is None else np.asarray(groups)
    fold = None if strata is None else np.asarray(strata).ravel()
    compute = _binary(fold) if len(classes) == 2 else _several(classes, fold)
    whole = {k: float(v[0]) for k, v in compute(np.ones((1, y.size)), y, called, p).items()}
    rows: dict[str, list[FloatArray]] = {k: [] for k in whole}
    if np.unique(unit).size > 1:
        for weights in group_weights(unit, draws, seed):
            for name, values in compute(weights, y, called, p).items():
                rows[name].append(values)
    scores: dict[str, Score] = {}
    if len(classes) == 2:
        table = confusion(y, called, 2)
        for name, count in zip(("tn", "fp", "fn", "tp"), table.ravel(), strict=True):
            scores[name] = Score(float(count), "1", None, y.size)
    independent = np.unique(unit).size
    for name, value in whole.items():
        interval = percentile_interval(np.concatenate(rows[name])) if rows[name] else None
        n = _behind(name, y, called, classes)
        honest = _honest(name, value, interval, n * independent / y.size, y, independent)
        scores[name] = Score(value, "1", _within(widened(value, honest, widen), 2.0 if name == "brier" else 1.0), n)
    return Scores(scores)


def _checked(truth: npt.ArrayLike, probabilities: npt.ArrayLike, classes: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
    y, p = np.asarray(truth, np.int64).ravel(), np.asarray(probabilities, np.float64)
    if not y.size:
        raise ContentError("No cases to judge a classifier by: expected one or more.")
    if classes < 2 or p.shape != (y.size, classes):
        raise ContentError(f"Probabilities of shape {p.shape} for {y.size} cases and {classes} classes: expected one each.")
    if not np.isfinite(p).all() or (p < -1e-9).any() or (np.abs(p.sum(axis=1) - 1.0) > 1e-3).any():
        raise ContentError(
            "Probabilities that are negative, not finite or do not sum to 1: expected a distribution for each case."
        )
    if y.min() < 0 or y.max() >= classes:
        raise ContentError(f"Class index {int(y.max())} of {classes} classes: expected 0 to {classes - 1}.")
    return y, p


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _binary(fold: npt.NDArray[Any] | None) -> Compute:
    def compute(w: FloatArray, y: npt.NDArray[np.int64], called: npt.NDArray[np.int64], p: FloatArray) -> dict[str, FloatArray]:
        positive, yes = y == 1, called == 1
        tp, fp = w @ (positive & yes), w @ (~positive & yes)
        fn, tn = w @ (positive & ~yes), w @ (~positive & ~yes)
        sensitivity, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
        return {
            "accuracy": (tp + tn) / w.sum(axis=1),
            "balanced_accuracy": (sensitivity + specificity) / 2.0,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "precision": _ratio(tp, tp + fp),
            "npv": _ratio(tn, tn + fn),
            "f1": _ratio(2 * tp, 2 * tp + fp + fn),
            "auc_roc": auc_roc(positive, p[:, 1], w, strata=fold),
            "auc_pr": auc_pr(positive, p[:, 1], w),
            "brier": (w @ (p[:, 1] - y) ** 2) / w.sum(axis=1),
            "ece": calibration_error(positive, p[:, 1], w),
        }

    return compute


def _several(classes: Sequence[str], fold: npt.NDArray[Any] | None) -> Compute:
    def compute(w: FloatArray, y: npt.NDArray[np.int64], called: npt.NDArray[np.int64], p: FloatArray) -> dict[str, FloatArray]:
        total = w.sum(axis=1)
        per: Mapping[str, list[FloatArray]] = {"sensitivity": [], "precision": [], "f1": [], "auc_roc": []}
        for k in range(len(classes)):
            mine, said = y == k, called == k
            hit = w @ (mine & said)
            per["sensitivity"].append(_ratio(hit, w @ mine))
            per["precision"].append(_ratio(hit, w @ said))
            per["f1"].append(_ratio(2 * hit, w @ mine + w @ said))
            per["auc_roc"].append(auc_roc(mine, p[:, k], w, strata=fold))
        # A class that a resample lacks would make the mean over classes undefined, or, left out, easier: undefined is honest.
        out = {
            "accuracy": (w @ (called == y)) / total,
            "balanced_accuracy": np.mean(per["sensitivity"], axis=0),
            "macro_precision": np.mean(per["precision"], axis=0),
            "macro_f1": np.mean(per["f1"], axis=0),
            "macro_auc_roc": np.mean(per["auc_roc"], axis=0),
            "brier": (w @ ((p - np.eye(len(classes))[y]) ** 2).sum(axis=1)) / total,
            "ece": calibration_error(called == y, p[np.arange(y.size), called], w),
        }
        for name in ("sensitivity", "precision", "auc_roc"):
            out |= {f"{name}[{classes[k]}]": per[name][k] for k in range(len(classes))}
        return out

    return compute


def _behind(name: str, y: npt.NDArray[np.int64], called: npt.NDArray[np.int64], classes: Sequence[str]) -> int:
    """Return how many cases a score rests on."""
    base, _, inner = name.partition("[")
    k = list(classes).index(inner[:-1]) if inner else 1
    if base == "sensitivity":
        return int((y == k).sum())
    if base == "specificity":
        return int((y != k).sum())
    if base == "precision":
        return int((called == k).sum())
    if base == "npv":
        return int((called != k).sum())
    return int(y.size)


def _honest(
    name: str, value: float, interval: tuple[float, float] | None, n: float, y: npt.NDArray[np.int64], independent: int
) -> tuple[float, float] | None:
    """Return the interval, widened where every resample gives the same: all of 20 right is not certainly all of 2,000."""
    if interval is None or interval[1] - interval[0] > 1e-12 or not np.isfinite(value):
        return interval
    base = name.partition("[")[0].removeprefix("macro_")
    if base in _PROPORTIONS:
        return proportion_interval(value * n, n)
    positives = max(1, round(independent * float((y == y.max()).mean())))
    if base == "auc_pr":
        # As Boyd, Eng and Page (ECML 2013): a mean of precisions at the positives, so it is no surer than a share of them.
        return proportion_interval(value * positives, positives)
    if base == "auc_roc":
        return auc_interval(value, positives, max(1, independent - positives))
    return interval


def _within(interval: tuple[float, float] | None, highest: float) -> tuple[float, float] | None:
    return None if interval is None else (max(0.0, interval[0]), min(highest, interval[1]))
