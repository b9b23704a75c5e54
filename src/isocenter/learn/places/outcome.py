"""What became of one case: objects hit, missed and invented, or how far its landmarks lie off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isocenter.learn.places.model import judged_findings
from isocenter.learn.places.places import Places
from isocenter.learn.places.scores import landmark_errors

__all__ = ["LandmarksOff", "ObjectsFound", "outcome_of"]


@dataclass(frozen=True)
class ObjectsFound:
    """Objects of an image at the operating point.

    Attributes
    ----------
    true, hit, missed, false_alarms
        How many are there, were called, were not, and were called where none is.
    """

    true: int
    hit: int
    missed: int
    false_alarms: int

    @property
    def loss(self) -> float:
        """How bad it is: a missed object counts twice a false alarm."""
        return self.missed + 0.5 * self.false_alarms

    def __str__(self) -> str:
        return f"{self.hit} of {self.true} objects called, {self.false_alarms} false alarms"


@dataclass(frozen=True)
class LandmarksOff:
    """Errors of the landmarks of an image.

    Attributes
    ----------
    landmarks
        How many the truth has.
    mean_error, worst_error
        In `unit`; None where there are none.
    worst, unit
        Which lies off most; mm, or pixels.
    """

    landmarks: int
    mean_error: float | None
    worst_error: float | None
    worst: str
    unit: str

    @property
    def loss(self) -> float:
        """How bad it is: the largest error."""
        return self.worst_error or 0.0

    def __str__(self) -> str:
        if self.worst_error is None:
            return "no landmark in the truth"
        return f"{self.worst} {self.worst_error:.3g} {self.unit} off, mean {self.mean_error:.3g}"


def outcome_of(truth: Places, found: Places, called: Places, names: Sequence[str]) -> ObjectsFound | LandmarksOff:
    """Return what became of a case.

    Parameters
    ----------
    truth, found, called
        What is there, all candidates, and those above the operating point.
    names
        Of the landmarks.
    """
    if truth.kind == "points":
        errors = landmark_errors([found], [truth], names)[0]
        there = np.isfinite(errors)
        if not there.any():
            return LandmarksOff(0, None, None, "", truth.geometry.unit)
        k = int(np.nanargmax(errors))
        return LandmarksOff(int(there.sum()), float(np.nanmean(errors)), float(errors[k]), names[k], truth.geometry.unit)
    hits = judged_findings(called, truth, "").hits > 0
    hit = int(hits.any(axis=0).sum())
    return ObjectsFound(len(truth), hit, len(truth) - hit, int((~hits.any(axis=1)).sum()))
