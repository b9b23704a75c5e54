"""Operating points: the threshold above which a case is called positive, chosen on the cases that a fold may use."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.learn.evaluate.ranking import roc_curve

__all__ = ["Rule", "choose_threshold"]

Rule = Literal["prevalence", "youden", "f1", "sensitivity", "specificity", "half"]


def choose_threshold(truth: npt.ArrayLike, score: npt.ArrayLike, rule: Rule = "prevalence", at_least: float = 0.9) -> float:
    """Return a threshold; half-way between two neighbouring scores, so that it does not sit on a case.

    Call it with cases of the *training* part of a fold only (best with predictions that were themselves held out there):
    a threshold chosen on the cases that it is then judged on flatters.

    Parameters
    ----------
    truth
        Which cases are positive.
    score
        Probability of the positive class.
    rule
        ``prevalence``: the share of positives. Of calibrated probabilities it is where sensitivity + specificity is highest (there a case
        says as much for one class as for the other), and being an average it moves less from one small cohort to the next than the best
        of many thresholds. ``youden`` (sensitivity + specificity highest on these cases), ``f1``, ``sensitivity`` or ``specificity`` (the
        other one highest among the thresholds that reach `at_least`), ``half`` (0.5 whatever the data).
    at_least
        The bound of those two rules.

    Raises
    ------
    ContentError
        If a class is missing.
    """
    if rule == "half":
        return 0.5
    positive = np.asarray(truth).astype(bool).ravel()
    if positive.all() or not positive.any():
        raise ContentError("An operating point cannot be chosen on cases of one class: expected positives and negatives.")
    rate, sensitivity, threshold = roc_curve(positive, score)
    share = float(positive.mean())
    if rule == "prevalence":
        return share
    if rule == "youden":
        quality = sensitivity - rate
    elif rule == "f1":
        called = sensitivity * share + rate * (1 - share)
        quality = 2 * sensitivity * share / (called + share)
    elif rule == "sensitivity":
        quality = np.where(sensitivity >= at_least, 1.0 - rate, -1.0)
    elif rule == "specificity":
        quality = np.where(1.0 - rate >= at_least, sensitivity, -1.0)
    else:
        raise ParameterError(
            f"Rule '{rule}' for an operating point: expected prevalence, youden, f1, sensitivity, specificity or half."
        )
    at = int(np.argmax(quality))
    below = threshold[at + 1] if at + 1 < threshold.size else threshold[at] - 1e-9
    above = threshold[at] if np.isfinite(threshold[at]) else below + 1e-9
    return float((above + below) / 2.0)
