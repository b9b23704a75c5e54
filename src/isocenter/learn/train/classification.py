"""Training a classifier of whole images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Unpack

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.learn.train.heads import ClassHead
from isocenter.learn.train.images import TrainedNetwork, TrainingOptions, require_images, train_images

__all__ = ["train_classifier"]


def train_classifier(
    images: Sequence[Image],
    labels: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    size: Sequence[int] | None = None,
    **options: Unpack[TrainingOptions],
) -> TrainedNetwork:
    """Train a classifier.

    Parameters
    ----------
    images, labels
        The training fold, in the same order.
    names
        Of the cases, for messages.
    size
        Samples that images are brought to along each spatial axis. Default: the median size, at most 224 (64 in three dimensions).
    **options
        See `isocenter.learn.train.images.TrainingOptions`. The best epoch is that of the greatest mean log probability of the truth.

    Raises
    ------
    ContentError
        If there is one class only, a class has a single case, or an image cannot be used.
    """
    names = [str(n) for n in names] if names is not None else [f"case {k + 1}" for k in range(len(images))]
    require_images(images, labels, names)
    texts = [str(label) for label in labels]
    counts = Counter(texts)
    if len(counts) < 2:
        raise ContentError(
            f"All {len(labels)} training cases are of class '{next(iter(counts))}': expected at least two classes."
        )
    alone = sorted(name for name, count in counts.items() if count < 2)
    if alone:
        raise ContentError(
            f"Class '{alone[0]}' has a single training case: expected at least two, so that one can be learnt and another can check it."
        )
    head = ClassHead(tuple(sorted(counts)))
    truth = [head.classes.index(text) for text in texts]
    return train_images(images, truth, head, names=names, size=size, **options)
