"""Peak signal-to-noise ratio of an image against the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from isocenter.core.families import Metric
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.fidelity import mean_squared_error, value_range

__all__ = ["Psnr"]

#: What two identical images score: more than rounding to 24 bits of the range leaves.
_IDENTICAL = 150.0


class Psnr(Metric):
    """Peak signal-to-noise ratio of an image against the truth, in dB.

    The range of values over the root mean squared error; 6 dB is half the error. The scale ends at 150 dB, which identical
    images score. Samples that are not finite in both images are left out. It depends on the range: only figures of one
    range compare, and a range of the whole image flatters where most of it is air.

    Parameters
    ----------
    value_range
        Range of values in the unit of the image (255 for uint8, 400 for a window of 400 HU); None takes what the truth spans.
    label
        Images have no labels to choose from: None.

    References
    ----------
    Huynh-Thu, Ghanbari. Scope of validity of PSNR in image/video quality assessment. Electronics Letters 44 (2008) 800-801.
    """

    compares: ClassVar[str] = "images"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"psnr": True}
    ns_per_sample: ClassVar[float] = 8.0

    value_range: float | None = Field(None, gt=0)
    label: None = None

    @classmethod
    def examples(cls) -> tuple[Psnr, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(value_range=1000.0))

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the score."""
        truth = context.reference
        assert truth is not None  # the family hands it over
        error, count = mean_squared_error(array, truth, self.name)
        if error == 0.0:
            return {"psnr": Score(_IDENTICAL, "dB", n=count)}
        span = value_range(truth, self.value_range, self.name)
        return {"psnr": Score(min(20 * math.log10(span) - 10 * math.log10(error), _IDENTICAL), "dB", n=count)}
