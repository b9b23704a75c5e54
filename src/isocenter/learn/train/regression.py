"""Training a network that predicts a number of a whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.learn.standard import require_spread, standard_of
from isocenter.learn.train.heads import NumberHead
from isocenter.learn.train.images import TrainedNetwork, TrainingOptions, require_images, train_images

__all__ = ["train_regressor"]


def train_regressor(
    images: Sequence[Image],
    numbers: Sequence[float],
    *,
    names: Sequence[str] | None = None,
    size: Sequence[int] | None = None,
    **options: Unpack[TrainingOptions],
) -> TrainedNetwork:
    """Train a network of numbers.

    Images that all measure the same (HU, SUVbw) are seen on one scale. All others are brought to mean 0 and spread 1 each: what only their
    absolute brightness tells cannot be learnt.

    Parameters
    ----------
    images, numbers
        The training fold, in the same order; numbers in any unit, which are brought to standard units (their logarithms where
        they are positive and skewed).
    names
        Of the cases, for messages.
    size
        Samples that images are brought to along each spatial axis. Default: the median size, at most 224 (64 in three dimensions).
    **options
        See `isocenter.learn.train.images.TrainingOptions`. The best epoch is that of the least mean absolute error.

    Raises
    ------
    ContentError
        If all numbers are the same or one is not finite, or an image cannot be used.
    """
    names = [str(n) for n in names] if names is not None else [f"case {k + 1}" for k in range(len(images))]
    require_images(images, numbers, names)
    truth = np.asarray(numbers, np.float64)
    if not np.isfinite(truth).all():
        raise ContentError(f"{names[int(np.argmin(np.isfinite(truth)))]}: its number is not finite: expected one that is.")
    require_spread(truth, "the training cases")
    return train_images(images, truth, NumberHead(standard_of(truth)), names=names, size=size, **options)
