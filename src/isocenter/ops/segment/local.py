"""Part an image at a threshold that follows its surroundings."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from isocenter.kernels.smooth import gaussian
from isocenter.ops.segment._values import finite, within

__all__ = ["Local"]


class Local(Segmenter):
    """Label what is brighter (or darker) than its surroundings, weighted by a Gaussian.

    ``mean`` compares with the local mean plus an offset, ``niblack`` with mean plus `factor` standard deviations,
    ``sauvola`` lowers the threshold where there is no contrast, so that an empty ground stays empty. Works under shading
    that defeats one threshold for all; it fails inside objects wider than a few `sigma`, which become their own
    surroundings.

    Parameters
    ----------
    sigma
        Standard deviation in mm of the surroundings.
    method
        ``mean``, ``niblack`` or ``sauvola``.
    offset
        Added to the threshold, in the image's unit (``mean``).
    factor
        Weight of the standard deviation (``niblack``, ``sauvola``).
    keep
        ``above`` labels what is brighter, ``below`` what is darker.

    References
    ----------
    Sauvola, Pietikainen. Adaptive document image binarization. Pattern Recognition 33 (2000) 225-236. Niblack. An
    introduction to digital image processing (1986) 115-116.
    """

    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 60.0
    bytes_per_sample: ClassVar[float] = 16.0

    sigma: float = Field(5.0, gt=0)
    method: Literal["mean", "niblack", "sauvola"] = "mean"
    offset: float = 0.0
    factor: float = 0.2
    keep: Literal["above", "below"] = "above"

    @classmethod
    def examples(cls) -> tuple[Local, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(method="niblack", sigma=3.0, keep="below"), cls(method="sauvola", sigma=4.0))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the chosen side."""
        # The middle of the values as zero keeps the variance from drowning in the squares.
        data = finite(self.name, array).astype(np.float64)
        middle = float(data.min() + data.max()) / 2.0
        data -= middle
        sigma = [self.sigma / s for s in context.spacing]
        mean = gaussian(data, sigma, threads=context.threads)
        if self.method == "mean":
            threshold = mean + self.offset
        else:
            spread = np.sqrt(np.maximum(gaussian(data**2, sigma, threads=context.threads) - mean**2, 0.0))
            if self.method == "niblack":
                threshold = mean + self.factor * spread
            else:
                # The formula weighs the mean itself, which only has a meaning counted from the darkest value.
                span = max(float(np.ptp(data)) / 2.0, 1e-300)
                ground = float(data.min())
                threshold = ground + (mean - ground) * (1.0 + self.factor * (spread / span - 1.0))
        return within(data > threshold if self.keep == "above" else data < threshold, context)
