"""Replace every sample by the median of its neighbourhood."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import field_validator

from isocenter.core.errors import ParameterError
from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.median import median_filter

__all__ = ["Median"]


class Median(Filter):
    """Replace every sample by the median of the box around it.

    Takes away specks and keeps edges. The sample type stays; edges are extended by the nearest sample.

    Parameters
    ----------
    radius
        Samples to each side: one number for all spatial axes, or one per axis in array order (1 is a box of 3).

    References
    ----------
    Huang, Yang, Tang. A fast two-dimensional median filtering algorithm. IEEE Trans. ASSP 27 (1979) 13-18.
    """

    keeps_dtype: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 30.0
    bytes_per_sample: ClassVar[float] = 10.0

    radius: int | tuple[int, ...] = 1

    @field_validator("radius")
    @classmethod
    def _not_negative(cls, value: int | tuple[int, ...]) -> int | tuple[int, ...]:
        if any(v < 0 for v in (value if isinstance(value, tuple) else (value,))) or value == ():
            raise ValueError("expected 0 samples or more")
        return value

    @classmethod
    def examples(cls) -> tuple[Median, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(radius=3))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return the radius along every axis."""
        if isinstance(self.radius, int):
            return (self.radius,) * geometry.ndim
        if len(self.radius) != geometry.ndim:
            raise ParameterError(
                f"Parameter 'radius' of {self.name} has {len(self.radius)} values for {geometry.ndim} spatial axes: "
                "expected one per axis in array order, or one number for all."
            )
        return self.radius

    def compute(self, array: Any, context: Context) -> Any:
        """Return the filtered block."""
        radius = self.halo(context.geometry)
        assert radius is not None  # never global
        return median_filter(array, radius, context.threads)
