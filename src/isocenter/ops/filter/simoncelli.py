"""Take a band of spatial frequencies, the same in every direction."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.operation import Context, Spec
from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.simoncelli import simoncelli
from isocenter.ops.filter._shared import AxisName, axes_of, require_finite

__all__ = ["Simoncelli"]


class Simoncelli(Filter):
    """Take one band of the Simoncelli wavelet: details of one size, in whatever direction they run.

    Level 1 passes frequencies from a quarter of the highest to the highest, and each further level half of those.
    The filter works on the whole image's frequencies and cannot be tiled.

    Parameters
    ----------
    level
        Which level, 1 being the finest.
    axes
        Axes it acts along, by name (``[y, x]`` filters slice by slice); null means all.
    boundary
        What lies beyond the edges: ``zero``, ``nearest``, ``periodic`` or ``mirror``.

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, section 3.7 (PRT7). Portilla and Simoncelli, Int. J. Computer Vision 40
    (2000) 49-71.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    gives_quantity: ClassVar[str | None] = "filter response"
    ns_per_sample: ClassVar[float] = 300.0
    bytes_per_sample: ClassVar[float] = 200.0

    level: int = Field(1, ge=1, le=8)
    axes: tuple[AxisName, ...] | None = None
    boundary: Boundary = "mirror"

    @classmethod
    def examples(cls) -> tuple[Simoncelli, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(level=2, boundary="periodic"), cls(axes=("y", "x"), boundary="zero"))

    def check_image(self, spec: Spec) -> None:
        """Refuse axes that the image does not have."""
        super().check_image(spec)
        axes_of(self.name, self.core_dims(spec.dims) or (), self.axes)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the band."""
        require_finite(self.name, array)
        return simoncelli(array, self.level, axes_of(self.name, context.dims, self.axes), boundary=self.boundary)
