"""Average neighbours that are near in space and alike in value."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.bilateral import bilateral_filter
from isocenter.kernels.finite import require_finite
from isocenter.kernels.noise import noise_level

__all__ = ["Bilateral"]

#: Contrast in standard deviations of the noise where it is not given.
_CONTRAST = 3.0


class Bilateral(Filter):
    """Average neighbours that are near in mm and alike in value, in all spatial axes at once.

    For noise on things with clear edges (organs, vessels) whose contrast exceeds the noise a few times; fine low-contrast
    detail goes with the noise, and strong filtering leaves patches. With Gaussian noise of 5 % of the range it wins
    5.3 dB on the head phantom and 4.1 dB on a real T1 head. Edges of the image are extended by the nearest sample.

    Parameters
    ----------
    sigma
        Standard deviation in space, in mm; the box ends at `truncate` times that.
    contrast
        Standard deviation of the weight of differences, in the unit of the image (HU for CT); None takes 3 times the noise
        that is measured.
    truncate
        Where the box ends, as a number of standard deviations.

    References
    ----------
    Tomasi, Manduchi. Bilateral filtering for gray and color images. ICCV (1998) 839-846.
    """

    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 150.0
    sampling_tolerance: ClassVar[float] = 0.06  # a box of samples ends elsewhere on slabs

    sigma: float = Field(1.5, gt=0)
    contrast: float | None = Field(None, gt=0)
    truncate: float = Field(2.0, gt=0, le=5)

    @classmethod
    def examples(cls) -> tuple[Bilateral, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(sigma=1.0, contrast=300.0), cls(sigma=2.0, contrast=80.0, truncate=1.5))

    def _radius(self, geometry: Geometry) -> tuple[int, ...]:
        return tuple(int(self.truncate * self.sigma / step + 0.5) for step in geometry.spacing)

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return where the box ends; the whole image where its noise is measured."""
        return None if self.contrast is None else self._radius(geometry)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the filtered block."""
        require_finite(array, self.name)
        contrast = self.contrast
        if contrast is None:
            contrast = _CONTRAST * noise_level(None, array, context, self.name)
            if contrast == 0.0:
                return array.copy()
        sigma = [self.sigma / step for step in context.spacing]
        return bilateral_filter(array, sigma, self._radius(context.geometry), contrast, context.threads)
