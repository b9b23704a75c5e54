"""How sure a score is: bootstrap over independent groups, and score intervals where a bootstrap has nothing to vary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from isocenter.core.errors import ParameterError

__all__ = ["auc_interval", "group_weights", "mean_interval", "percentile_interval", "proportion_interval", "widened"]

FloatArray = npt.NDArray[np.float64]

#: Weights that are made at once, at most: bounds memory whatever the number of cases.
_AT_ONCE = 4_000_000


def group_weights(groups: npt.ArrayLike, draws: int = 2000, seed: int = 0) -> Iterator[FloatArray]:
    """Yield bootstrap weights: how often each case is in each resample when whole groups are drawn.

    Parameters
    ----------
    groups
        The independent unit of each case (the patient), shape (n,). Cases of one group are drawn together, because their
        errors are not independent; drawing them apart gives intervals that are too narrow.
    draws
        Resamples in all.
    seed
        Chooses them.

    Yields
    ------
    array
        Shape (some draws, n), whole numbers as float64.

    References
    ----------
    Field and Welsh. Bootstrapping clustered data. Journal of the Royal Statistical Society B 69 (2007) 369-390.
    """
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    if not names.size:
        raise ParameterError("A bootstrap over no groups: expected one case or more.")
    generator = np.random.default_rng(seed)
    step = max(1, min(draws, _AT_ONCE // max(code.size, names.size)))
    for start in range(0, draws, step):
        count = min(step, draws - start)
        yield generator.multinomial(names.size, np.full(names.size, 1.0 / names.size), size=count)[:, code].astype(np.float64)


def percentile_interval(values: npt.ArrayLike, level: float = 0.95) -> tuple[float, float] | None:
    """Return the central interval of bootstrap values, without those that are not defined; None if fewer than half are.

    Parameters
    ----------
    values
        One per resample; NaN where the resample left the score undefined.
    level
        Share of the values inside.
    """
    data = np.asarray(values, np.float64)
    sound = data[np.isfinite(data)]
    if sound.size < max(2, data.size // 2):
        return None
    low, high = np.quantile(sound, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def mean_interval(
    values: npt.ArrayLike, groups: npt.ArrayLike | None = None, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the bootstrap interval of a mean; None for a single group.

    Parameters
    ----------
    values
        One per case; NaN is left out.
    groups
        Independent unit of each case; each case its own when None.
    draws, seed, level
        Resamples, their choice, and the share inside.
    """
    data = np.asarray(values, np.float64).ravel()
    unit: npt.NDArray[Any] = np.arange(data.size) if groups is None else np.asarray(groups).ravel()
    keep = np.isfinite(data)
    data, unit = data[keep], unit[keep]
    if np.unique(unit).size < 2:
        return None
    means = [(w @ data) / np.maximum(w.sum(axis=1), 1.0) for w in group_weights(unit, draws, seed)]
    return percentile_interval(np.concatenate(means), level)


def proportion_interval(successes: float, trials: float, level: float = 0.95) -> tuple[float, float] | None:
    """Return Wilson's score interval of a proportion: never empty, also for none or all.

    Parameters
    ----------
    successes, trials
        Counts; `trials` may be an effective number (of groups) that is not whole.
    level
        Confidence.

    References
    ----------
    Wilson. Probable inference, the law of succession, and statistical inference. JASA 22 (1927) 209-212.
    """
    if trials <= 0:
        return None
    z = float(stats.norm.ppf((1.0 + level) / 2.0))
    share = successes / trials
    middle = (share + z * z / (2.0 * trials)) / (1.0 + z * z / trials)
    half = z / (1.0 + z * z / trials) * np.sqrt(share * (1.0 - share) / trials + z * z / (4.0 * trials * trials))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def auc_interval(auc: float, positives: int, negatives: int, level: float = 0.95) -> tuple[float, float] | None:
    """Return Newcombe's score interval of an area under the ROC curve: wider than a point also for perfect separation.

    Parameters
    ----------
    auc
        Area, 0 to 1.
    positives, negatives
        Independent cases of each class.
    level
        Confidence.

    References
    ----------
    Newcombe. Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2. Statistics in
    Medicine 25 (2006) 559-573, method 5.
    """
    if positives < 1 or negatives < 1 or not np.isfinite(auc):
        return None
    z = float(stats.norm.ppf((1.0 + level) / 2.0))
    star = (positives + negatives) / 2.0 - 1.0

    def excess(theta: float) -> float:
        spread = theta * (1.0 - theta) * (1.0 + star * ((1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta)))
        return float((auc - theta) ** 2 - z * z * spread / (positives * negatives))

    # At the area itself the variance outweighs the distance; at 0 and 1, where it vanishes, the area is no root either.
    tiny = 1e-9
    low = 0.0 if auc <= 2 * tiny else float(optimize.brentq(excess, 0.0, auc - tiny))
    high = 1.0 if auc >= 1.0 - 2 * tiny else float(optimize.brentq(excess, auc + tiny, 1.0))
    return low, high


def widened(
    value: float, interval: tuple[float, float] | None, factor: float, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float] | None:
    """Return an interval whose distances to the value are multiplied: for scores of a cross-validation.

    Resampling the tested cases does not vary the models, whose training sets overlap: intervals from it alone are too narrow.

    Parameters
    ----------
    value
        The score; where it is not finite or outside, the interval stays as it is.
    interval
        Of it.
    factor
        1 or more.
    bounds
        What the score can be: the interval ends there.

    References
    ----------
    Nadeau and Bengio. Inference for the generalization error. Machine Learning 52 (2003) 239-281; Bates, Hastie and Tibshirani. Cross-
    validation: what does it estimate and how well does it do it? JASA 119 (2024) 1434-1445.
    """
    if interval is None or not np.isfinite(value) or factor == 1.0:
        return interval
    low, high = interval
    return (
        float(max(value - factor * max(value - low, 0.0), bounds[0])),
        float(min(value + factor * max(high - value, 0.0), bounds[1])),
    )
