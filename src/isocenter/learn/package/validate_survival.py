"""External validation of a risk model: the same scores as in its training, at the same times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.results import Scores
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.evaluate.survival_scores import brier_parts, judge_survival

__all__ = ["survival_scores"]


def survival_scores(
    package: Any, cohort: Cohort, cases: Sequence[Any], groups: npt.NDArray[np.str_], draws: int = 2000, seed: int = 0
) -> Scores:
    """Return the scores of predicted risks on a cohort.

    Parameters
    ----------
    package
        Of a risk model.
    cohort
        For survival.
    cases
        Those that were judged, as `learn.package.validate` gives them.
    groups
        Patient of each.
    draws, seed
        Bootstrap resamples of whole patients, and their choice.

    Raises
    ------
    ContentError
        If no event was seen among the cases.
    """
    happened = {s.identifier: s.values.get("event", 0.0) > 0 for s in cohort.samples}
    time = np.array([float(c.truth) for c in cases])
    event = np.array([happened[c.identifier] for c in cases])
    risk = np.array([c.predicted[0] for c in cases])
    one, baseline = np.zeros(time.size), package.model.baseline
    brier = None
    if event.any():
        grid = np.unique(np.quantile(time[event], np.linspace(0.1, 0.9, 17)))
        brier = brier_parts(time, event, baseline.survival(risk, grid), grid)
    inside = [m for m in baseline.moments if time.min() < m < time.max()]
    return judge_survival(time, event, risk, groups, one, inside, brier=brier, draws=min(draws, 1000), seed=seed)
