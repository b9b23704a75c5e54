"""Bringing an image to what the network sees, and labels back to the image's own grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.train.fingerprint import channel_first, channels_of
from isocenter.ops.resample.to_grid import ToGrid

__all__ = ["class_indices", "native_labels", "normalised", "prepared"]

FloatArray = npt.NDArray[np.float32]


def prepared(
    image: Image, spacing: Sequence[float] | None, normalisation: str, intensity: Sequence[Mapping[str, float]]
) -> tuple[FloatArray, Geometry]:
    """Return the normalised samples (channels, *spatial) at a spacing, and their grid.

    Parameters
    ----------
    image
        Two or three spatial axes, channels as in training.
    spacing
        mm per sample; None keeps the image's own.
    normalisation, intensity
        As of a plan.

    Raises
    ------
    ContentError
        If the image has other channels than the training, or is not finite.
    """
    if channels_of(image) != len(intensity) or "t" in image.dims:
        raise ContentError(
            f"An image with axes {image.dims} and {channels_of(image)} channels; expected {len(intensity)} channels and no time, "
            "as the network was trained with."
        )
    grid = image.geometry if spacing is None else image.geometry.with_spacing(spacing)
    if grid != image.geometry:
        image = ToGrid(fill="edge")(image, None, grid)
    data = channel_first(image)
    if not np.isfinite(data).all():
        raise ContentError("The image holds values that are not finite: expected finite numbers; repair it first.")
    return normalised(data, normalisation, intensity), grid


def normalised(data: FloatArray, normalisation: str, intensity: Sequence[Mapping[str, float]]) -> FloatArray:
    """Return samples (channels, *spatial) as the network sees them: about zero mean and unit deviation."""
    result = np.empty_like(data, dtype=np.float32)
    for k, channel in enumerate(data):
        if normalisation == "ct":
            known = intensity[k]
            result[k] = (np.clip(channel, known["low"], known["high"]) - known["mean"]) / known["std"]
        else:
            result[k] = (channel - channel.mean(dtype=np.float64)) / max(float(channel.std(dtype=np.float64)), 1e-6)
    return result


def class_indices(mask: LabelMap, segments: Sequence[Segment], grid: Geometry) -> npt.NDArray[np.uint8]:
    """Return the class index (0 background, then in the order of `segments`) of every sample of a grid."""
    if grid != mask.geometry and not grid.matches(mask.geometry):
        labels = np.asarray(ToGrid(labels="linear", fill="edge")(mask, None, grid).array)
    else:
        labels = np.asarray(mask.array)
    table = np.zeros(max([s.value for s in segments] + [int(labels.max(initial=0))]) + 1, np.uint8)
    for index, segment in enumerate(segments, start=1):
        table[segment.value] = index
    return table[labels]


def native_labels(indices: npt.NDArray[Any], grid: Geometry, image: Image, segments: Sequence[Segment]) -> LabelMap:
    """Return class indices on `grid` as labels on the image's own grid."""
    values = np.array([0, *(s.value for s in segments)], np.uint8 if max(s.value for s in segments) < 256 else np.uint16)
    dims = tuple(d for d in image.dims if d in ("z", "y", "x"))
    labels = LabelMap(values[indices], dims, grid, tuple(segments))
    if grid == image.geometry:
        return labels
    native = ToGrid(labels="linear", fill="edge")(labels, None, image.geometry)
    return LabelMap(native.array, dims, image.geometry, tuple(segments))
