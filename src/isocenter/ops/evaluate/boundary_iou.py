"""Overlap of two outlines of a given width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Metric
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.labels import bounding_box, distance_inside

__all__ = ["BoundaryIou"]


class BoundaryIou(Metric):
    """Intersection over union of the two rims: the samples of each mask that lie near its own outline.

    Plain overlap hardly sees an outline of a large object that is off by a little; this does. Beyond the image counts as
    outside. Two empty masks agree perfectly; where just one is empty the score is 0.

    Parameters
    ----------
    width
        Depth in mm of the rims, from the outline inwards.
    label
        Label to compare, by name or value; None compares all labels together with the background.

    References
    ----------
    Cheng, Girshick, Dollar, Berg, Kirillov. Boundary IoU: improving object-centric image segmentation evaluation. CVPR
    (2021) 15334-15342.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"boundary_iou": (0.0, 1.0)}
    higher_is_better: ClassVar[Mapping[str, bool]] = {"boundary_iou": True}
    symmetric: ClassVar[tuple[str, ...]] = ("boundary_iou",)
    ns_per_sample: ClassVar[float] = 20.0

    width: float = Field(2.0, gt=0)
    label: str | int | None = None

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the score."""
        truth = context.reference
        assert truth is not None  # the family hands it over
        found, there = bool(array.any()), bool(truth.any())
        if not (found and there):
            return {"boundary_iou": Score(float(found == there))}
        box = bounding_box(array | truth)
        one, two = self._rim(array[box], context), self._rim(truth[box], context)
        return {"boundary_iou": Score(int(np.count_nonzero(one & two)) / int(np.count_nonzero(one | two)))}

    def _rim(self, mask: npt.NDArray[np.bool_], context: Context) -> npt.NDArray[np.bool_]:
        """Return the samples of a mask that are no deeper than the width."""
        # A rim of background on every side: what lies beyond the box is outside both masks, or outside the image.
        padded = np.pad(mask, 1)
        depth = distance_inside(padded, context.spacing, context.threads)[(slice(1, -1),) * mask.ndim]
        # Depths are counted to the nearest sample outside, so the outermost layer is always part of the rim.
        limit = max(self.width, min(context.spacing)) * (1.0 + 1e-5)
        rim: npt.NDArray[np.bool_] = mask & (depth <= limit)
        return rim if rim.any() else mask
