"""Tidy labels: smooth outlines, fill holes, drop islands, keep the largest parts."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Editor
from isocenter.core.operation import Context, Spec
from isocenter.kernels.labels import bounding_box, closing, fill_holes, keep_largest, opening, remove_islands

__all__ = ["Clean"]


class Clean(Editor):
    """Tidy every segment: open, close, fill holes, drop islands, keep the largest parts, in this order.

    A segment grows into background alone, never into another segment. Of equal parts the one that begins first is kept.

    Parameters
    ----------
    opening
        Radius in mm of the ball that must fit into what stays: cuts thin bridges; 0 leaves them.
    closing
        Radius in mm of the ball that must fit into gaps that stay; 0 leaves all of them.
    holes
        Whether enclosed background is filled: ``volume`` fills cavities, ``slices`` also what is enclosed within one
        slice across the first axis, ``keep`` leaves them.
    islands
        Parts of less than this volume in mm^3 (mm^2 in the plane, mm along a line) are dropped; 0 drops none.
    islands_samples
        Parts of fewer than this many samples are dropped; 0 drops none.
    largest
        Number of parts to keep of every segment, the largest ones; 0 keeps all.
    connectivity
        Neighbours that count as joined: 6, 18 or 26 samples (4, 8 and 8 in the plane).

    References
    ----------
    Soille. Morphological Image Analysis, 2nd ed. (2004), chapters 4 and 6.
    """

    ns_per_sample: ClassVar[float] = 60.0

    opening: float = Field(0.0, ge=0)
    closing: float = Field(0.0, ge=0)
    holes: Literal["volume", "slices", "keep"] = "volume"
    islands: float = Field(0.0, ge=0)
    islands_samples: int = Field(0, ge=0)
    largest: int = Field(0, ge=0)
    connectivity: Literal[6, 18, 26] = 26

    @classmethod
    def examples(cls) -> tuple[Clean, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(closing=2.6, islands=9.0), cls(opening=1.6, holes="slices", largest=1, connectivity=6))

    def check_image(self, spec: Spec) -> None:
        """Raise the error that says why labels are refused: lengths in mm need a pixel size."""
        super().check_image(spec)
        if (self.opening or self.closing or self.islands) and spec.geometry is not None:
            spec.geometry.require_mm(self.name)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the tidied block."""
        labels = np.asarray(array)
        result = np.zeros_like(labels)
        for value in (int(v) for v in np.unique(labels) if v > 0):
            tidied = self._one(labels == value, context)
            # What it gains beyond its own samples must be background, and not have been gained by another segment.
            result[tidied & ((labels == value) | ((labels == 0) & (result == 0)))] = value
        return result

    def _one(self, mask: npt.NDArray[np.bool_], context: Context) -> npt.NDArray[np.bool_]:
        """Return one segment tidied."""
        reach = [int(np.ceil(max(self.closing, self.opening) / s)) + 1 for s in context.spacing]
        box = bounding_box(mask, reach)
        assert box is not None  # only values that occur are asked for
        part = opening(mask[box], self.opening, context.spacing, context.threads)
        part = closing(part, self.closing, context.spacing, context.threads)
        if self.holes != "keep":
            part = fill_holes(part)
        if self.holes == "slices" and part.ndim == 3:
            part = fill_holes(part, axis=0)
        fewest = max(self.islands_samples, int(np.ceil(self.islands / context.geometry.voxel_size - 1e-9)))
        if fewest > 1:
            part = remove_islands(part, fewest, self.connectivity)
        if self.largest:
            part = keep_largest(part, self.largest, self.connectivity)
        result = np.zeros(mask.shape, np.bool_)
        result[box] = part
        return result
