"""Label the samples whose value lies between two bounds."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from isocenter.core.families import Segmenter
from isocenter.core.labels import Segment
from isocenter.core.operation import Context

__all__ = ["Threshold"]


class Threshold(Segmenter):
    """Label the samples whose value lies between two bounds, both of them included.

    Parameters
    ----------
    lower
        Smallest value that is labelled, in the image's unit; None sets no lower bound.
    upper
        Largest value that is labelled, in the image's unit; None sets no upper bound.
    segment
        Name of the segment; a known structure (``bone``, ``lungs``) gets its code and colour.

    References
    ----------
    Gonzalez, Woods. Digital Image Processing, 4th ed. (2018), section 10.3.
    """

    ns_per_sample: ClassVar[float] = 1.0

    lower: float | None = None
    upper: float | None = None
    segment: str = Field("foreground", min_length=1)

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.lower is None and self.upper is None:
            raise ValueError("lower and upper are both unset: expected at least one of them")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"lower ({self.lower:g}) is above upper ({self.upper:g}): expected it below")
        return self

    @classmethod
    def examples(cls) -> tuple[Threshold, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(lower=400.0), cls(upper=300.0), cls(lower=200.0, upper=600.0, segment="bone"))

    def compute(self, array: Any, context: Context) -> Any:
        """Return where the values lie between the bounds."""
        data = np.asarray(array)
        found = np.ones(data.shape, np.bool_) if context.region is None else context.region.copy()
        # Compared in float64, so that a bound between two float32 values, or beyond an integer type, means what it says.
        if self.lower is not None:
            found &= data >= np.float64(self.lower)
        if self.upper is not None:
            found &= data <= np.float64(self.upper)
        return found

    def table(self, highest: int) -> tuple[Segment, ...]:
        """Return the one row."""
        return (Segment(1, self.segment),)
