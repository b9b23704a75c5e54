"""Contrast-to-noise ratio of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.families import Measure
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.noise import robust_sigma
from isocenter.kernels.otsu import otsu

__all__ = ["Cnr"]


class Cnr(Measure):
    """Contrast-to-noise ratio: difference of the means inside and outside a region over the noise.

    Without a region the image is parted by Otsu's threshold, which tells how well its two main parts stand apart. Noise
    is that of `evaluate.noise`; do not compare images whose noise was smoothed differently.

    References
    ----------
    Welvaert, Rosseel. On the definition of signal-to-noise ratio and contrast-to-noise ratio for fMRI data. PLoS ONE 8
    (2013) e77089.
    """

    ns_per_sample: ClassVar[float] = 80.0
    bytes_per_sample: ClassVar[float] = 30.0

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the score."""
        values = []
        for block in array.reshape(-1, *context.geometry.shape):
            finite = np.isfinite(block)
            sigma = robust_sigma(block)
            if not finite.any() or sigma == 0.0:
                raise ContentError(
                    f"{self.name} found no noise in the image: expected acquired samples, not a drawn or constant one."
                )
            region = context.region if context.region is not None else block > otsu(block[finite])
            inside, outside = block[finite & region], block[finite & ~region]
            if not inside.size or not outside.size:
                raise ContentError(
                    f"{self.name} compares inside and outside of a region, and one of them is empty: expected both."
                )
            values.append(abs(float(inside.mean(dtype=np.float64)) - float(outside.mean(dtype=np.float64))) / sigma)
        return {"cnr": Score(float(np.median(values)), n=len(values))}
