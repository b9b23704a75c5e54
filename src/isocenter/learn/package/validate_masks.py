"""External validation of a segmenter: its outlines judged on a cohort that it was not made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, IsocenterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.results import Scores
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.evaluate.subgroups import Subgroup
from isocenter.learn.masks.cases import load_cases
from isocenter.learn.masks.judge import CaseScores, case_scores, dice_of, mean_scores
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate import APART_DRAWS, Compared, apart, compared, refuse_training

__all__ = ["MaskValidation", "OutlinedCase", "validate_masks"]


@dataclass(frozen=True, eq=False)
class OutlinedCase:
    """One case: its name, scores of each class, in which ways it is unlike the training, and what a picture needs."""

    identifier: str
    rows: CaseScores
    warnings: tuple[str, ...]
    image: Image
    truth: LabelMap
    predicted: LabelMap

    @property
    def dice(self) -> float:
        """Mean over its classes."""
        return dice_of(self.rows)


@dataclass(frozen=True, eq=False)
class MaskValidation:
    """What a validation gave.

    Attributes
    ----------
    cases
        In the order of the cohort.
    scores
        Means with intervals over patients.
    compared
        Each score beside that of the training.
    aside
        (case, reason) of those that could not be judged.
    subgroups
        Scores of each site, where there are several, and of each subgroup of the cohort.
    """

    cases: tuple[OutlinedCase, ...]
    scores: Scores
    compared: tuple[Compared, ...]
    aside: tuple[tuple[str, str], ...]
    subgroups: tuple[Subgroup, ...] = ()


def validate_masks(
    package: Package,
    cohort: Cohort,
    *,
    draws: int = 2000,
    seed: int = 0,
    tolerance: float = 1.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> MaskValidation:
    """Judge the outlines of a package on a cohort.

    Parameters
    ----------
    package
        For segmentation.
    cohort
        With masks in the values of the package; for one class any value is it.
    draws, seed
        Bootstrap resamples of whole patients, and their choice.
    tolerance
        mm (or pixels) of the surface Dice.
    progress
        Called with a case, how many are done, and of how many.

    Raises
    ------
    ContentError
        If the cohort has no masks, holds cases of the training or classes that the package does not know, or none can be judged.
    """
    if package.manifest["task"] != "segmentation" or cohort.task != "segmentation":
        raise ContentError(
            f"Cohort '{cohort.name}' is for {cohort.task}: model '{package.manifest['name']}' is for {package.manifest['task']}."
        )
    refuse_training(package, cohort)
    segments = tuple(Segment.from_dict(s) for s in package.manifest["classes"])
    known = load_cases(cohort, None, segments)
    found: list[OutlinedCase] = []
    groups: list[str] = []
    aside = list(known.aside)
    for sample, image, truth in zip(known.cohort.samples, known.images, known.masks, strict=True):
        if progress is not None:
            progress(sample.identifier, len(found), len(known.images))
        try:
            predicted = package.predict(image)
            assert isinstance(predicted, LabelMap)  # the task says so
            rows = case_scores(predicted, truth, segments, tolerance)
        except IsocenterError as error:
            aside.append((sample.identifier, str(error)))
            continue
        found.append(OutlinedCase(sample.identifier, rows, tuple(package.check(image)), image, truth, predicted))
        groups.append(sample.patient)
    if not found:
        raise ContentError(f"No case of cohort '{cohort.name}' can be judged; the first: {aside[0][0]}: {aside[0][1]}")
    owners = np.array(groups)

    def judge(indices: npt.NDArray[np.int64], most: int = APART_DRAWS) -> Scores:
        return mean_scores([found[int(k)].rows for k in indices], owners[indices], draws=min(draws, most), seed=seed)

    scores = judge(np.arange(len(found)), draws)
    parts = apart(cohort, [c.identifier for c in found], owners, judge)
    return MaskValidation(tuple(found), scores, compared(package, scores), tuple(aside), parts)
