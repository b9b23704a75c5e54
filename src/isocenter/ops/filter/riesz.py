"""Directional derivatives of a band of details."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from isocenter.core.families import Filter
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.riesz import riesz
from isocenter.ops.filter._shared import AxisName, axes_of, example_volume, names_of, note_shear, require_finite, require_parts

__all__ = ["Riesz"]


class Riesz(Filter):
    """Take one component of the Riesz transform of a Laplacian-of-Gaussian or Simoncelli response.

    Riesz components are derivatives of a given order that keep every frequency as strong as it is: they tell directions
    apart. The filter works on the whole image's frequencies and cannot be tiled.

    Parameters
    ----------
    order
        Number of derivatives along each filtered axis, for x, y, z in this order; their sum is 1 to 6.
    sigma
        The band is a Laplacian of Gaussian of this standard deviation in mm; null where `level` is given.
    level
        The band is a Simoncelli wavelet of this level, 1 being the finest; null where `sigma` is given.
    truncate
        Where the Laplacian of Gaussian ends, as a number of standard deviations.
    tensor_sigma
        Width in mm over which the structure tensor is smoothed; x, y, z then turn to its strongest, second and weakest
        direction at each place. Null keeps the image's axes. The IBSI has no agreed reference map for this.
    axes
        Axes it acts along, by name (``[y, x]`` filters slice by slice and takes two orders); null means all.
    boundary
        What lies beyond the edges: ``zero``, ``nearest``, ``periodic`` or ``mirror``.

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, section 3.8 (AYRS). Unser and Van De Ville, IEEE Trans. Image Process. 19
    (2010) 636-652.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    gives_quantity: ClassVar[str | None] = "filter response"
    ns_per_sample: ClassVar[float] = 600.0
    bytes_per_sample: ClassVar[float] = 400.0

    order: tuple[int, ...] = (1, 0, 0)
    sigma: float | None = Field(None, gt=0, le=1000)
    level: int | None = Field(None, ge=1, le=8)
    truncate: float = Field(4.0, ge=1, le=10)
    tensor_sigma: float | None = Field(None, gt=0, le=1000)
    axes: tuple[AxisName, ...] | None = None
    boundary: Boundary = "mirror"

    @field_validator("order")
    @classmethod
    def _some(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(value) <= 3 or any(v < 0 for v in value) or not 1 <= sum(value) <= 6:
            raise ValueError("expected one number of derivatives per axis, 0 or more, 1 to 6 in all")
        return value

    @model_validator(mode="after")
    def _one_band(self) -> Riesz:
        if (self.sigma is None) == (self.level is None):
            raise ValueError("expected either 'sigma' (Laplacian of Gaussian) or 'level' (Simoncelli), not both and not neither")
        return self

    @classmethod
    def examples(cls) -> tuple[Riesz, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(sigma=2.0),
            cls(order=(0, 2, 0), level=1, boundary="periodic"),
            cls(order=(1, 1), level=2, axes=("y", "x"), boundary="nearest"),
            cls(order=(2, 0, 0), sigma=2.0, tensor_sigma=2.0),
        )

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a volume: three orders take no plane."""
        return ((example_volume(),),)

    def check_image(self, spec: Spec) -> None:
        """Refuse orders that do not fit the filtered axes, and images without a pixel size where a length is in mm."""
        super().check_image(spec)
        if spec.geometry is not None and (self.sigma is not None or self.tensor_sigma is not None):
            spec.geometry.require_mm(self.name)
        self._used(self.core_dims(spec.dims) or ())

    def _used(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        used = axes_of(self.name, dims, self.axes)
        require_parts(self.name, "order", len(self.order), len(used), names_of(self.axes, dims))
        return used

    def compute(self, array: Any, context: Context) -> Any:
        """Return the component."""
        note_shear(context)
        require_finite(self.name, array)
        return riesz(
            array,
            context.spacing,
            self.order,
            self._used(context.dims),
            sigma=self.sigma,
            level=self.level,
            truncate=self.truncate,
            tensor_sigma=self.tensor_sigma,
            boundary=self.boundary,
            threads=context.threads,
        )
