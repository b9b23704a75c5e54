"""Give the piecewise smooth image nearest to a noisy one."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.noise import noise_level
from isocenter.kernels.total_variation import total_variation_filter

__all__ = ["TotalVariation"]


class TotalVariation(Filter):
    """Give the image nearest to the noisy one whose gradient has a small sum (total variation, Rudin-Osher-Fatemi).

    For things of even brightness with sharp borders: sparse-view CT, bones, vessels. Slopes turn into steps and texture
    into plateaus: not for soft gradients or before measuring texture. With Gaussian noise of 5 % of the range
    it wins 7.5 dB on the head phantom and 5.7 dB on a real T1 head. The mean stays.

    Parameters
    ----------
    weight
        How much is smoothed, in the unit of the image: contrasts below about that over a few samples go; None takes 0.6
        times the noise that is measured.
    iterations
        Number of steps of the fixed point.
    along
        ``mm``: differences over larger spacing count as the smaller slopes that they are; ``samples``: as if all axes were
        sampled alike, which takes images without a pixel size too.

    References
    ----------
    Rudin, Osher, Fatemi. Nonlinear total variation based noise removal algorithms. Physica D 60 (1992) 259-268.
    Chambolle. An algorithm for total variation minimization and applications. J. Math. Imaging Vis. 20 (2004) 89-97.
    """

    ns_per_sample: ClassVar[float] = 100.0
    bytes_per_sample: ClassVar[float] = 16.0

    weight: float | None = Field(None, gt=0)
    iterations: int = Field(50, ge=1, le=2000)
    along: Literal["mm", "samples"] = "mm"

    @classmethod
    def examples(cls) -> tuple[TotalVariation, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(weight=60.0, iterations=3), cls(weight=100.0, iterations=4, along="samples"))

    @property
    def needs_mm(self) -> bool:  # type: ignore[override]  # of the class elsewhere; here it follows a parameter
        """Whether images without a pixel size are refused."""
        return self.along == "mm"

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return the number of iterations; the whole image where its noise is measured."""
        return None if self.weight is None else (self.iterations + 1,) * geometry.ndim

    def compute(self, array: Any, context: Context) -> Any:
        """Return the smoothed block."""
        require_finite(array, self.name)
        weight = self.weight
        if weight is None:
            weight = 0.6 * noise_level(None, array, context, self.name)
            if weight == 0.0:
                return array.copy()
        spacing = context.spacing if self.along == "mm" else (1.0,) * array.ndim
        return total_variation_filter(array, weight, self.iterations, [s / min(spacing) for s in spacing], context.threads)
