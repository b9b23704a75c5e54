"""Lift fine detail."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.smooth import gaussian, gaussian_radius

__all__ = ["Sharpen"]


class Sharpen(Filter):
    """Lift fine detail: add what a Gaussian takes away (unsharp masking), or take off the Laplacian at that scale.

    For looking at slightly blurred images. It lifts noise as well (denoise first) and overshoots at edges: not before
    measuring intensities or texture.

    Parameters
    ----------
    method
        ``unsharp``: image + amount * (image - smoothed); ``laplacian``: image - amount * sigma^2 / 2 * Laplacian of the smoothed.
    sigma
        Scale of the detail that is lifted: standard deviation of the Gaussian in mm.
    amount
        How much is added, as a factor.

    References
    ----------
    Gonzalez, Woods. Digital image processing, 4th edition. Pearson (2018), section 3.6.
    """

    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 40.0
    sampling_tolerance: ClassVar[float] = 0.08  # second differences of slabs see less of a bend

    method: Literal["unsharp", "laplacian"] = "unsharp"
    sigma: float = Field(1.5, gt=0)
    amount: float = Field(1.0, gt=0, le=20)

    @classmethod
    def examples(cls) -> tuple[Sharpen, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(method="laplacian", sigma=2.0, amount=0.5))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return where the Gaussian ends, and one more for the Laplacian."""
        return tuple(gaussian_radius(self.sigma / s) + (self.method == "laplacian") for s in geometry.spacing)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the sharpened block."""
        require_finite(array, self.name)
        kind = array.dtype.type
        smooth = gaussian(array, [self.sigma / s for s in context.spacing], 4.0, context.threads)
        if self.method == "unsharp":
            return array + kind(self.amount) * (array - smooth)
        result = array.copy()
        for axis, step in enumerate(context.spacing):
            if array.shape[axis] < 2:
                continue
            factor = kind(self.amount * self.sigma**2 / 2.0 / step**2)
            first, last = ([slice(None)] * array.ndim for _ in range(2))
            first[axis], last[axis] = slice(None, -1), slice(1, None)
            slope = factor * (smooth[tuple(last)] - smooth[tuple(first)])
            result[tuple(first)] -= slope
            result[tuple(last)] += slope
        return result
