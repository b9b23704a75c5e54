"""Replace every sample by a percentile of its neighbourhood."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.median import rank_filter
from isocenter.kernels.radii import not_negative, per_axis

__all__ = ["Percentile"]


class Percentile(Filter):
    """Replace every sample by a percentile of the box around it: minimum, maximum and every rank between.

    Percentile 50 is `denoise.median`. A low one takes bright specks away and shrinks bright things, a high one dark ones:
    where one kind of impulse is far more common than the other. On the head phantom with 5 % of bright specks, percentile 50
    wins 13.4 dB and percentile 40 7.9 dB, on a real T1 head 7.2 and 6.9 dB. It moves edges and means: not before measuring either. The sample type stays.

    Parameters
    ----------
    percentile
        Which sample of the sorted box, in percent: 0 the smallest, 100 the largest, between them the nearest rank.
    radius
        Samples to each side: one number for all spatial axes, or one per axis in array order (1 is a box of 3).

    References
    ----------
    Huang, Yang, Tang. A fast two-dimensional median filtering algorithm. IEEE Trans. ASSP 27 (1979) 13-18.
    """

    keeps_dtype: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 30.0
    bytes_per_sample: ClassVar[float] = 10.0

    percentile: float = Field(50.0, ge=0, le=100)
    radius: int | tuple[int, ...] = 1

    _not_negative = field_validator("radius")(not_negative)

    @classmethod
    def examples(cls) -> tuple[Percentile, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(percentile=10.0), cls(percentile=100.0, radius=3))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return the radius along every axis."""
        return per_axis(self.radius, geometry.ndim, "radius", self.name)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the filtered block."""
        return rank_filter(
            array, per_axis(self.radius, array.ndim, "radius", self.name), self.percentile / 100.0, context.threads
        )
