"""Divide an image into patches of like values."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from isocenter.kernels.labels import bounding_box
from isocenter.kernels.slic import slic
from isocenter.ops.segment._values import finite

__all__ = ["Superpixels"]


class Superpixels(Segmenter):
    """Divide an image (or a region) into connected patches of like values and about one size in mm (SLIC).

    Not a segmentation by itself, but a smaller image to segment or to annotate: patches keep to edges that are stronger
    than `compactness` allows. In a region patches may be smaller than elsewhere. With much noise a low `compactness` gives
    ragged patches.

    Parameters
    ----------
    count
        Number of patches, about.
    compactness
        Factor: how many standard deviations of the image a distance of one patch width weighs.
    iterations
        Most iterations.

    References
    ----------
    Achanta et al. SLIC superpixels compared to state-of-the-art superpixel methods. IEEE Trans. PAMI 34 (2012) 2274-2282.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    instances: ClassVar[str | None] = "patch"
    ns_per_sample: ClassVar[float] = 300.0
    bytes_per_sample: ClassVar[float] = 24.0

    count: int = Field(1000, ge=1, le=1 << 24)
    compactness: float = Field(1.0, gt=0)
    iterations: int = Field(10, ge=1, le=1000)

    @classmethod
    def examples(cls) -> tuple[Superpixels, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(count=12), cls(count=5, compactness=0.2, iterations=3))

    def compute(self, array: Any, context: Context) -> npt.NDArray[np.int32]:
        """Return the numbered patches."""
        data = finite(self.name, array)
        region = context.region
        box = tuple(slice(0, n) for n in data.shape) if region is None else bounding_box(region)
        labels = np.zeros(data.shape, np.int32)
        if box is None:
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return labels
        part = data[box]
        spread = float(part.std(dtype=np.float64))
        # Counted from the middle, so that squares of large values do not swallow small steps.
        scaled = (part - part.mean(dtype=np.float64)) / (spread or 1.0)
        labels[box] = slic(scaled, self.count, self.compactness, context.spacing, self.iterations)
        if region is not None:
            labels[~region] = 0
            present = np.bincount(labels.ravel()) > 0
            present[0] = False
            labels = np.where(present, np.cumsum(present), 0).astype(np.int32)[labels]
        return labels
