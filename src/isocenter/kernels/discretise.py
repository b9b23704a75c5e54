"""Discretisation of intensities into levels, as the IBSI defines it.

References
----------
IBSI reference manual v11, section 2.7 (4R0B): fixed bin size and fixed bin number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Bins"]

#: Values that are widened to float64 at a time.
_CHUNK = 1 << 14


@dataclass(frozen=True)
class Bins:
    """Equally wide bins on the axis of intensities, numbered from 1.

    Attributes
    ----------
    start
        Lower edge of the first bin.
    span, parts
        A stretch of intensities, more than 0, and how many bins it holds: one width of one bin, or the whole range of many.
        They are kept apart because values on an edge would miss it by a rounding of their ratio.
    count
        How many bins there are: lower values belong to the first, higher ones to the last.
    """

    start: float
    span: float
    parts: int
    count: int

    @classmethod
    def of_width(cls, width: float, start: float, highest: float) -> Bins:
        """Return bins of one width from `start` (where re-segmentation begins, else the lowest value) to the highest value."""
        return cls(start, width, 1, max(1, math.floor((highest - start) / width) + 1))

    @classmethod
    def of_count(cls, count: int, lowest: float, highest: float) -> Bins:
        """Return bins between the lowest and the highest value of a region; equal values all belong to the first."""
        span = highest - lowest
        return cls(lowest, span if span > 0.0 and math.isfinite(span) else 1.0, count, count)

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """Intensity in the middle of each bin."""
        return self.start + self.span / self.parts * (np.arange(self.count, dtype=np.float64) + 0.5)

    def levels(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """Return the level of each value, same shape."""
        place = np.floor(self.parts * (np.asarray(values, dtype=np.float64) - self.start) / self.span)
        return (np.clip(place, 0, self.count - 1) + 1.0).astype(np.uint16)

    def counts(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return how many of the values (one axis) fall into each bin."""
        total = np.zeros(self.count, np.int64)
        for start in range(0, values.size, _CHUNK):
            found = self.levels(values[start : start + _CHUNK])
            total += np.bincount(found, minlength=self.count + 1)[1:]
        return total
