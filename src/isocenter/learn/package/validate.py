"""External validation: a package judged on a cohort that it was not made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, IsocenterError, UnsupportedError
from isocenter.core.image import Image
from isocenter.core.results import Prediction, Score, Scores
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.evaluate.calibration import Reliability, reliability
from isocenter.learn.evaluate.classification import evaluate_classification
from isocenter.learn.evaluate.regression import evaluate_regression
from isocenter.learn.evaluate.subgroups import Subgroup, by_subgroup
from isocenter.learn.package.ancestry import known_digests
from isocenter.learn.package.fingerprint import known_again
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate_survival import survival_scores

__all__ = [
    "APART_DRAWS",
    "Compared",
    "Judged",
    "Validation",
    "apart",
    "compared",
    "judge_cases",
    "refuse_training",
    "validate",
    "value_of",
]

#: Resamples for the interval of a subgroup, at most.
APART_DRAWS = 500

FloatArray = npt.NDArray[np.float64]
Case = TypeVar("Case")


@dataclass(frozen=True)
class Judged:
    """One case: its name, truth, predicted probabilities or number, what it was called, and in which ways it is unlike the training."""

    identifier: str
    truth: str | float
    predicted: tuple[float, ...]
    called: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """One score here and in the training, and what both say together."""

    name: str
    here: Score
    internal: Score | None
    sentence: str


@dataclass(frozen=True)
class Validation:
    """What a validation gave.

    Attributes
    ----------
    cases
        In the order of the cohort.
    scores
        With intervals over patients.
    calibration
        Predicted against observed; of the second of two classes, else of the most probable class. Empty for numbers.
    compared
        Each score beside that of the training.
    aside
        (case, reason) of those that could not be judged.
    subgroups
        Scores of each site, where there are several, and of each subgroup of the cohort.
    """

    cases: tuple[Judged, ...]
    scores: Scores
    calibration: tuple[Reliability, ...]
    compared: tuple[Compared, ...]
    aside: tuple[tuple[str, str], ...]
    subgroups: tuple[Subgroup, ...] = ()


def validate(
    package: Package,
    cohort: Cohort,
    *,
    draws: int = 2000,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Validation:
    """Judge a package on a cohort.

    Parameters
    ----------
    package
        For classification or regression.
    cohort
        Its labels are the package's classes, or numbers.
    draws, seed
        Bootstrap resamples of whole patients, and their choice.
    progress
        Called with a case, how many are done, and of how many.

    Raises
    ------
    ContentError
        If cases are among those of the training, or none can be judged.
    UnsupportedError
        If the package segments.
    """
    task = package.manifest["task"]
    if task == "segmentation":
        raise UnsupportedError(
            f"Model '{package.manifest['name']}' segments: expected one of classes or numbers; judge masks with "
            "isocenter.learn.package.validate_masks."
        )
    _check_labels(package, cohort)
    refuse_training(package, cohort)
    cases, groups, aside = judge_cases(cohort, lambda k: _judged(package, cohort, k), progress)
    judge = survival_scores if task == "survival" else _scores
    scores = judge(package, cohort, cases, groups, draws, seed)
    parts = apart(
        cohort,
        [c.identifier for c in cases],
        groups,
        lambda i: judge(package, cohort, [cases[int(k)] for k in i], groups[i], min(draws, APART_DRAWS), seed),
    )
    return Validation(tuple(cases), scores, _calibration(package, cases), compared(package, scores), aside, parts)


def apart(
    cohort: Cohort, judged: Sequence[str], groups: npt.NDArray[np.str_], evaluate: Callable[[npt.NDArray[np.int64]], Scores]
) -> tuple[Subgroup, ...]:
    """Return the scores of each site, where there are several, and of each subgroup of a cohort.

    Parameters
    ----------
    cohort
        The cases.
    judged
        Names of those that were judged.
    groups
        Patient of each of these.
    evaluate
        Gives the scores of some of them, by position.
    """
    place = {s.identifier: k for k, s in enumerate(cohort.samples)}
    at = np.array([place[name] for name in judged], np.int64)
    attributes: dict[str, npt.ArrayLike] = {name: values[at] for name, values in cohort.subgroups.items()}
    if len({s for s in cohort.sites[at].tolist() if s}) > 1:
        attributes = {"site": cohort.sites[at], **attributes}
    return by_subgroup(attributes, groups, evaluate)


def judge_cases(
    cohort: Cohort, judge: Callable[[int], Case], progress: Callable[[str, int, int], None] | None = None
) -> tuple[list[Case], npt.NDArray[np.str_], tuple[tuple[str, str], ...]]:
    """Judge case after case; one that cannot be judged is set aside with its reason.

    Parameters
    ----------
    cohort
        The cases.
    judge
        Judges the case of an index.
    progress
        Called with a case, how many are done, and of how many.

    Returns
    -------
    cases, groups, aside
        Those that were judged, their patients, and (case, reason) of the others.

    Raises
    ------
    ContentError
        If none can be judged.
    """
    cases: list[Case] = []
    groups: list[str] = []
    aside: list[tuple[str, str]] = []
    for k, sample in enumerate(cohort.samples):
        if progress is not None:
            progress(sample.identifier, k, len(cohort))
        try:
            cases.append(judge(k))
            groups.append(sample.patient)
        except IsocenterError as error:
            aside.append((sample.identifier, str(error)))
    if not cases:
        raise ContentError(f"No case of cohort '{cohort.name}' can be judged; the first: {aside[0][0]}: {aside[0][1]}")
    return cases, np.array(groups), tuple(aside)


def _check_labels(package: Package, cohort: Cohort) -> None:
    task = package.manifest["task"]
    if not len(cohort) or cohort.task != task:
        raise ContentError(
            f"Cohort '{cohort.name}' has {len(cohort)} cases for {cohort.task}: model '{package.manifest['name']}' is for {task}."
        )
    if task != "classification":
        return
    unknown = [c for c in cohort.classes if c not in package.classes]
    if unknown:
        raise ContentError(
            f"Cohort '{cohort.name}' has the class '{unknown[0]}', which model '{package.manifest['name']}' does not know: expected "
            f"{', '.join(package.classes)}; spell the labels as the model does."
        )
    if len(cohort.classes) < 2:
        raise ContentError(f"All cases of cohort '{cohort.name}' are of one class: expected two or more, to tell them apart.")


def refuse_training(package: Package, cohort: Cohort) -> None:
    """Raise ContentError where cases of a cohort are among those that a package was made from.

    Parameters
    ----------
    package
        The model.
    cohort
        What it is to be judged on.
    """
    known, _ = known_digests(package.manifest["training"])
    found = []
    for k, sample in enumerate(cohort.samples):
        try:
            value = value_of(package, cohort, k)
            if known_again(value, known) or (isinstance(value, Image) and known_again(package.prepared(value), known)):
                found.append(sample.identifier)
        except IsocenterError:
            continue  # what cannot be read is set aside with its reason later
    if found:
        raise ContentError(
            f"{len(found)} of {len(cohort)} cases of cohort '{cohort.name}' are among those that the model was made from (the first: "
            f"'{found[0]}'): a score on them proves nothing; take them out."
        )


def value_of(package: Package, cohort: Cohort, k: int) -> Image | FloatArray:
    """Return what a package judges of a case: its image, or its row of features in the order of the model.

    Parameters
    ----------
    package
        The model.
    cohort, k
        The case.

    Raises
    ------
    ContentError
        If the cohort has no images for a model of images, or not the columns of a model of tables.
    InputError
        If the image cannot be read.
    """
    if package.manifest["inputs"]["source"] != "table":
        if cohort.samples[k].path is None:
            raise ContentError(f"Cohort '{cohort.name}' has no column 'image': expected the path of each case's image.")
        return cohort.image(k)
    names = package.model.names
    missing = [n for n in names if n not in cohort.features]
    if missing:
        raise ContentError(
            f"Column '{missing[0]}' is missing from cohort '{cohort.name}': the model takes {', '.join(names[:6])} ..."
        )
    return cohort.take([k]).matrix(names)[0]


def _judged(package: Package, cohort: Cohort, k: int) -> Judged:
    sample = cohort.samples[k]
    if sample.label is None:
        raise ContentError("it has no label: expected one, to judge the prediction by.")
    value = value_of(package, cohort, k)
    found = package.predict(value, sample.site or "")
    warnings = tuple(package.check(value))
    assert isinstance(found, Prediction)  # segmentation was refused before
    if not found.classes:
        number = float(found.value if found.value is not None else np.nan)
        return Judged(sample.identifier, float(str(sample.label)), (number,), "", warnings)
    threshold = package.threshold
    at = int(np.argmax(found.probabilities)) if threshold is None else int(found.probabilities[1] >= threshold)
    return Judged(sample.identifier, str(sample.label), found.probabilities, package.classes[at], warnings)


def _scores(package: Package, cohort: Cohort, cases: list[Judged], groups: npt.NDArray[np.str_], draws: int, seed: int) -> Scores:
    predicted = np.array([c.predicted for c in cases])
    if not package.classes:
        truth = np.array([c.truth for c in cases], np.float64)
        unit = str(package.manifest["unit"])
        return evaluate_regression(truth, predicted[:, 0], groups, unit=unit, draws=draws, seed=seed)
    index = {name: k for k, name in enumerate(package.classes)}
    truths = np.array([index[str(c.truth)] for c in cases])
    called = np.array([index[c.called] for c in cases])
    return evaluate_classification(truths, predicted, package.classes, groups, predicted=called, draws=draws, seed=seed)


def _calibration(package: Package, cases: list[Judged]) -> tuple[Reliability, ...]:
    if not package.classes:
        return ()
    predicted = np.array([c.predicted for c in cases])
    if len(package.classes) == 2:
        return reliability([c.truth == package.classes[1] for c in cases], predicted[:, 1])
    top = predicted.argmax(axis=1)
    return reliability([c.truth == package.classes[k] for c, k in zip(cases, top, strict=True)], predicted.max(axis=1))


def compared(package: Package, scores: Scores) -> tuple[Compared, ...]:
    """Return each score beside that of the training, and what both say together.

    Parameters
    ----------
    package
        The model.
    scores
        On another cohort.
    """
    rows = []
    for name, here in scores.items():
        held = package.scores.get(name)
        if held is None:
            rows.append(Compared(name, here, None, "no figure of the training to compare with"))
            continue
        between = None if held["interval"] is None else (float(held["interval"][0]), float(held["interval"][1]))
        internal = Score(float(held["value"]), held["unit"], between, int(held["n"]))
        if here.interval is None or between is None:
            words = "no interval to compare"
        elif here.interval[1] < between[0] or here.interval[0] > between[1]:
            words = "differs: the intervals do not meet"
        else:
            words = "the intervals meet"
        rows.append(Compared(name, here, internal, words))
    return tuple(rows)
