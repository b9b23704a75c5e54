"""Agreement among readers: kappa, intraclass correlation, generalised Dice, and their consensus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from isocenter.core.errors import ParameterError

__all__ = ["Consensus", "cohen_kappa", "fleiss_kappa", "generalised_dice", "intraclass", "majority", "staple"]

FloatArray = npt.NDArray[np.float64]


def _counts(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> FloatArray:
    """Return the table of how often two raters said what."""
    values, coded = np.unique(np.stack([np.ravel(first), np.ravel(second)]), return_inverse=True)
    coded = coded.reshape(2, -1)
    code = coded[0] * values.size + coded[1]
    return np.bincount(code, minlength=values.size**2).reshape(values.size, values.size).astype(np.float64)


def cohen_kappa(first: npt.ArrayLike, second: npt.ArrayLike, weights: Literal["none", "linear", "quadratic"] = "none") -> float:
    """Return Cohen's kappa of two raters over all samples: agreement beyond chance, -1 to 1.

    Parameters
    ----------
    first, second
        Categories of the same samples.
    weights
        How disagreement counts for ordered categories.

    Returns
    -------
    float
        1 where both give every sample the one same category (there is nothing that chance could do).

    References
    ----------
    Cohen. A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20 (1960) 37-46.
    """
    table = _counts(np.asarray(first), np.asarray(second))
    size = len(table)
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    cost = {"none": (steps > 0).astype(np.float64), "linear": steps, "quadratic": steps**2}[weights]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    by_chance = float((cost * expected).sum())
    return 1.0 - float((cost * table).sum()) / by_chance if by_chance > 0 else 1.0


def fleiss_kappa(ratings: npt.ArrayLike) -> float:
    """Return Fleiss' kappa of several raters.

    Parameters
    ----------
    ratings
        Categories, shape (raters, samples ...), two raters or more.

    References
    ----------
    Fleiss. Measuring nominal scale agreement among many raters. Psychological Bulletin 76 (1971) 378-382.
    """
    data = np.asarray(ratings).reshape(len(np.asarray(ratings)), -1)
    raters, samples = data.shape
    if raters < 2 or not samples:
        raise ParameterError(f"Ratings of {raters} raters for {samples} samples: expected two raters and one sample or more.")
    squares, shares = 0.0, []
    for value in np.unique(data):
        votes = (data == value).sum(axis=0, dtype=np.int64)
        squares += float((votes**2).sum())
        shares.append(float(votes.sum()) / data.size)
    observed = (squares / samples - raters) / (raters * (raters - 1))
    chance = float(np.sum(np.square(shares)))
    return (observed - chance) / (1.0 - chance) if chance < 1.0 else 1.0


def intraclass(ratings: npt.ArrayLike, kind: Literal["1", "A", "C"] = "A", mean: bool = False) -> tuple[float, float, float]:
    """Return the intraclass correlation of measurements with its 95 % interval.

    Parameters
    ----------
    ratings
        Shape (subjects, raters): one number each, volumes for instance.
    kind
        ``1``: one-way, raters differ from subject to subject; ``A``: two-way, absolute agreement; ``C``: two-way,
        consistency (a constant offset between raters does not count).
    mean
        Of the mean of all raters instead of a single one.

    Returns
    -------
    value, low, high : float
        1 throughout where subjects differ and raters agree exactly.

    References
    ----------
    McGraw, Wong. Forming inferences about some intraclass correlation coefficients. Psychological Methods 1 (1996) 30-46.
    """
    data = np.asarray(ratings, dtype=np.float64)
    if data.ndim != 2 or min(data.shape) < 2 or not np.isfinite(data).all():
        raise ParameterError(f"Ratings of shape {data.shape}: expected finite numbers of two subjects and two raters or more.")
    n, k = data.shape
    grand = data.mean()
    rows = k * float(((data.mean(axis=1) - grand) ** 2).sum()) / (n - 1)
    columns = n * float(((data.mean(axis=0) - grand) ** 2).sum()) / (k - 1)
    total = float(((data - grand) ** 2).sum())
    within = max(0.0, total - rows * (n - 1)) / (n * (k - 1))
    error = max(0.0, total - rows * (n - 1) - columns * (k - 1)) / ((n - 1) * (k - 1))
    noise = within if kind == "1" else error
    if noise <= 1e-14 * max(rows, 1e-300) and (kind != "A" or columns <= 1e-14 * max(rows, 1e-300)):
        value = 1.0 if rows > 0 else 0.0
        return value, value, value
    offset = k * (columns - error) / n if kind == "A" else 0.0
    value = (rows - noise) / (rows + (k - 1) * noise + offset)
    low, high = _interval(kind, rows, columns, noise, value, n, k)
    if mean:
        value, low, high = (k * v / (1.0 + (k - 1) * v) for v in (value, low, high))
    return value, low, high


def _interval(kind: str, rows: float, columns: float, noise: float, value: float, n: int, k: int) -> tuple[float, float]:
    """Return the 95 % interval of a single rater's correlation."""
    if kind != "A":
        free = n * (k - 1) if kind == "1" else (n - 1) * (k - 1)
        ratio = rows / noise
        low, high = ratio / stats.f.ppf(0.975, n - 1, free), ratio * stats.f.ppf(0.975, free, n - 1)
        return float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1))
    a: float = k * value / (n * (1.0 - value))
    b = 1.0 + k * value * (n - 1) / (n * (1.0 - value))
    freedom = (a * columns + b * noise) ** 2 / ((a * columns) ** 2 / (k - 1) + (b * noise) ** 2 / ((n - 1) * (k - 1)))
    upper, lower = stats.f.ppf(0.975, n - 1, freedom), stats.f.ppf(0.975, freedom, n - 1)
    rest = k * columns + (k * n - k - n) * noise
    low = n * (rows - upper * noise) / (upper * rest + n * rows)
    high = n * (lower * rows - noise) / (rest + n * lower * rows)
    return float(low), float(high)


def generalised_dice(ratings: npt.ArrayLike, weights: Literal["none", "volume"] = "none") -> float:
    """Return the generalised Dice overlap among readers: all labels and all pairs of readers in one number, 0 to 1.

    Parameters
    ----------
    ratings
        Labels, shape (readers, samples ...); 0 is background and does not count.
    weights
        ``none`` counts samples (large structures weigh more), ``volume`` divides each label by its mean volume.

    Returns
    -------
    float
        1 where no reader labels anything.

    References
    ----------
    Crum, Camara, Hill. Generalized overlap measures for evaluation and validation in medical image analysis. IEEE Trans.
    Med. Imaging 25 (2006) 1451-1461.
    """
    data = np.asarray(ratings)
    data = data.reshape(len(data), -1)
    over, under = 0.0, 0.0
    for value in np.unique(data):
        if value == 0:
            continue
        masks = data == value
        sizes = masks.sum(axis=1, dtype=np.int64)
        votes = masks.sum(axis=0, dtype=np.int64)
        weight = 1.0 if weights == "none" else 1.0 / float(sizes.mean())
        # Pairs of readers that both label a sample, and the mean of their two sizes, summed over all pairs.
        over += weight * float((votes * (votes - 1) // 2).sum())
        under += weight * float(sizes.sum()) * (len(data) - 1) / 2.0
    return over / under if under else 1.0


@dataclass(frozen=True)
class Consensus:
    """What readers agree on.

    Attributes
    ----------
    labels
        The consensus.
    values
        Label values, background first.
    confusion
        Shape (readers, values, values): how often a reader said the column where the truth is the row; None for a vote.
    iterations
        Passes that were needed.
    """

    labels: npt.NDArray[Any]
    values: tuple[int, ...]
    confusion: FloatArray | None = None
    iterations: int = 0


def majority(ratings: npt.NDArray[Any]) -> Consensus:
    """Return the label that most readers gave; where several lead alike, background if it leads, else the lowest value.

    Parameters
    ----------
    ratings
        Integer labels, shape (readers, samples ...).
    """
    values = np.unique(np.append(np.unique(ratings), 0))
    best = np.zeros(ratings.shape[1:], ratings.dtype)
    lead = np.zeros(ratings.shape[1:], np.int32)
    for value in values:
        votes = (ratings == value).sum(axis=0, dtype=np.int32)
        ahead = votes > lead
        best[ahead], lead[ahead] = value, votes[ahead]
    return Consensus(best, tuple(int(v) for v in values))


def staple(ratings: npt.NDArray[Any], iterations: int = 100, tolerance: float = 1e-7) -> Consensus:
    """Estimate the truth and each reader's confusion together (expectation maximisation).

    Only the different patterns of votes matter, so passes cost nothing next to reading the labels once.

    Parameters
    ----------
    ratings
        Integer labels, shape (readers, samples ...).
    iterations
        Most passes.
    tolerance
        Largest change of a reader's rates at which they count as found.

    References
    ----------
    Warfield, Zou, Wells. Simultaneous truth and performance level estimation (STAPLE). IEEE Trans. Med. Imaging 23 (2004)
    903-921.
    """
    readers = len(ratings)
    values = np.unique(np.append(np.unique(ratings), 0))
    size = values.size
    flat = np.searchsorted(values, ratings).reshape(readers, -1)
    if size == 1:
        return Consensus(np.zeros(ratings.shape[1:], ratings.dtype), (0,), np.ones((readers, 1, 1)))
    patterns, inverse, counts = _patterns(flat, size)
    weight = counts.astype(np.float64)
    prior = np.array([weight @ (patterns == v).sum(axis=1) for v in range(size)]) / (weight.sum() * readers)
    rates = np.full((readers, size, size), 0.01 / (size - 1))
    rates[:, np.arange(size), np.arange(size)] = 0.99
    posterior, passes = np.zeros((len(patterns), size)), 0
    for passes in range(1, iterations + 1):  # noqa: B007 - it is reported below
        log = np.log(np.maximum(prior, 1e-300)) + sum(
            np.log(np.maximum(rates[j][:, patterns[:, j]].T, 1e-300)) for j in range(readers)
        )
        posterior = np.exp(log - log.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        shares = posterior * weight[:, None]
        total = np.maximum(shares.sum(axis=0), 1e-300)
        said = np.stack([[shares[patterns[:, j] == v].sum(axis=0) / total for v in range(size)] for j in range(readers)])
        renewed = said.transpose(0, 2, 1)
        change = float(np.abs(renewed - rates).max())
        rates = renewed
        if change < tolerance:
            break
    chosen = values[np.argmax(posterior, axis=1)].astype(ratings.dtype)
    return Consensus(chosen[inverse].reshape(ratings.shape[1:]), tuple(int(v) for v in values), rates, passes)


def _patterns(flat: npt.NDArray[Any], size: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the different columns of votes, which one each sample has, and how often each occurs."""
    readers = len(flat)
    if size**readers < 1 << 62:
        code = np.zeros(flat.shape[1], np.int64)
        for row in flat:
            code = code * size + row
        _, first, inverse, counts = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
        return flat[:, first].T, inverse.reshape(-1), counts
    patterns, inverse, counts = np.unique(flat.T, axis=0, return_inverse=True, return_counts=True)
    return patterns, inverse.reshape(-1), counts
