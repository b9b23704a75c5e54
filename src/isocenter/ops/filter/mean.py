"""Replace every sample by the mean of its surroundings."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context, Spec
from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.separable import Taps, separable
from isocenter.ops.filter._shared import AxisName, axes_of

__all__ = ["Mean"]


class Mean(Filter):
    """Replace every sample by the mean of the box around it, as the IBSI defines the mean filter.

    Parameters
    ----------
    support
        Samples along each side of the box, an odd number.
    axes
        Axes it acts along, by name (``[y, x]`` filters slice by slice); null means all.
    boundary
        What lies beyond the edges: ``zero``, ``nearest``, ``periodic`` or ``mirror``.

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, section 3.2 (S60F).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 12.0

    support: int = Field(15, ge=1, le=999)
    axes: tuple[AxisName, ...] | None = None
    boundary: Boundary = "mirror"

    @field_validator("support")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("expected an odd number of samples")
        return value

    @classmethod
    def examples(cls) -> tuple[Mean, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(support=5),
            cls(support=3, axes=("y", "x"), boundary="zero"),
            cls(boundary="periodic"),
            cls(boundary="nearest"),
        )

    def check_image(self, spec: Spec) -> None:
        """Refuse axes that the image does not have."""
        super().check_image(spec)
        axes_of(self.name, self.core_dims(spec.dims) or (), self.axes)

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return half of the box along each axis it acts along."""
        if self.boundary == "periodic":
            return None
        used = axes_of(self.name, ("z", "y", "x")[3 - geometry.ndim :], self.axes)
        return tuple(self.support // 2 if k in used else 0 for k in range(geometry.ndim))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the means."""
        taps = Taps.convolving([1.0 / self.support] * self.support, self.support // 2)
        used = axes_of(self.name, context.dims, self.axes)
        filters = [taps if k in used else None for k in range(array.ndim)]
        return separable(array, filters, self.boundary, context.threads)
