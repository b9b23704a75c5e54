"""Take the speckle of coherent imaging away and keep borders."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from isocenter.core.errors import ContentError
from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.local_moments import keep_local_mean, shrink_to_mean
from isocenter.kernels.radii import not_negative, per_axis
from isocenter.kernels.speckle import speckle_diffusion, speckle_variation

__all__ = ["Speckle"]


class Speckle(Filter):
    """Take the speckle of ultrasound, SAR or OCT away and keep borders: Lee's filter, or diffusion that knows speckle.

    For noise that grows in proportion to the signal. ``lee`` shrinks towards the local mean where the variation is that of
    speckle; ``srad`` diffuses there, step by step, and smooths more. The values are to be linear (envelope, amplitude) or the
    usual log-compressed grey; a texture that is itself the finding (liver grading) must not be filtered. With
    speckle of 25 % diffusion wins 7.3 dB on the head phantom and 12.9 dB on a real T1 head; Lee's filter wins 4.9 and 11.5 dB.
    Both keep the mean: what Lee's filter takes off, since it knows bright speckle for signal more often than dark, is given
    back on average over its box. Values below 0 are refused.

    Parameters
    ----------
    method
        ``srad`` (speckle-reducing anisotropic diffusion) or ``lee``.
    variation
        Coefficient of variation of the speckle, a fraction; None measures it in the most even parts of the image.
    iterations
        Number of steps of ``srad``; more smooth more.
    radius
        Samples to each side of the box of ``lee``; one number, or one per axis in array order.

    References
    ----------
    Lee. Digital image enhancement and noise filtering by use of local statistics. IEEE Trans. PAMI 2 (1980) 165-168.
    Yu, Acton. Speckle reducing anisotropic diffusion. IEEE Trans. Image Process. 11 (2002) 1260-1270.
    """

    version: ClassVar[str] = "2"
    ns_per_sample: ClassVar[float] = 120.0
    bytes_per_sample: ClassVar[float] = 12.0

    method: Literal["srad", "lee"] = "srad"
    variation: float | None = Field(None, gt=0)
    iterations: int = Field(8, ge=1, le=1000)
    radius: int | tuple[int, ...] = 2

    _not_negative = field_validator("radius")(not_negative)

    @classmethod
    def examples(cls) -> tuple[Speckle, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(iterations=5),
            cls(variation=0.2, iterations=2),
            cls(method="lee"),
            cls(method="lee", variation=0.1, radius=1),
        )

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return how far steps or box reach; the whole image where its speckle is measured."""
        if self.variation is None:
            return None
        if self.method == "srad":
            return (2 * self.iterations,) * geometry.ndim
        return tuple(2 * r for r in per_axis(self.radius, geometry.ndim, "radius", self.name))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the filtered block."""
        require_finite(array, self.name)
        if array.size and float(array.min()) < 0:
            raise ContentError(
                f"{self.name} was given values down to {float(array.min()):.4g}: speckle multiplies a signal, expected 0 or more; "
                "undo the offset, or use denoise.nonlocal_means."
            )
        variation = self.variation
        if variation is None:
            variation = speckle_variation(array)
            context.note(f"{self.name}: the coefficient of variation of the speckle was measured as {variation:.4g}.")
            if variation == 0.0:
                return array.copy()
        if self.method == "lee":
            reach = per_axis(self.radius, array.ndim, "radius", self.name)
            shrunk = shrink_to_mean(array, reach, 0.0, variation**2, context.threads)
            return np.maximum(keep_local_mean(array, shrunk, reach), 0.0, dtype=array.dtype)
        return speckle_diffusion(array, variation, self.iterations, context.threads)
