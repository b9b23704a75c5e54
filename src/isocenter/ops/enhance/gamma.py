"""Brighten or darken the middle of a range by a power."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.tone import extremes

__all__ = ["Gamma"]


class Gamma(Filter):
    """Brighten or darken the middle of a range by a power; its ends stay where they are.

    For display and augmentation. Values lose their meaning (HU are HU no more). Values outside a given range are clipped to it.

    Parameters
    ----------
    gamma
        The power: below 1 brightens, above 1 darkens, 1 changes nothing within the range.
    low, high
        Ends of the range in the unit of the image; None takes the smallest and the largest value.

    References
    ----------
    Gonzalez, Woods. Digital image processing, 4th edition. Pearson (2018), section 3.2.
    """

    ns_per_sample: ClassVar[float] = 25.0

    gamma: float = Field(0.7, gt=0, le=20)
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Gamma:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("expected low below high")
        return self

    @classmethod
    def examples(cls) -> tuple[Gamma, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(gamma=2.2, low=100.0, high=800.0))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return that every sample stands for itself where the range is given; else the whole image decides."""
        return None if self.low is None or self.high is None else (0,) * geometry.ndim

    def compute(self, array: Any, context: Context) -> Any:
        """Return the mapped block."""
        least, most = extremes(array) if self.low is None or self.high is None else (0.0, 0.0)
        low = least if self.low is None else self.low
        high = most if self.high is None else self.high
        kind = array.dtype.type
        if high <= low:
            return np.clip(array, kind(min(low, high)), kind(low))
        part = np.clip((array - kind(low)) / kind(high - low), kind(0.0), kind(1.0))
        return kind(low) + kind(high - low) * part ** kind(self.gamma)
