"""What a data set of this size can show, said before anybody reads the scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from isocenter.core.errors import ParameterError
from isocenter.kernels.bootstrap import auc_interval, proportion_interval

__all__ = ["SampleSize", "classification_size", "regression_size", "segmentation_size", "survival_size"]


@dataclass(frozen=True)
class SampleSize:
    """What can and cannot be shown.

    Attributes
    ----------
    n, fewest
        Independent cases, and those of the rarest class (all for a regression).
    half_width
        Half of the 95 % interval that a result of the assumed height would have.
    detectable
        The smallest difference between two models of this height that 80 % of such studies would find.
    events_per_parameter
        Cases of the rarest class for each quantity that the model fits; NaN where that is not known.
    sentences
        The consequences in words; the first is always there.
    """

    n: int
    fewest: int
    half_width: float
    detectable: float
    events_per_parameter: float
    sentences: tuple[str, ...]


def classification_size(
    counts: dict[str, int],
    parameters: int | None = None,
    auc: float = 0.85,
    correlation: float = 0.5,
    *,
    weights: int | None = None,
) -> SampleSize:
    """Say what a classification study of this size can show.

    Parameters
    ----------
    counts
        Class -> independent patients.
    parameters
        Features offered to the model (not those kept); None where it takes none.
    auc
        Assumed area under the ROC curve.
    correlation
        Assumed correlation of two models' areas on the same cases.
    weights
        Numbers that a network learns, where the model is one.

    References
    ----------
    Riley et al. Calculating the sample size required for developing a clinical prediction model. BMJ 368 (2020) m441; Hanley and
    McNeil. Radiology 148 (1983) 839-843 (areas on the same cases).
    """
    if len(counts) < 2 or min(counts.values()) < 1:
        raise ParameterError(f"Classes {counts}: expected two classes or more with a patient each.")
    n, fewest = sum(counts.values()), min(counts.values())
    rare = min(counts, key=lambda k: (counts[k], k))
    interval = auc_interval(auc, fewest, n - fewest)
    half = (interval[1] - interval[0]) / 2 if interval else float("nan")
    error = half / 1.959963984540054
    detectable = float((1.959963984540054 + stats.norm.ppf(0.8)) * error * np.sqrt(2 * (1 - correlation)))
    rate = proportion_interval(0.9 * fewest, fewest)
    assert rate is not None
    sentences = [
        f"{n} patients, {fewest} of class '{rare}': an AUC of {auc:g} would be known to within {half:.2f}, a sensitivity of 90 % for "
        f"'{rare}' to {100 * rate[0]:.0f} to {100 * rate[1]:.0f} %, and a second model would have to differ by about {detectable:.2f} "
        "in AUC to be told apart."
    ]
    per = fewest / parameters if parameters else float("nan")
    if parameters and per < 10:
        sentences.append(
            f"{parameters} features are offered to the model for {fewest} patients of the rarest class ({per:.2g} for each, 10 or more are "
            "advised): expect the score to fall on new data, whatever it is here."
        )
    sentences += _of_network(weights, fewest, " of the rarest class", "the score to fall")
    if fewest < 30:
        sentences.append(f"With {fewest} patients of class '{rare}' nothing can be said about its subgroups.")
    return SampleSize(n, fewest, half, detectable, per, tuple(sentences))


def regression_size(
    n: int, parameters: int | None = None, spread: float = 1.0, unit: str = "", *, weights: int | None = None
) -> SampleSize:
    """Say what a regression study of this size can show.

    Parameters
    ----------
    n
        Independent patients.
    parameters, weights
        As for `classification_size`.
    spread
        Standard deviation that the absolute errors are expected to have, in `unit`.
    unit
        Of the predicted number.
    """
    if n < 2:
        raise ParameterError(f"A regression study of {n} patients: expected two or more.")
    half = float(stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n))
    detectable = float((1.959963984540054 + stats.norm.ppf(0.8)) * spread / np.sqrt(n))
    per = n / parameters if parameters else float("nan")
    words = f" {unit}" if unit else ""
    sentences = [
        f"{n} patients: a mean absolute error would be known to within {half:.2g}{words}, and a second model would have to differ by "
        f"about {detectable:.2g}{words} to be told apart."
    ]
    if parameters and per < 10:
        sentences.append(
            f"{parameters} features are offered to the model for {n} patients ({per:.2g} for each, 10 or more are advised): expect the error "
            "to grow on new data."
        )
    sentences += _of_network(weights, n, "", "the error to grow")
    return SampleSize(n, n, half, detectable, per, tuple(sentences))


def _of_network(weights: int | None, patients: int, of_which: str, expected: str) -> list[str]:
    """Return the sentence on a network: rules of cases for each quantity say nothing of it."""
    if not weights:
        return []
    return [
        f"The network learns {weights:,} weights from {patients} patients{of_which}: no rule says how many it needs; expect {expected} on new "
        "data, whatever it is here."
    ]


def segmentation_size(n: int, spread: float) -> SampleSize:
    """Say what a segmentation study of this size can show.

    Parameters
    ----------
    n
        Independent patients.
    spread
        Standard deviation of the Dice coefficient between patients.
    """
    if n < 2:
        raise ParameterError(f"A segmentation study of {n} patients: expected two or more.")
    half = float(stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n))
    detectable = float((stats.t.ppf(0.975, n - 1) + stats.norm.ppf(0.8)) * spread / np.sqrt(n))
    sentences = [
        f"{n} patients: with a Dice that differs by {spread:.2g} between patients, its mean is known to within {half:.2g}, and a second "
        f"model would have to differ by about {detectable:.2g} to be told apart."
    ]
    if n < 10:
        sentences.append(
            f"{n} patients prove that the machinery works and no more: each is tested on a model of the other {n - 1} at most, and no "
            "score here says what a new patient will see."
        )
    elif n < 30:
        sentences.append(f"With {n} patients nothing can be said about subgroups, or about findings that are rare.")
    return SampleSize(n, n, half, detectable, float("nan"), tuple(sentences))


def survival_size(n: int, events: int, parameters: int, concordance: float = 0.7) -> SampleSize:
    """Say what a survival study of this size can show.

    Parameters
    ----------
    n, events
        Independent patients, and how many of them had the event.
    parameters
        Features offered to the model.
    concordance
        Assumed C-index; its error is taken as that of an area of this height between those with and without the event.

    References
    ----------
    Peduzzi et al. Importance of events per independent variable in proportional hazards regression analysis. Journal of Clinical
    Epidemiology 48 (1995) 1503-1510.
    """
    if n < 2 or not 0 < events <= n:
        raise ParameterError(
            f"A survival study of {n} patients with {events} events: expected two patients and an event or more."
        )
    interval = auc_interval(concordance, events, max(n - events, events // 2, 1))
    half = (interval[1] - interval[0]) / 2 if interval else float("nan")
    detectable = float((1.959963984540054 + stats.norm.ppf(0.8)) * half / 1.959963984540054)
    per = events / parameters if parameters else float("nan")
    sentences = [
        f"{n} patients, {events} events: a C-index of {concordance:g} would be known to within about {half:.2f}, and a second model would "
        f"have to differ by about {detectable:.2f} to be told apart."
    ]
    if parameters and per < 10:
        sentences.append(
            f"{parameters} variables are offered for {events} events ({per:.2g} events for each variable, 10 or more are advised): expect "
            "the score to fall on new data, whatever it is here."
        )
    elif parameters:
        sentences.append(f"{per:.3g} events for each of {parameters} variables (10 or more are advised).")
    return SampleSize(n, events, half, detectable, per, tuple(sentences))
