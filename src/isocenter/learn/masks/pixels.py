"""A classical segmenter: each sample is classified by its brightness, its surroundings and its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.estimators.catalogue import learner
from isocenter.learn.masks.decide import best_threshold, decided, resized, working_shape

__all__ = ["PixelModel", "describe_samples", "fit_pixels"]

FloatArray = npt.NDArray[np.float32]
#: Samples of an image that are classified at most; a larger one is looked at more coarsely.
MOST = 1 << 18
#: Widths of the smoothing, and of the gradients, in samples of the grid that is looked at.
WIDTHS, SLOPES = (1.0, 2.0, 4.0, 8.0), (1.0, 4.0)
#: Samples learnt from, in all and of one case.
LEARNT, OF_CASE = 40_000, 2_000
#: A small forest: it must be quick where every sample is a row.
FOREST = {"trees": 30, "least": 20}
_ROWS = 1 << 14


@dataclass(frozen=True, eq=False)
class PixelModel:
    """A classifier of samples with its threshold.

    Attributes
    ----------
    model
        Has ``classes_`` (0 background, then the position of a segment) and ``predict_proba``.
    threshold
        Chance of any class from which on a sample is labelled.
    segments
        The classes.
    channels, axes
        Of the images that it was made from.
    """

    model: Any
    threshold: float
    segments: tuple[Segment, ...]
    channels: int
    axes: int

    def chances(self, image: Image) -> FloatArray:
        """Return the chance of each class, shape (classes, *spatial) at the resolution that is looked at.

        Raises
        ------
        ContentError
            If the image has other channels or axes than those of the training, or is not finite.
        """
        if "t" in image.dims or image.geometry.ndim != self.axes or channels_of(image) != self.channels:
            raise ContentError(
                f"An image with axes {image.dims} and {channels_of(image)} channels: expected {self.axes} spatial axes and "
                f"{self.channels} channels, as the model was made from."
            )
        rows, shape = describe_samples(image)
        found = np.zeros((len(rows), len(self.segments) + 1), np.float32)
        for start in range(0, len(rows), _ROWS):
            found[start : start + _ROWS, self.model.classes_] = self.model.predict_proba(
                rows[start : start + _ROWS].astype(np.float64)
            )
        return np.ascontiguousarray(found[:, 1:].T).reshape(len(self.segments), *shape)

    def predict(self, image: Image) -> LabelMap:
        """Return the labels of an image, on its own grid."""
        return decided(self.chances(image), self.threshold, image, self.segments)


def channels_of(image: Image) -> int:
    """Return how many channels an image has."""
    return image.shape[image.dims.index("c")] if "c" in image.dims else 1


def describe_samples(image: Image) -> tuple[FloatArray, tuple[int, ...]]:
    """Return what is known of every sample, and the shape of the grid that is looked at.

    Parameters
    ----------
    image
        Two or three spatial axes, any channels.

    Returns
    -------
    rows, shape
        For each sample and channel the value, its smoothed values and gradients; and the place in the field of view from -1 to 1.

    Raises
    ------
    ContentError
        If it holds values that are not finite.
    """
    data = np.asarray(image.array, np.float32)
    data = np.moveaxis(data, image.dims.index("c"), 0) if "c" in image.dims else data[None]
    if not np.isfinite(data).all():
        raise ContentError("The image holds values that are not finite: expected finite numbers; repair it first.")
    shape = working_shape(image.geometry.shape, MOST)
    columns: list[FloatArray] = []
    for channel in data:
        small = resized(channel, shape)
        if image.quantity == "HU":
            small = np.clip(small, -1000.0, 2000.0) / np.float32(500.0)
        else:
            small = (small - small.mean(dtype=np.float64)) / max(float(small.std(dtype=np.float64)), 1e-6)
        small = small.astype(np.float32)
        columns.append(small)
        columns += [ndimage.gaussian_filter(small, w, mode="nearest") for w in WIDTHS]
        columns += [ndimage.gaussian_gradient_magnitude(small, w, mode="nearest") for w in SLOPES]
    for k, n in enumerate(shape):
        place = np.linspace(-1.0, 1.0, n, dtype=np.float32) if n > 1 else np.zeros(1, np.float32)
        columns.append(np.broadcast_to(place.reshape([-1 if j == k else 1 for j in range(len(shape))]), shape))
    return np.stack([c.reshape(-1) for c in columns], axis=1), shape


def fit_pixels(
    images: Sequence[Image],
    masks: Sequence[LabelMap],
    segments: Sequence[Segment],
    *,
    held: Sequence[int] = (),
    name: str = "forest",
    seed: int = 0,
) -> PixelModel:
    """Fit a classifier of samples.

    Parameters
    ----------
    images, masks
        The training fold, in the same order.
    segments
        The classes.
    held
        Positions of the cases, of other patients than the rest, that choose the threshold; the model is then fitted again on all.
        None of them: the threshold is chosen on the cases that it was fitted on.
    name
        Learner of the catalogue.
    seed
        Of the samples that are drawn, and of the learner.

    Raises
    ------
    ContentError
        If no sample of a class can be drawn.
    """
    rows, targets, truths = [], [], []
    share = int(np.clip(LEARNT // len(images), 50, OF_CASE))
    for k, (image, mask) in enumerate(zip(images, masks, strict=True)):
        described, shape = describe_samples(image)
        labels = _small(mask, segments, shape)
        drawn = _drawn(labels, share, np.random.default_rng([seed, k]))
        rows.append(described[drawn])
        targets.append(labels[drawn])
        truths.append(labels.reshape(shape) > 0)
    if len({int(v) for t in targets for v in np.unique(t)}) < 2:
        raise ContentError(
            f"The {len(images)} training masks show one class and nothing else: expected a class and a background."
        )

    def fitted(chosen: Sequence[int]) -> PixelModel:
        x = np.concatenate([rows[k] for k in chosen]).astype(np.float64)
        y = np.concatenate([targets[k] for k in chosen])
        settings = FOREST if name == "forest" else {}
        made = learner(name).make("classification", seed, x.shape[1], **settings)
        return PixelModel(made.fit(x, y), 0.5, tuple(segments), channels_of(images[0]), images[0].geometry.ndim)

    judging = sorted(set(held)) or list(range(len(images)))
    rest = [k for k in range(len(images)) if k not in set(held)]
    model = fitted(rest)
    chances = [model.chances(images[k]).sum(axis=0) for k in judging]
    threshold = best_threshold(chances, [truths[k] for k in judging])
    return replace(fitted(range(len(images))) if held else model, threshold=threshold)


def _small(mask: LabelMap, segments: Sequence[Segment], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return the class of every sample of a coarser grid: 0 where less than a half is of any."""
    labels = np.asarray(mask.array)
    parts = np.stack([resized(labels == s.value, shape) for s in segments])
    found: npt.NDArray[np.int64] = np.where(parts.sum(axis=0) >= 0.5, parts.argmax(axis=0) + 1, 0).reshape(-1)
    return found


def _drawn(labels: npt.NDArray[np.int64], share: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return positions of samples, as many of each class that is there."""
    present = np.unique(labels)
    each = max(share // present.size, 1)
    taken = []
    for value in present:
        inside = np.flatnonzero(labels == value)
        taken.append(inside if inside.size <= each else generator.choice(inside, each, replace=False))
    return np.sort(np.concatenate(taken))
