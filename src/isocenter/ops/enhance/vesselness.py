"""Show tubes: vessels, airways, nerves."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.smooth import gaussian_radius
from isocenter.kernels.vesselness import tubeness

__all__ = ["Vesselness"]


class Vesselness(Filter):
    """Show tubes of given widths: vessels, airways, nerves (Frangi's or Sato's measure, the largest over the scales).

    Before segmenting vessels or tracing them. Crossings and aneurysms respond less, step edges a little; it is a measure of
    shape, not a probability. In slices tubes are lines.

    Parameters
    ----------
    sigmas
        Scales in mm: standard deviations of the Gaussian, about the radius of the tube divided by 1.4.
    method
        ``frangi`` (0 to 1) or ``sato`` (in the unit of the image).
    bright
        Whether tubes are brighter than their surroundings.
    alpha, beta
        Sensitivity of Frangi's measure, as a factor, to plates and to blobs.
    gamma
        Strength of second derivatives in the unit of the image that counts as structure; None takes half the largest of
        each scale.

    References
    ----------
    Frangi, Niessen, Vincken, Viergever. Multiscale vessel enhancement filtering. MICCAI (1998) 130-137.
    Sato et al. Three-dimensional multi-scale line filter. Medical Image Analysis 2 (1998) 143-168.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    gives_quantity: ClassVar[str | None] = "vesselness"
    ns_per_sample: ClassVar[float] = 300.0
    bytes_per_sample: ClassVar[float] = 16.0
    sampling_tolerance: ClassVar[float] = 0.25  # differences over slabs see less of a bend

    sigmas: tuple[float, ...] = (1.0, 2.0)
    method: Literal["frangi", "sato"] = "frangi"
    bright: bool = True
    alpha: float = Field(0.5, gt=0)
    beta: float = Field(0.5, gt=0)
    gamma: float | None = Field(None, gt=0)

    @field_validator("sigmas")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or any(v <= 0 for v in value):
            raise ValueError("expected at least one scale, each more than 0 mm")
        return value

    @classmethod
    def examples(cls) -> tuple[Vesselness, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(sigmas=(1.5,), gamma=50.0), cls(sigmas=(2.0,), method="sato"))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return where the widest Gaussian ends and one more; the whole image where the strength is measured."""
        if self.method == "frangi" and self.gamma is None:
            return None
        return tuple(gaussian_radius(max(self.sigmas) / s) + 1 for s in geometry.spacing)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the largest response over the scales."""
        require_finite(array, self.name)
        best = np.zeros_like(array)
        for sigma in self.sigmas:
            found = tubeness(
                array,
                context.spacing,
                sigma,
                sato=self.method == "sato",
                bright=self.bright,
                alpha=self.alpha,
                beta=self.beta,
                gamma=self.gamma,
                threads=context.threads,
            )
            np.maximum(best, found, out=best)
        return best
