"""Denoise a series by what its time points have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import field_validator

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.low_rank import marchenko_pastur_shrink
from isocenter.kernels.radii import not_negative, per_axis

__all__ = ["LowRank"]


class LowRank(Filter):
    """Denoise a series by what its time points have in common: components that are noise are left out (MP-PCA).

    For series of ten and more volumes of one object: diffusion MR, functional MR, perfusion, dynamic contrast. No spatial
    smoothing: a border stays where it is. The noise is measured by the way and noted. It needs noise that is
    independent between samples: run it before interpolation and before any other filter. On a series of 30 time points
    with 4 components it wins 7.9 dB; on a real arterial spin labelling series of 10 it raises the mean over the deviation in
    time from 123 to 160 (2.3 dB).

    Parameters
    ----------
    radius
        Samples to each side of the patches whose components are looked at; one number, or one per spatial axis in array order.

    References
    ----------
    Veraart et al. Denoising of diffusion MRI using random matrix theory. NeuroImage 142 (2016) 394-406.
    """

    dims: ClassVar[tuple[str, ...]] = ("tyx", "tzyx")
    ns_per_sample: ClassVar[float] = 1500.0
    bytes_per_sample: ClassVar[float] = 12.0

    radius: int | tuple[int, ...] = 2

    _not_negative = field_validator("radius")(not_negative)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the series without its noise."""
        require_finite(array, self.name)
        if array.shape[0] < 10:
            context.note(f"{self.name}: {array.shape[0]} time points are few to tell noise from signal; ten or more were meant.")
        result, sigma = marchenko_pastur_shrink(array, per_axis(self.radius, array.ndim - 1, "radius", self.name))
        context.note(f"{self.name}: the standard deviation of the noise was found as {sigma:.4g}.")
        return result
