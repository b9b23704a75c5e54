"""Even out local brightness and contrast."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.smooth import gaussian, gaussian_radius

__all__ = ["Adaptive"]


class Adaptive(Filter):
    """Even out local brightness and contrast: every sample as standard deviations from the mean around it.

    For edges and texture under uneven illumination, before matching or segmentation. What is large beside `sigma` loses its
    brightness; even parts would become pure noise, so deviations below `floor` do not count. Values lose their meaning.

    Parameters
    ----------
    sigma
        Size of the surroundings in mm: standard deviation of the Gaussian they are weighed by.
    floor
        Least standard deviation that is divided by, in the unit of the image; None takes 10 % of that of the whole image.

    References
    ----------
    Gonzalez, Woods. Digital image processing, 4th edition. Pearson (2018), section 3.3.
    """

    needs_mm: ClassVar[bool] = True
    gives_quantity: ClassVar[str | None] = "local z-score"
    ns_per_sample: ClassVar[float] = 120.0
    bytes_per_sample: ClassVar[float] = 40.0
    sampling_tolerance: ClassVar[float] = 0.05

    sigma: float = Field(5.0, gt=0)
    floor: float | None = Field(None, gt=0)

    @classmethod
    def examples(cls) -> tuple[Adaptive, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(sigma=3.0), cls(sigma=2.0, floor=50.0))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return where the Gaussian ends; the whole image where the floor follows from it."""
        return None if self.floor is None else tuple(gaussian_radius(self.sigma / s, 3.0) for s in geometry.spacing)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the local z-scores."""
        require_finite(array, self.name)
        widths = [self.sigma / s for s in context.spacing]
        values = array.astype(np.float64)  # squares of large offsets would cancel in float32
        mean = gaussian(values, widths, 3.0, context.threads)
        variance = gaussian(values * values, widths, 3.0, context.threads) - mean * mean
        floor = self.floor if self.floor is not None else 0.1 * float(values.std())
        if floor == 0.0:
            return np.zeros_like(array)
        return ((values - mean) / np.sqrt(np.maximum(variance, floor**2))).astype(array.dtype)
