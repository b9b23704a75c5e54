"""Signal-to-noise ratio of an image without a reference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.families import Measure
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.noise import robust_sigma
from isocenter.kernels.otsu import otsu

__all__ = ["Snr"]


class Snr(Measure):
    """Signal-to-noise ratio: the mean of a region, or of the bright part, over the noise between neighbouring samples.

    Without a region the bright part is what lies above Otsu's threshold. The signal is counted from zero: for values
    whose zero means nothing (HU) `evaluate.cnr` is the one to take. Noise is that of `evaluate.noise`.

    References
    ----------
    NEMA MS 1-2008. Determination of signal-to-noise ratio (SNR) in diagnostic magnetic resonance imaging.
    """

    ns_per_sample: ClassVar[float] = 80.0
    bytes_per_sample: ClassVar[float] = 30.0

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the scores."""
        values = []
        for block in array.reshape(-1, *context.geometry.shape):
            finite = np.isfinite(block)
            sigma = robust_sigma(block)
            if not finite.any() or sigma == 0.0:
                raise ContentError(
                    f"{self.name} found no noise in the image: expected acquired samples, not a drawn or constant one."
                )
            part = finite & context.region if context.region is not None else finite & (block > otsu(block[finite]))
            if not part.any():
                raise ContentError(f"{self.name} was given an empty region: expected at least one sample of signal.")
            values.append(abs(float(block[part].mean(dtype=np.float64))) / sigma)
        ratio = float(np.median(values))
        return {"snr": Score(ratio, n=len(values)), "snr_db": Score(20 * math.log10(max(ratio, 1e-6)), "dB", n=len(values))}
