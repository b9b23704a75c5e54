"""Average samples whose surroundings look alike."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from isocenter.core.errors import ContentError
from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.noise import guess_noise, noise_level
from isocenter.kernels.nonlocal_means import nonlocal_means_filter
from isocenter.kernels.poisson import stabilised, unstabilised
from isocenter.kernels.radii import not_negative, per_axis

__all__ = ["NonlocalMeans"]


class NonlocalMeans(Filter):
    """Average samples whose surroundings look alike, wherever they lie in the search box (non-local means).

    The choice for MR and low-dose CT whose detail must stay: it keeps edges and repeated texture; what occurs once and is
    as weak as the noise goes. Slow with a large search box. The Rician variant averages squares and takes off what the
    noise of a magnitude image adds to them, so dark parts keep their mean. With noise of 5 % of the range it wins
    11.5 dB on the head phantom and 7.9 dB on a real T1 head; Rician, its strength given, 11.3 and 7.9 dB. The Poisson variant
    works on values brought to noise of one strength: with 100 counts at the brightest it wins 9.3 and 9.9 dB. Edges are
    extended by the nearest sample.

    Parameters
    ----------
    patch
        Samples to each side of the surroundings that are compared; one number, or one per axis in array order.
    search
        Samples to each side of the box that is searched; one number, or one per axis in array order.
    strength
        Filtering strength as a factor of the noise's standard deviation.
    sigma
        Standard deviation of the noise in the unit of the image (of each of the two channels for Rician noise); for Poisson
        noise its variance per unit of signal. None measures it.
    model
        ``gaussian``; ``rician`` for magnitude MR images; ``poisson`` for counts (values of 0 or more).

    References
    ----------
    Buades, Coll, Morel. A non-local algorithm for image denoising. CVPR (2005) 60-65.
    Wiest-Daessle, Prima, Coupe, Morrissey, Barillot. Rician noise removal by non-local means filtering. MICCAI (2008) 171-179.
    """

    ns_per_sample: ClassVar[float] = 250.0

    patch: int | tuple[int, ...] = 1
    search: int | tuple[int, ...] = 2
    strength: float = Field(1.0, gt=0)
    sigma: float | None = Field(None, ge=0)
    model: Literal["gaussian", "rician", "poisson"] = "gaussian"

    _not_negative = field_validator("patch", "search")(not_negative)

    @classmethod
    def examples(cls) -> tuple[NonlocalMeans, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(),
            cls(sigma=40.0, search=1),
            cls(patch=2, search=1, sigma=30.0, model="rician"),
            cls(search=1, sigma=2.0, model="poisson"),
        )

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return patch and search box together; the whole image where its noise is measured."""
        if self.sigma is None:
            return None
        patch = per_axis(self.patch, geometry.ndim, "patch", self.name)
        search = per_axis(self.search, geometry.ndim, "search", self.name)
        return tuple(p + s for p, s in zip(patch, search, strict=True))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the filtered block."""
        require_finite(array, self.name)
        if self.model == "poisson":
            return self._counts(array, context)
        rician = self.model == "rician"
        sigma = self.sigma
        if sigma is None and rician:
            found = guess_noise(array)
            sigma = found.strength if found.name == "rician" else found.sigma
            context.note(f"{self.name}: the noise of each channel was measured as {sigma:.4g}.")
        sigma = noise_level(sigma, array, context, self.name)
        if sigma == 0.0:
            return array.copy()
        patch = per_axis(self.patch, array.ndim, "patch", self.name)
        search = per_axis(self.search, array.ndim, "search", self.name)
        found_values = nonlocal_means_filter(array, patch, search, self.strength * sigma, sigma, rician, context.threads)
        if not rician:
            return found_values
        return np.sqrt(np.maximum(found_values - array.dtype.type(2.0 * sigma**2), array.dtype.type(0.0)))

    def _counts(self, array: Any, context: Context) -> Any:
        """Return the filtered block of counts: stabilised, filtered as Gaussian noise of strength 1, and brought back."""
        if array.size and float(array.min()) < 0:
            raise ContentError(
                f"{self.name} was given values down to {float(array.min()):.4g}: counts are 0 or more; undo the offset, or use the "
                "model gaussian."
            )
        gain = self.sigma
        if gain is None:
            found = guess_noise(array)
            mean = float(array.mean(dtype=np.float64)) if array.size else 0.0
            gain = found.strength if found.name == "poisson" else (found.sigma**2 / mean if mean > 0 else 0.0)
            context.note(f"{self.name}: the variance per unit of signal was measured as {gain:.4g}.")
        if gain == 0.0:
            return array.copy()
        patch = per_axis(self.patch, array.ndim, "patch", self.name)
        search = per_axis(self.search, array.ndim, "search", self.name)
        even = stabilised(array, gain)
        return unstabilised(nonlocal_means_filter(even, patch, search, self.strength, 1.0, False, context.threads), gain)
