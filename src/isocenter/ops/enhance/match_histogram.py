"""Give an image the intensities of another one."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.errors import ContentError
from isocenter.core.families import ReferenceFilter
from isocenter.core.operation import Context
from isocenter.kernels.tone import apply_curve, count_levels, extremes, matching_curve

__all__ = ["MatchHistogram"]


class MatchHistogram(ReferenceFilter):
    """Give an image the distribution of intensities of a reference, which may lie on any grid.

    For images of one kind and content from different scanners (MR has no unit). It makes them alike whatever they show: a
    lesion that only one of them has changes the curve, so not where the difference is the question. Channels of a colour
    image are matched each to the same channel of the reference. NaN stays.

    Parameters
    ----------
    bins
        Number of bins between the smallest and the largest value; within a bin the curve is linear.

    References
    ----------
    Gonzalez, Woods. Digital image processing, 4th edition. Pearson (2018), section 3.3.
    """

    ns_per_sample: ClassVar[float] = 8.0
    dims: ClassVar[tuple[str, ...]] = ("x", "yx", "zyx", "cyx", "czyx")

    bins: int = Field(65536, ge=2, le=1 << 20)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the block with the intensities of the reference."""
        reference = context.reference
        assert reference is not None  # the family hands it over
        if "c" not in context.dims:
            return self._matched(array, reference, context.threads)
        if reference.ndim < array.ndim or reference.shape[-array.ndim] != array.shape[0]:
            raise ContentError(
                f"{self.name} was given {array.shape[0]} channels and a reference of shape {reference.shape}: expected as many there."
            )
        axis = reference.ndim - array.ndim
        return np.stack([self._matched(a, np.take(reference, k, axis), context.threads) for k, a in enumerate(array)])

    def _matched(self, array: Any, reference: Any, threads: int) -> Any:
        low, high = extremes(array)
        wanted_low, wanted_high = extremes(reference)
        if high <= low:  # one value has no distribution: it takes the reference's middle
            middle = float(np.median(reference[np.isfinite(reference)])) if np.isfinite(reference).any() else low
            return np.where(np.isfinite(array), array.dtype.type(middle), array)
        counts = count_levels(array, low, high, self.bins, threads)
        wanted = count_levels(reference, wanted_low, wanted_high, self.bins, threads)
        return apply_curve(array, low, high, matching_curve(counts, wanted, wanted_low, wanted_high), threads)
