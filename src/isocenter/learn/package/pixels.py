"""What predicts in a package of a classifier of samples, as plain values and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, IsocenterError
from isocenter.core.labels import Segment
from isocenter.learn.masks.pixels import PixelModel
from isocenter.learn.package.estimators import from_arrays, to_arrays

__all__ = ["PixelSegmenter", "restore", "take_apart"]

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class PixelSegmenter:
    """A segmenter that classifies every sample by its surroundings and its place.

    Attributes
    ----------
    trained
        The model.
    """

    trained: PixelModel

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the segments."""
        return tuple(s.name for s in self.trained.segments)


def take_apart(model: PixelSegmenter) -> tuple[dict[str, Any], Arrays]:
    """Return a model as plain values and arrays."""
    trained = model.trained
    description, arrays = to_arrays(trained.model)
    return {
        "kind": "pixels",
        "model": description,
        "threshold": trained.threshold,
        "segments": [s.to_dict() for s in trained.segments],
        "channels": trained.channels,
        "axes": trained.axes,
    }, arrays


def restore(description: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> PixelSegmenter:
    """Return the model that `take_apart` described.

    Raises
    ------
    FormatError
        If something is missing or does not fit.
    """
    try:
        segments = tuple(Segment.from_dict(s) for s in description["segments"])
        model = from_arrays(description["model"], dict(arrays))
        classes = np.asarray(model.classes_)
        if classes.min() < 0 or classes.max() > len(segments):
            raise ValueError("a class without a segment")
        axes, channels = int(description["axes"]), int(description["channels"])
        return PixelSegmenter(PixelModel(model, float(description["threshold"]), segments, channels, axes))
    except (LookupError, TypeError, ValueError, AttributeError, IsocenterError) as error:
        if isinstance(error, FormatError):
            raise
        reason = str(error) if isinstance(error, IsocenterError | ValueError) else type(error).__name__
        raise FormatError(f"The model does not fit its description ({reason}): the package was not written whole.") from error
