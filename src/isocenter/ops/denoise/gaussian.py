"""Smooth an image by a Gaussian."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from isocenter.core.errors import ParameterError
from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.smooth import gaussian, gaussian_radius

__all__ = ["Gaussian"]


class Gaussian(Filter):
    """Smooth an image by a Gaussian whose width is the same in mm along every axis.

    Edges are extended by the nearest sample. On a sheared grid the widths are taken along its axes, and a note says so.

    Parameters
    ----------
    sigma
        Standard deviation in mm: one number for all spatial axes, or one per axis in array order (0 leaves it alone).
    truncate
        Where the kernel ends, as a number of standard deviations.

    References
    ----------
    Lindeberg. Scale-space for discrete signals. IEEE Trans. PAMI 12 (1990) 234-254.
    """

    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 20.0

    sigma: float | tuple[float, ...] = 1.0
    truncate: float = Field(4.0, gt=0, le=10)

    @field_validator("sigma")
    @classmethod
    def _not_negative(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        if any(v < 0 for v in (value if isinstance(value, tuple) else (value,))) or value == ():
            raise ValueError("expected 0 mm or more")
        return value

    @classmethod
    def examples(cls) -> tuple[Gaussian, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(sigma=2.0, truncate=3.0), cls(sigma=0.3))

    def _samples(self, geometry: Geometry) -> list[float]:
        """Return the standard deviation in samples along every axis."""
        wanted = self.sigma if isinstance(self.sigma, tuple) else (self.sigma,) * geometry.ndim
        if len(wanted) != geometry.ndim:
            raise ParameterError(
                f"Parameter 'sigma' of {self.name} has {len(wanted)} values for {geometry.ndim} spatial axes: "
                "expected one per axis in array order, or one number for all."
            )
        return [mm / step for mm, step in zip(wanted, geometry.spacing, strict=True)]

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return where the kernel ends along every axis."""
        return tuple(gaussian_radius(s, self.truncate) for s in self._samples(geometry))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the smoothed block."""
        if not context.geometry.is_orthogonal:
            context.note(
                f"{self.name}: the grid is sheared by {context.geometry.shear:.2f} degrees; sigma was taken along its axes."
            )
        return gaussian(array, self._samples(context.geometry), self.truncate, context.threads)
