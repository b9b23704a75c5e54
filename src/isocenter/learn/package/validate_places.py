"""External validation of a model of places: its boxes or points judged on a cohort that it was not made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.core.points import Boxes, Points
from isocenter.core.results import Scores
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.turned import places_in
from isocenter.learn.evaluate.subgroups import Subgroup
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate import APART_DRAWS, Compared, apart, compared, judge_cases, refuse_training
from isocenter.learn.places.places import Places, boxes_of, points_of
from isocenter.learn.places.scores import scored

__all__ = ["PlaceValidation", "PlacedCase", "validate_places"]


@dataclass(frozen=True, eq=False)
class PlacedCase:
    """One case: its name, what is there, what was found and called, in which ways it is unlike the training, and its image."""

    identifier: str
    truth: Places
    found: Places
    called: Places
    warnings: tuple[str, ...]
    image: Image


@dataclass(frozen=True, eq=False)
class PlaceValidation:
    """What a validation gave.

    Attributes
    ----------
    cases
        In the order of the cohort.
    scores
        With intervals over patients.
    compared
        Each score beside that of the training.
    aside
        (case, reason) of those that could not be judged.
    subgroups
        Scores of each site, where there are several, and of each subgroup of the cohort.
    """

    cases: tuple[PlacedCase, ...]
    scores: Scores
    compared: tuple[Compared, ...]
    aside: tuple[tuple[str, str], ...]
    subgroups: tuple[Subgroup, ...] = ()


def validate_places(
    package: Package,
    cohort: Cohort,
    *,
    draws: int = 2000,
    progress: Callable[[str, int, int], None] | None = None,
) -> PlaceValidation:
    """Judge what a package finds in a cohort.

    Parameters
    ----------
    package
        For detection or landmarks.
    cohort
        With tables of boxes or points, named as the package names them.
    draws
        Bootstrap resamples of whole patients.
    progress
        Called with a case, how many are done, and of how many.

    Raises
    ------
    ContentError
        If the cohort is for another task, holds cases of the training or names that the package does not know, or none can be judged.
    """
    if cohort.task != package.manifest["task"]:
        raise ContentError(
            f"Cohort '{cohort.name}' is for {cohort.task}: model '{package.manifest['name']}' is for {package.manifest['task']}."
        )
    refuse_training(package, cohort)
    cases, groups, aside = judge_cases(cohort, lambda k: _judged(package, cohort, k), progress)
    _known_names(package, cohort, cases)

    def judge(indices: npt.NDArray[np.int64], most: int = APART_DRAWS) -> Scores:
        some = [cases[int(k)] for k in indices]
        parts = ([c.found for c in some], [c.called for c in some], [c.truth for c in some])
        return scored(*parts, groups[indices], package.classes, draws=min(draws, most))

    scores = judge(np.arange(len(cases)), draws)
    parts = apart(cohort, [c.identifier for c in cases], groups, judge)
    return PlaceValidation(tuple(cases), scores, compared(package, scores), aside, parts)


def _judged(package: Package, cohort: Cohort, k: int) -> PlacedCase:
    sample = cohort.samples[k]
    if not isinstance(sample.label, Path):
        raise ContentError("it has no table of places: expected one, to judge by.")
    image = cohort.image(k)
    kind = "boxes" if package.manifest["task"] == "detection" else "points"
    truth = places_in(cohort, k, image, "boxes" if kind == "boxes" else "points")
    value = package.predict(image)
    if isinstance(value, Points):
        found = points_of(value, image.geometry)
    elif isinstance(value, Boxes):
        found = boxes_of(value, image.geometry)
    else:
        raise ContentError(f"model '{package.manifest['name']}' gives no places.")
    return PlacedCase(sample.identifier, truth, found, package.model.called(found), tuple(package.check(image)), image)


def _known_names(package: Package, cohort: Cohort, cases: list[PlacedCase]) -> None:
    unknown = sorted({n for c in cases for n in c.truth.names} - set(package.classes))
    if unknown:
        raise ContentError(
            f"Cohort '{cohort.name}' names '{unknown[0]}', which model '{package.manifest['name']}' does not know: expected "
            f"{', '.join(package.classes[:12])}; spell them as the model does."
        )
    if not any(len(c.truth) for c in cases):
        raise ContentError(f"No case of cohort '{cohort.name}' shows what the model finds: expected one or more.")
