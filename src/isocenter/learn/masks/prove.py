"""Out-of-fold proof of a segmenter: every case is outlined by a model that never saw its patient, and judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.results import Scores
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.masks.cases import MaskCases
from isocenter.learn.masks.judge import CaseScores, case_scores, dice_of, mean_scores
from isocenter.learn.prove import widening
from isocenter.learn.splits import Fold, check_disjoint
from isocenter.learn.strata import parted

__all__ = ["MaskProof", "Predictor", "Trainer", "prove_masks", "with_validation"]

#: One part in so many of the training patients chooses epoch and threshold; fewer patients than the second can spare none.
PARTS, FEWEST = 6, 8

IntArray = npt.NDArray[np.int64]


class Predictor(Protocol):
    """What labels an image."""

    def predict(self, image: Image) -> LabelMap:
        """Return the labels of an image, on its own grid."""
        ...


#: Makes a model from (the cases, a fold, its number); the fold's test part must not be looked at.
Trainer = Callable[[MaskCases, Fold, int], Predictor]


@dataclass(frozen=True, eq=False)
class MaskProof:
    """Outlines of every case by models that never saw its patient.

    Attributes
    ----------
    name
        What made them.
    tested, fold
        Indices of the cases that were outlined, rising, and which fold outlined each.
    rows
        Scores of each.
    predicted
        The outlines, where they were kept.
    scores
        Means with intervals over patients.
    """

    name: str
    tested: IntArray
    fold: IntArray
    rows: tuple[CaseScores, ...]
    predicted: tuple[LabelMap, ...]
    scores: Scores

    @property
    def dice(self) -> npt.NDArray[np.float64]:
        """Mean Dice of each case over its classes."""
        return np.array([dice_of(row) for row in self.rows])


def with_validation(cohort: Cohort, fold: Fold, seed: int) -> Fold:
    """Return a fold that sets some training patients aside to choose epoch and threshold by; none where there are few.

    Parameters
    ----------
    cohort
        The cases, as numbers to be spread evenly (`masks.cases.strata_of`).
    fold
        Without such a part.
    seed
        Of the choice.
    """
    train = np.asarray(fold.train, np.int64)
    if np.unique(cohort.groups[train]).size < FEWEST:
        return fold
    part, _ = parted(cohort, train, [1.0] * PARTS, seed, ("label", "site"))
    return Fold(tuple(train[part != 0]), fold.test, tuple(train[part == 0]), fold.name)


def prove_masks(
    cases: MaskCases,
    folds: Sequence[Fold],
    name: str,
    train: Trainer,
    *,
    keep: bool = False,
    tolerance: float = 1.0,
    draws: int = 2000,
    seed: int = 0,
) -> MaskProof:
    """Outline every case by a model that was made without its patient, and judge the outlines.

    Parameters
    ----------
    cases
        All cases.
    folds
        Their division.
    name
        Of the model.
    train
        Makes it.
    keep
        Whether the outlines are kept.
    tolerance
        mm (or pixels) of the surface Dice.
    draws, seed
        Bootstrap resamples of whole patients, and their choice.

    Raises
    ------
    ContentError
        If a fold tests a case or a patient that it trained on, or a case is tested twice.
    """
    found: dict[int, tuple[int, CaseScores, LabelMap | None]] = {}
    for number, fold in enumerate(folds):
        check_disjoint(cases.cohort, fold)
        model = train(cases, fold, number)
        for k in fold.test:
            if k in found:
                raise ContentError(f"Fold {number + 1} tests a case that another fold tests as well: expected each case once.")
            outline = model.predict(cases.images[k])
            found[k] = (number, case_scores(outline, cases.masks[k], cases.segments, tolerance), outline if keep else None)
    tested = np.array(sorted(found), np.int64)
    fold_of = np.array([found[int(k)][0] for k in tested], np.int64)
    rows = tuple(found[int(k)][1] for k in tested)
    outlines = tuple(one for one in (found[int(k)][2] for k in tested) if one is not None)
    widen = widening(np.unique(fold_of).size)
    scores = mean_scores(rows, cases.cohort.groups[tested], widen=widen, draws=draws, seed=seed)
    return MaskProof(name, tested, fold_of, rows, outlines, scores)
