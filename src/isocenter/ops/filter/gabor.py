"""Respond to waves of one length and direction."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from isocenter.core.errors import ParameterError
from isocenter.core.families import Filter
from isocenter.core.operation import Context, Spec
from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.gabor import gabor
from isocenter.kernels.responses.separable import Pooling
from isocenter.ops.filter._shared import note_shear, require_finite

__all__ = ["Gabor"]


class Gabor(Filter):
    """Respond to stripes of one width and direction, plane by plane: the modulus of the Gabor response.

    Parameters
    ----------
    sigma
        Standard deviation of the Gaussian along the wave, in mm.
    wavelength
        Length of the wave in mm.
    gamma
        Aspect ratio: across the wave the Gaussian is sigma / gamma wide.
    theta
        Direction of the wave in degrees, from a plane's second axis towards its first (from x towards y).
    theta_step
        Degrees between directions over the full turn, beginning at theta, that are pooled; null takes theta alone.
    pooling
        ``mean``, ``max`` or ``min`` of the directions and planes.
    planes
        The planes it acts in, by axis names: ``[yx]`` filters slice by slice, ``[yx, zx, zy]`` pools the three
        orthogonal planes.
    truncate
        Where the kernel ends, as a number of standard deviations.
    boundary
        What lies beyond the edges: ``zero``, ``nearest``, ``periodic`` or ``mirror``.

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, section 3.5 (Q88H).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    gives_quantity: ClassVar[str | None] = "filter response"
    ns_per_sample: ClassVar[float] = 500.0
    bytes_per_sample: ClassVar[float] = 16.0

    sigma: float = Field(5.0, gt=0, le=1000)
    wavelength: float = Field(4.0, gt=0, le=1000)
    gamma: float = Field(1.0, ge=0.05, le=20)
    theta: float = Field(0.0, ge=-360, le=360)
    theta_step: float | None = Field(None, gt=0, le=360)
    pooling: Pooling = "mean"
    planes: tuple[Literal["yx", "zx", "zy"], ...] = ("yx",)
    truncate: float = Field(6.0, ge=1, le=10)
    boundary: Boundary = "mirror"

    @field_validator("planes")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected some of yx, zx, zy, each once")
        return value

    @classmethod
    def examples(cls) -> tuple[Gabor, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(theta=60.0, truncate=4.0),
            cls(sigma=3.0, theta_step=45.0, gamma=2.0, truncate=4.0, boundary="zero"),
            cls(sigma=2.0, theta_step=90.0, truncate=4.0, boundary="periodic", pooling="max"),
        )

    def check_image(self, spec: Spec) -> None:
        """Refuse planes that the image does not have."""
        super().check_image(spec)
        self._planes(self.core_dims(spec.dims) or ())

    def _planes(self, dims: tuple[str, ...]) -> list[tuple[int, int]]:
        missing = [p for p in self.planes if not set(p) <= set(dims)]
        if missing:
            raise ParameterError(
                f"Parameter 'planes' of {self.name} names {', '.join(missing)} for an image with axes {' '.join(dims)}: "
                "expected planes of axes that it has."
            )
        return [(dims.index(p[0]), dims.index(p[1])) for p in self.planes]

    def compute(self, array: Any, context: Context) -> Any:
        """Return the modulus of the response."""
        note_shear(context)
        require_finite(self.name, array)
        return gabor(
            array,
            context.spacing,
            sigma=self.sigma,
            wavelength=self.wavelength,
            gamma=self.gamma,
            theta=self.theta,
            step=self.theta_step,
            pooling=self.pooling,
            planes=self._planes(context.dims),
            truncate=self.truncate,
            boundary=self.boundary,
            threads=context.threads,
        )
