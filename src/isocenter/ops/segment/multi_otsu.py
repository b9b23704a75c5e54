"""Part an image into several classes by Otsu's criterion."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.labels import Segment
from isocenter.core.operation import Context
from isocenter.kernels.otsu import histogram
from isocenter.kernels.thresholds import condense, multi_otsu
from isocenter.ops.segment._values import within

__all__ = ["MultiOtsu"]


class MultiOtsu(Segmenter):
    """Part values into classes with the largest variance between them; the lowest class is the background.

    The best thresholds for the histogram are found exactly, not by search from a guess. With a region, values are counted
    and labelled in it alone. The thresholds are noted. It fails where a small class lies between two large ones: they are
    then split instead.

    Parameters
    ----------
    classes
        Number of classes, the background included: labels 1 to ``classes - 1`` come out.
    bins
        Number of bins of the histogram.

    References
    ----------
    Liao, Chen, Chung. A fast algorithm for multilevel thresholding. J. Information Science and Engineering 17 (2001)
    713-727.
    """

    ns_per_sample: ClassVar[float] = 6.0

    classes: int = Field(3, ge=2, le=16)
    bins: int = Field(256, ge=16, le=2048)

    @classmethod
    def examples(cls) -> tuple[MultiOtsu, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(classes=4, bins=64))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the classes."""
        data, region = np.asarray(array), context.region
        labels = np.zeros(data.shape, np.uint8)
        if region is not None and not region.any():
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return labels
        counts, centers = condense(*histogram(data, region, self.bins, context.threads), self.bins)
        if np.count_nonzero(counts) < self.classes:
            context.note(f"{self.name}: fewer different values than classes; there is nothing to part, and no label.")
            return labels
        thresholds = multi_otsu(counts, centers, self.classes)
        context.note(f"{self.name}: the thresholds are {', '.join(f'{t:.6g}' for t in thresholds)}.")
        for threshold in thresholds:
            labels += data > threshold
        return within(labels, context)

    def table(self, highest: int) -> tuple[Segment, ...]:
        """Return one row per class above the background."""
        return tuple(Segment(k, f"class {k}") for k in range(1, self.classes))
