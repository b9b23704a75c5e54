"""The mean mask: where the classes usually lie in the field of view. What does not beat it has not looked at the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.masks.decide import best_threshold, decided, resized, working_shape

__all__ = ["Atlas", "fit_atlas"]

#: Samples of the mean mask, at most.
MOST = {1: 1 << 12, 2: 1 << 16, 3: 1 << 18}


@dataclass(frozen=True, eq=False)
class Atlas:
    """How often each class lies where, over the field of view.

    Attributes
    ----------
    chances
        Shape (classes, *spatial).
    threshold
        From which on a sample is labelled.
    segments
        The classes.
    """

    chances: npt.NDArray[np.float32]
    threshold: float
    segments: tuple[Segment, ...]

    def predict(self, image: Image) -> LabelMap:
        """Return the labels of an image, whatever it shows."""
        return decided(self.chances, self.threshold, image, self.segments)


def fit_atlas(masks: Sequence[LabelMap], segments: Sequence[Segment]) -> Atlas:
    """Return the mean mask of training cases, with the threshold that does best on them.

    Parameters
    ----------
    masks
        Of the training fold.
    segments
        The classes.
    """
    middle = [int(n) for n in np.median([m.geometry.shape for m in masks], axis=0)]
    shape = working_shape(middle, MOST[len(middle)])
    total = np.zeros((len(segments), *shape), np.float64)
    truths = []
    for mask in masks:
        labels = np.asarray(mask.array)
        parts = np.stack([resized(labels == s.value, shape) for s in segments])
        total += parts
        truths.append(np.asarray(parts.sum(axis=0) >= 0.5))
    chances = (total / len(masks)).astype(np.float32)
    usual = chances.sum(axis=0)
    return Atlas(chances, best_threshold([usual] * len(truths), truths), tuple(segments))
