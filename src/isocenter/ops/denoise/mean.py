"""Replace every sample by the mean of its neighbourhood."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import field_validator

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.radii import not_negative, per_axis
from isocenter.kernels.smooth import convolve_axis

__all__ = ["Mean"]


class Mean(Filter):
    """Replace every sample by the mean of the box around it.

    The quickest way to less noise, and the one that blurs most: for flat parts and for looks at a coarse scale, not before
    measuring edges or texture. White noise falls by the square root of the number of samples in the box: with heavy noise (sigma 20 % of the
    range) radius 1 wins 6.9 dB on the head phantom and 11.4 dB on a real T1 head; with light noise it loses. Edges are extended by the nearest sample.

    Parameters
    ----------
    radius
        Samples to each side: one number for all spatial axes, or one per axis in array order (1 is a box of 3).

    References
    ----------
    Gonzalez, Woods. Digital image processing, 4th edition. Pearson (2018), section 3.5.
    """

    ns_per_sample: ClassVar[float] = 8.0

    radius: int | tuple[int, ...] = 1

    _not_negative = field_validator("radius")(not_negative)

    @classmethod
    def examples(cls) -> tuple[Mean, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(radius=3))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return the radius along every axis."""
        return per_axis(self.radius, geometry.ndim, "radius", self.name)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the smoothed block."""
        require_finite(array, self.name)
        result = array
        for axis, reach in enumerate(per_axis(self.radius, array.ndim, "radius", self.name)):
            if reach and array.shape[axis] > 1:
                result = convolve_axis(result, [1.0 / (2 * reach + 1)] * (reach + 1), axis, context.threads)
        return result.copy() if result is array else result
