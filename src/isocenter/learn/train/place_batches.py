"""Batches of images with places in them, which move along where an image is turned, scaled or mirrored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.interpolate import sample_affine
from isocenter.learn.loading.augment import USUAL
from isocenter.learn.train.scale import kept_values

__all__ = ["PlaceBatches", "moved_boxes", "moved_points"]

FloatArray = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PlaceBatches:
    """What one epoch goes through: it depends on the seed and the epoch alone.

    Attributes
    ----------
    images
        Normalised samples (channels, *spatial) of each case.
    places
        Of each case in its samples: points (n, axes) with NaN where one is not seen, or boxes (n, 2 * axes).
    labels
        Class of each box; None for points.
    names
        Of the cases, for messages.
    size
        Samples of what the network is shown.
    spacing
        mm of a sample, so that turning keeps angles.
    batch
        Images a batch.
    augment, mirror
        Strength, and axes along which images may be mirrored.
    seed
        Of everything random.
    quantity
        What samples measure, so that their values are left alone; None where each image was normalised by itself.
    """

    images: Sequence[Samples]
    places: Sequence[FloatArray]
    labels: Sequence[npt.NDArray[np.int64]] | None
    names: Sequence[str]
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    batch: int
    augment: float
    mirror: tuple[int, ...]
    seed: int
    quantity: str | None = None

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch)

    def epoch(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch."""
        order = np.random.default_rng([self.seed, number]).permutation(len(self.images))
        order = np.resize(order, len(self) * self.batch)
        for step in range(len(self)):
            generator = np.random.default_rng([self.seed, number, step + 1])
            chosen = [int(k) for k in order[step * self.batch : (step + 1) * self.batch]]
            pairs = [self._one(k, generator) for k in chosen]
            yield {
                "image": np.stack([image for image, _ in pairs]),
                "truth": _stacked([truth for _, truth in pairs]),
                "names": [self.names[k] for k in chosen],
            }

    def _one(self, k: int, generator: np.random.Generator) -> tuple[Samples, FloatArray]:
        image = self.images[k]
        augment = kept_values(replace(USUAL, strength=self.augment, mirror=self.mirror), self.quantity)
        placement = augment.placed(len(self.size), generator, self.spacing)
        start = (np.array(image.shape[1:]) - np.array(self.size)) / 2.0
        whole = placement.copied and not placement.mirror  # whole samples are copied, not mixed
        matrix = placement.matrix((np.round(start) if whole else start).tolist(), self.size)
        moved = np.stack([sample_affine(c, matrix, self.size, "linear", 0.0) for c in image]).astype(np.float32, copy=False)
        moved = augment.changed(moved, generator)
        if self.labels is None:
            return moved, moved_points(self.places[k], matrix, self.size)
        boxes, kept = moved_boxes(self.places[k], matrix, self.size)
        return moved, np.column_stack([boxes, self.labels[k][kept]])


def moved_points(points: FloatArray, matrix: FloatArray, size: Sequence[int]) -> FloatArray:
    """Return where points lie in a patch, NaN for those that left it.

    Parameters
    ----------
    points
        In samples of the image, shape (n, axes).
    matrix
        Maps samples of the patch to samples of the image, shape (axes, axes + 1).
    size
        Samples of the patch.
    """
    axes = len(tuple(size))
    there = np.linalg.solve(matrix[:, :axes], (points - matrix[:, axes]).T).T
    out = (there < -0.5) | (there > np.asarray(size) - 0.5)
    there[out.any(axis=1)] = np.nan
    return np.asarray(there)


def moved_boxes(boxes: FloatArray, matrix: FloatArray, size: Sequence[int]) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Return the boxes of a patch, cut at its border, and which of the image's they are: those whose middle is in it.

    A box that is turned becomes the box around the ellipse that it held, not around its own corners: objects seldom fill
    those. Parameters are as of `moved_points`, boxes of shape (n, 2 * axes).
    """
    axes = len(tuple(size))
    back = np.linalg.inv(matrix[:, :axes])
    middle = (boxes[:, :axes] + boxes[:, axes:]) / 2.0
    centre = (middle - matrix[:, axes]) @ back.T
    half = np.sqrt(((boxes[:, axes:] - boxes[:, :axes]) / 2.0) ** 2 @ (back**2).T)
    limit = np.asarray(size) - 0.5
    kept = np.flatnonzero(((centre > -0.5) & (centre < limit)).all(axis=1))
    low, high = np.maximum(centre - half, -0.5)[kept], np.minimum(centre + half, limit)[kept]
    return np.concatenate([low, high], axis=1), kept


def _stacked(rows: Sequence[FloatArray]) -> Samples:
    """Return truths of different lengths in one array, NaN behind the last row of each."""
    most = max(len(r) for r in rows)
    full = np.full((len(rows), most, rows[0].shape[1]), np.nan, np.float32)
    for k, r in enumerate(rows):
        full[k, : len(r)] = r
    return full
