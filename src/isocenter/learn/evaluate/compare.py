"""Is one model better than another on the same cases: paired bootstrap and DeLong's test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from isocenter.core.errors import ContentError
from isocenter.kernels.bootstrap import group_weights, percentile_interval
from isocenter.learn.evaluate.ranking import delong

__all__ = ["Difference", "compare_auc", "compare_paired"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How much better the first model is.

    Attributes
    ----------
    name
        The score that was compared.
    first, second, difference
        Values, and first minus second.
    interval
        95 % interval of the difference, None where it cannot be told.
    p
        Two-sided probability of a difference this large between equal models.
    n
        Independent cases (patients).
    method
        ``DeLong`` or ``paired bootstrap``.
    """

    name: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None
    p: float
    n: int
    method: str

    @property
    def better(self) -> bool:
        """True where the whole interval lies above 0."""
        return self.interval is not None and self.interval[0] > 0.0

    def sentence(self, first: str, second: str) -> str:
        """Return what may be claimed, in plain words."""
        if self.interval is None:
            return f"{first} and {second} cannot be told apart on {self.n} independent cases."
        spread = f"{self.difference:+.3f} (95 % interval {self.interval[0]:+.3f} to {self.interval[1]:+.3f}, n = {self.n})"
        if self.better:
            return f"{first} beats {second} in {self.name} by {spread}."
        if self.interval[1] < 0.0:
            return f"{first} is worse than {second} in {self.name}: {spread}."
        return f"{first} does not beat {second} in {self.name} beyond the interval: {spread}."


def compare_auc(truth: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> Difference:
    """Compare two areas under the ROC curve on independent cases with DeLong's test.

    Parameters
    ----------
    truth
        Which cases are positive, shape (n,): one case a patient.
    first, second
        Scores of the two models, shape (n,).

    References
    ----------
    DeLong et al. Biometrics 44 (1988) 837-845.
    """
    areas, covariance = delong(truth, np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)]))
    difference = float(areas[0] - areas[1])
    spread = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    n = np.asarray(truth).size
    if spread < 1e-12:
        same = abs(difference) < 1e-12
        return Difference(
            "auc_roc", areas[0], areas[1], difference, (0.0, 0.0) if same else None, 1.0 if same else 0.0, n, "DeLong"
        )
    half = 1.959963984540054 * spread
    p = float(2.0 * stats.norm.sf(abs(difference) / spread))
    return Difference(
        "auc_roc", float(areas[0]), float(areas[1]), difference, (difference - half, difference + half), p, n, "DeLong"
    )


def compare_paired(
    name: str,
    score: Callable[[FloatArray, int], FloatArray],
    groups: npt.ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
    widen: float = 1.0,
    most: float = np.inf,
) -> Difference:
    """Compare two models in any score by a bootstrap that draws the same patients for both.

    Parameters
    ----------
    name
        What the score is called.
    score
        ``score(weights, k)`` gives the score of model k (0 or 1) for each row of case weights, shape (draws, n); higher is better.
    groups
        Patient of each case, shape (n,).
    draws, seed
        Resamples and their choice.
    widen
        Factor on the spread, above 1 for predictions of a cross-validation (see `kernels.bootstrap.widened`).
    most
        The largest difference that there can be: 1 for a share or an area.

    References
    ----------
    Efron and Tibshirani. An Introduction to the Bootstrap. 1993, chapter 8.
    """
    unit = np.asarray(groups).ravel()
    if np.unique(unit).size < 2:
        raise ContentError("Two models on a single patient: expected two patients or more.")
    one = np.ones((1, unit.size))
    first, second = float(score(one, 0)[0]), float(score(one, 1)[0])
    rows = np.concatenate([score(w, 0) - score(w, 1) for w in group_weights(unit, draws, seed)])
    rows = np.clip((first - second) + widen * (rows - (first - second)), -most, most)
    sound = rows[np.isfinite(rows)]
    p = min(1.0, 2.0 * min((np.sum(sound <= 0) + 1) / (sound.size + 1), (np.sum(sound >= 0) + 1) / (sound.size + 1)))
    interval = percentile_interval(rows)
    return Difference(name, first, second, first - second, interval, float(p), np.unique(unit).size, "paired bootstrap")
