"""A finder of places with what was fitted around it: calibrated probabilities, and the one from which an object is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isocenter.core.image import Image
from isocenter.learn.evaluate.detection import ImageFindings, findings_of, froc
from isocenter.learn.places.places import Places

__all__ = ["Finder", "PlaceModel", "fitted_around", "judged_findings"]

FloatArray = npt.NDArray[np.float64]


class Finder(Protocol):
    """What finds places in an image."""

    @property
    def names(self) -> tuple[str, ...]:
        """Landmarks, or classes of objects."""

    def predict(self, image: Image) -> Places:
        """Return what is found."""


@dataclass(frozen=True, eq=False)
class PlaceModel:
    """A finder as it is used and kept.

    Attributes
    ----------
    finder
        A network, or one of the baselines.
    slope, offset
        Of the calibration of candidates: logit of the probability = slope * logit of the score + offset.
    threshold
        Probability from which a candidate is called an object: at most one false alarm an image where it was chosen.
    """

    finder: Any
    slope: float = 1.0
    offset: float = 0.0
    threshold: float = 0.5

    @property
    def names(self) -> tuple[str, ...]:
        """Landmarks, or classes of objects."""
        names: tuple[str, ...] = self.finder.names
        return names

    @property
    def classes(self) -> tuple[str, ...]:
        """The same: what a package calls classes."""
        return self.names

    def predict(self, image: Image) -> Places:
        """Return the landmarks of an image, or its candidates with calibrated probabilities, the surest first."""
        return self.calibrated(self.finder.predict(image))

    def calibrated(self, found: Places) -> Places:
        """Return candidates with the probability of each in place of its score."""
        if found.kind == "points" or found.scores is None:
            return found
        score = np.clip(found.scores, 1e-6, 1.0 - 1e-6)
        logit = self.slope * np.log(score / (1.0 - score)) + self.offset
        return replace(found, scores=1.0 / (1.0 + np.exp(-logit)))

    def called(self, found: Places) -> Places:
        """Return the candidates that are called objects; landmarks all are."""
        if found.kind == "points" or found.scores is None:
            return found
        return found.take(np.flatnonzero(found.scores >= self.threshold))


def judged_findings(found: Places, truth: Places, group: str) -> ImageFindings:
    """Return which true objects the candidates of an image hit; an object is hit by its own class only."""
    scores = np.zeros(len(found)) if found.scores is None else found.scores
    one = findings_of(found.millimetres(), scores, truth.millimetres(), group)
    same = np.array([[a == b for b in truth.names] for a in found.names], np.float64).reshape(one.hits.shape)
    return ImageFindings(one.scores, one.hits * same, group)


def fitted_around(finder: Finder, images: Sequence[Image], truth: Sequence[Places]) -> PlaceModel:
    """Return a model of a finder: calibration and operating point from cases that the test part does not hold.

    Parameters
    ----------
    finder
        The finder.
    images, truth
        Cases to fit them on: those that chose the best epoch of a network, or the training part of a baseline, which
        has nothing that could learn cases by heart.
    """
    model = PlaceModel(finder)
    if not truth or truth[0].kind == "points":
        return model
    pairs = [(finder.predict(image), t) for image, t in zip(images, truth, strict=True)]
    findings = [judged_findings(found, t, str(k)) for k, (found, t) in enumerate(pairs)]
    scores = np.concatenate([f.scores for f in findings])
    hit = np.concatenate([(f.hits > 0).any(axis=1) for f in findings])
    if min(int(hit.sum()), int((~hit).sum())) >= 5:
        from sklearn.linear_model import LogisticRegression

        clear = np.clip(scores, 1e-6, 1.0 - 1e-6)
        logit = np.log(clear / (1.0 - clear))
        middle, width = float(logit.mean()), max(float(logit.std()), 1e-6)
        fitted = LogisticRegression(C=10.0).fit(((logit - middle) / width)[:, None], hit)
        slope = float(fitted.coef_[0, 0]) / width
        if slope > 0:  # a score that orders candidates the wrong way round is left as it is
            model = replace(model, slope=slope, offset=float(fitted.intercept_[0]) - slope * middle)
    return replace(model, threshold=_threshold(model, pairs))


def _threshold(model: PlaceModel, pairs: Sequence[tuple[Places, Places]]) -> float:
    """Return the probability that finds most objects with at most one false alarm in a mean image, the highest of equals."""
    if not any(len(t) for _, t in pairs):
        return 0.5
    findings = [judged_findings(model.calibrated(found), t, str(k)) for k, (found, t) in enumerate(pairs)]
    curve = froc(findings)
    allowed = np.flatnonzero(curve.false_positives <= 1.0 + 1e-9)
    # The highest threshold that finds as much: beyond it there are more false alarms alone.
    best = allowed[int(np.argmax(curve.sensitivity[allowed]))]
    return float(curve.threshold[best]) if np.isfinite(curve.threshold[best]) else 1.0
