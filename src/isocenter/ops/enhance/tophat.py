"""Keep what is smaller than a box and stands out."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import field_validator
from scipy import ndimage

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.radii import not_negative, per_axis

__all__ = ["Tophat"]


class Tophat(Filter):
    """Keep what is smaller than a box and brighter (or darker) than its surroundings: top-hat.

    For small things on an uneven background: microcalcifications, cells, microaneurysms, vessels. Noise stays too: denoise
    first. ``contrast`` adds the bright and takes off the dark small things.

    Parameters
    ----------
    radius
        Samples to each side of the box: one number for all spatial axes, or one per axis in array order.
    of
        ``bright``: image - opening; ``dark``: closing - image; ``contrast``: image + bright - dark.

    References
    ----------
    Serra. Image analysis and mathematical morphology. Academic Press (1982).
    """

    ns_per_sample: ClassVar[float] = 60.0
    bytes_per_sample: ClassVar[float] = 16.0

    radius: int | tuple[int, ...] = 3
    of: Literal["bright", "dark", "contrast"] = "bright"

    _not_negative = field_validator("radius")(not_negative)

    @classmethod
    def examples(cls) -> tuple[Tophat, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(radius=1, of="dark"), cls(radius=2, of="contrast"))

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return twice the radius: a minimum of maxima reaches that far."""
        return tuple(2 * r for r in per_axis(self.radius, geometry.ndim, "radius", self.name))

    def compute(self, array: Any, context: Context) -> Any:
        """Return what stands out."""
        require_finite(array, self.name)
        size = [2 * r + 1 for r in per_axis(self.radius, array.ndim, "radius", self.name)]
        if self.of == "bright":
            return array - ndimage.grey_opening(array, size, mode="nearest")
        closing = ndimage.grey_closing(array, size, mode="nearest")
        if self.of == "dark":
            return closing - array
        return array + (array - ndimage.grey_opening(array, size, mode="nearest")) - (closing - array)
