"""From chances to labels, and the threshold that does best on cases of the training fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment

__all__ = ["best_threshold", "decided", "resized", "working_shape"]

FloatArray = npt.NDArray[np.float32]
#: Thresholds that are tried.
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))


def resized(array: npt.NDArray[Any], shape: Sequence[int]) -> FloatArray:
    """Return samples brought to another shape over the same field of view, linearly between centres.

    Parameters
    ----------
    array
        Of as many axes as `shape`; averaged first along an axis that shrinks, so that nothing is skipped.
    shape
        Wanted.
    """
    data = np.asarray(array, np.float32)
    shrunk = [n / m for n, m in zip(data.shape, shape, strict=True)]
    if any(f > 1.5 for f in shrunk):
        data = ndimage.gaussian_filter(data, [0.35 * f if f > 1.5 else 0.0 for f in shrunk], mode="nearest")
    if data.shape == tuple(shape):
        return data
    zoom = [m / n for n, m in zip(data.shape, shape, strict=True)]
    found: FloatArray = ndimage.zoom(data, zoom, order=1, mode="nearest", grid_mode=True)
    return found


def working_shape(shape: Sequence[int], most: int) -> tuple[int, ...]:
    """Return a shape of at most so many samples: the longest axes are shortened first.

    Parameters
    ----------
    shape
        Of an image.
    most
        Samples in all.
    """
    side = max(shape)
    found = tuple(int(n) for n in shape)
    while int(np.prod(found)) > most:
        side = max(int(side * 0.95), 1)
        found = tuple(min(n, side) for n in found)
    return found


def best_threshold(chances: Sequence[FloatArray], truths: Sequence[npt.NDArray[np.bool_]]) -> float:
    """Return the chance of any class from which a sample is best called one: the greatest mean Dice over cases.

    Parameters
    ----------
    chances
        Of any class, one array a case.
    truths
        Where any class is.
    """
    rows = []
    for chance, truth in zip(chances, truths, strict=True):
        there = int(truth.sum())
        row = []
        for t in THRESHOLDS:
            called = chance >= t
            total = there + int(called.sum())
            row.append(2.0 * int((called & truth).sum()) / total if total else 1.0)
        rows.append(row)
    mean = np.mean(rows, axis=0)
    # Of equally good ones the middle: a plateau's edge is where it begins to fail.
    best = np.flatnonzero(mean >= mean.max() - 1e-9)
    return THRESHOLDS[int(best[best.size // 2])]


def decided(chances: FloatArray, threshold: float, image: Image, segments: Sequence[Segment]) -> LabelMap:
    """Return labels on the grid of an image.

    Parameters
    ----------
    chances
        Of each class (background not among them), shape (classes, *spatial), at any resolution over the image's field of view.
    threshold
        Chance of any class from which on a sample is labelled, with the likeliest class.
    image
        The image.
    segments
        The classes.
    """
    dims = tuple(d for d in image.dims if d in ("z", "y", "x"))
    fine = np.stack([resized(c, image.geometry.shape) for c in chances])
    values = np.array([s.value for s in segments], np.uint8 if max(s.value for s in segments) < 256 else np.uint16)
    labels = np.where(fine.sum(axis=0) >= threshold, values[fine.argmax(axis=0)], values.dtype.type(0))
    return LabelMap(labels, dims, image.geometry, tuple(segments))
