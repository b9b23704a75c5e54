"""Shrink every sample towards its neighbourhood's mean as far as noise explains the variance there."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.local_moments import shrink_to_mean
from isocenter.kernels.noise import noise_level
from isocenter.kernels.radii import not_negative, per_axis

__all__ = ["Wiener"]


class Wiener(Filter):
    """Shrink every sample towards the mean of its box as far as noise explains the variance there (local Wiener filter).

    The quickest of the adaptive filters: flat parts are averaged, edges and texture stay as noisy as they were. For
    additive noise of one strength; speckle has `denoise.speckle`. With Gaussian noise of 5 % of the range it wins
    5.7 dB on the head phantom and 4.6 dB on a real T1 head. A flat background gives itself, never NaN. Edges are extended by the nearest sample.

    Parameters
    ----------
    radius
        Samples to each side: one number for all spatial axes, or one per axis in array order (1 is a box of 3).
    sigma
        Standard deviation of the noise in the unit of the image; None measures it.

    References
    ----------
    Lee. Digital image enhancement and noise filtering by use of local statistics. IEEE Trans. PAMI 2 (1980) 165-168.
    Lim. Two-dimensional signal and image processing. Prentice Hall (1990) 536-540.
    """

    ns_per_sample: ClassVar[float] = 5.0

    radius: int | tuple[int, ...] = 1
    sigma: float | None = Field(None, ge=0)

    _not_negative = field_validator("radius")(not_negative)

    @classmethod
    def examples(cls) -> tuple[Wiener, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(sigma=40.0), cls(radius=2, sigma=20.0))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return the radius along every axis; the whole image where its noise is measured."""
        return None if self.sigma is None else per_axis(self.radius, geometry.ndim, "radius", self.name)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the filtered block."""
        require_finite(array, self.name)
        sigma = noise_level(self.sigma, array, context, self.name)
        return shrink_to_mean(array, per_axis(self.radius, array.ndim, "radius", self.name), sigma**2, 0.0, context.threads)
