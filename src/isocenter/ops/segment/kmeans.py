"""Part an image into clusters of similar values."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.labels import Segment
from isocenter.core.operation import Context
from isocenter.kernels.otsu import histogram
from isocenter.kernels.thresholds import kmeans
from isocenter.ops.segment._values import within

__all__ = ["Kmeans"]


class Kmeans(Segmenter):
    """Give every sample the nearest of k mean values (k-means), numbered by ascending mean.

    Passes run over the histogram, so their number costs nothing: integers are clustered exactly, floats to the width of a
    bin. It starts from equal shares of the samples and needs no random number. With a region, values are counted and
    labelled in it alone. The means are noted. It fails where classes differ much in size: the largest is split.

    Parameters
    ----------
    classes
        Number of clusters, labelled 1, 2 ...
    bins
        Number of bins of the histogram of floats.

    References
    ----------
    Lloyd. Least squares quantization in PCM. IEEE Trans. Information Theory 28 (1982) 129-137.
    """

    ns_per_sample: ClassVar[float] = 6.0

    classes: int = Field(3, ge=2, le=64)
    bins: int = Field(4096, ge=2, le=1 << 20)

    @classmethod
    def examples(cls) -> tuple[Kmeans, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(classes=2, bins=64))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the clusters."""
        data, region = np.asarray(array), context.region
        if region is not None and not region.any():
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return np.zeros(data.shape, np.uint8)
        counts, centers = histogram(data, region, self.bins, context.threads)
        if np.count_nonzero(counts) < self.classes:
            context.note(f"{self.name}: fewer different values than clusters; there is nothing to part, and no label.")
            return np.zeros(data.shape, np.uint8)
        means = kmeans(counts, centers, self.classes)
        context.note(f"{self.name}: the means are {', '.join(f'{m:.6g}' for m in means)}.")
        labels = np.ones(data.shape, np.uint8)
        for edge in (means[1:] + means[:-1]) / 2.0:
            # An integer is above an edge where it is above its floor: the comparison then stays in the image's type.
            labels += data > (int(np.floor(edge)) if data.dtype.kind in "iu" else edge)
        return within(labels, context)

    def table(self, highest: int) -> tuple[Segment, ...]:
        """Return one row per cluster."""
        return tuple(Segment(k, f"class {k}") for k in range(1, self.classes + 1))
