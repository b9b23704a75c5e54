"""Measure levels, edges, spots, waves and ripples."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.laws import energy, laws, laws_names
from isocenter.kernels.responses.separable import Pooling
from isocenter.ops.filter._shared import AxisName, axes_of, example_volume, names_of, require_parts

__all__ = ["Laws"]


class Laws(Filter):
    """Respond to levels (L), edges (E), spots (S), waves (W) and ripples (R) along each axis.

    Parameters
    ----------
    kernel
        One letter and number of samples per filtered axis, for x, y, z in this order: ``E5L5S5`` takes edges along x,
        levels along y, spots along z. There are L3, L5, E3, E5, S3, S5, W5 and R5, each of unit norm.
    axes
        Axes it acts along, by name (``[y, x]`` filters slice by slice and takes a kernel of two parts); null means all.
    rotation_invariant
        Whether the responses of all right-angle rotations (24 in space, 4 in the plane) are pooled.
    pooling
        ``max``, ``mean`` or ``min`` of the rotations.
    energy
        Samples to each side of the box in which the mean size of the response is taken; null gives the response.
    boundary
        What lies beyond the edges: ``zero``, ``nearest``, ``periodic`` or ``mirror``.

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, section 3.4 (JTXT, energy PQSD). Laws, Rapid texture identification,
    Proc. SPIE 238 (1980) 376-381.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    gives_quantity: ClassVar[str | None] = "filter response"
    ns_per_sample: ClassVar[float] = 60.0
    bytes_per_sample: ClassVar[float] = 20.0

    kernel: str = "L5E5E5"
    axes: tuple[AxisName, ...] | None = None
    rotation_invariant: bool = False
    pooling: Pooling = "max"
    energy: int | None = Field(None, ge=0, le=999)
    boundary: Boundary = "mirror"

    @field_validator("kernel")
    @classmethod
    def _known(cls, value: str) -> str:
        names = laws_names(value)
        if names is None or not 1 <= len(names) <= 3:
            raise ValueError("expected one of L3 L5 E3 E5 S3 S5 W5 R5 per axis, for instance E5L5S5")
        return value.upper()

    @classmethod
    def examples(cls) -> tuple[Laws, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(),
            cls(kernel="E3W5R5", rotation_invariant=True, boundary="nearest"),
            cls(kernel="L5E5", axes=("y", "x"), rotation_invariant=True, energy=2, boundary="zero"),
            cls(kernel="E5S3", axes=("y", "x"), boundary="periodic"),
        )

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a volume: a kernel of three parts takes no plane."""
        return ((example_volume(),),)

    def check_image(self, spec: Spec) -> None:
        """Refuse a kernel that does not fit the filtered axes."""
        super().check_image(spec)
        self._used(self.core_dims(spec.dims) or ())

    def _used(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        used = axes_of(self.name, dims, self.axes)
        require_parts(self.name, "kernel", len(laws_names(self.kernel) or ()), len(used), names_of(self.axes, dims))
        return used

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return how far kernel and energy reach together along each axis they act along."""
        if self.boundary == "periodic":
            return None
        used = self._used(("z", "y", "x")[3 - geometry.ndim :])
        reaches = [int(name[1]) // 2 for name in reversed(laws_names(self.kernel) or ())]
        if self.rotation_invariant:
            reaches = [max(reaches)] * len(reaches)
        near = dict(zip(used, reaches, strict=True))
        return tuple(near[k] + (self.energy or 0) if k in near else 0 for k in range(geometry.ndim))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the response or its energy."""
        used = self._used(context.dims)
        pooling = self.pooling if self.rotation_invariant else None
        response = laws(array, self.kernel, used, boundary=self.boundary, pooling=pooling, threads=context.threads)
        if self.energy is None:
            return response
        return energy(response, self.energy, used, boundary=self.boundary, threads=context.threads)
