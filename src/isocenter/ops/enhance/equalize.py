"""Spread intensities evenly over the range."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from isocenter.kernels.otsu import histogram
from isocenter.kernels.tone import apply_curve, count_levels, equalizing_curve, extremes, look_up, weigh_levels

__all__ = ["Equalize"]


class Equalize(Filter):
    """Spread intensities evenly from 0 to 1: histogram equalisation.

    For looking at images whose values crowd together, and as a step before matching features. Large even parts (air) take
    most of the range, and values lose their meaning: never before measuring intensities. NaN stays.

    Parameters
    ----------
    bins
        Number of bins between the smallest and the largest value; within a bin the curve is linear.

    References
    ----------
    Gonzalez, Woods. Digital image processing, 4th edition. Pearson (2018), section 3.3.
    """

    gives_quantity: ClassVar[str | None] = "intensity fraction"
    takes_integers: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 6.0

    bins: int = Field(1024, ge=2, le=1 << 20)

    @classmethod
    def examples(cls) -> tuple[Equalize, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(bins=64))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the fraction of values below each."""
        if array.dtype.kind in "iu":
            counts, values = histogram(array, threads=context.threads)
            if len(values) == 1:
                return np.zeros(array.shape, np.float32)
            levels = values.astype(np.float32)
            low, high = float(levels[0]), float(levels[-1])
            curve = equalizing_curve(weigh_levels(levels, counts, low, high, self.bins))
            return look_up(array, int(values[0]), apply_curve(levels, low, high, curve), context.threads)
        low, high = extremes(array)
        if high <= low:
            return np.where(np.isfinite(array), array.dtype.type(0.0), array)
        counts = count_levels(array, low, high, self.bins, context.threads)
        return apply_curve(array, low, high, equalizing_curve(counts), context.threads)
