"""Find blobs of one size."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context, Spec
from isocenter.kernels.responses.blobs import gaussian_reach, laplacian_of_gaussian
from isocenter.kernels.responses.boundary import Boundary
from isocenter.ops.filter._shared import AxisName, axes_of, note_shear

__all__ = ["LaplacianOfGaussian"]


class LaplacianOfGaussian(Filter):
    """Respond to blobs and edges of one size: the Laplacian of the image smoothed by a Gaussian.

    Bright blobs of a radius of about 1.7 sigma (1.4 sigma in a plane) give the lowest values. As in the IBSI's
    definition derivatives are taken per sample (of the smallest spacing where voxels are no cubes).

    Parameters
    ----------
    sigma
        Standard deviation of the Gaussian in mm.
    truncate
        Where the kernel ends along each axis, as a number of standard deviations.
    axes
        Axes it acts along, by name (``[y, x]`` filters slice by slice); null means all.
    boundary
        What lies beyond the edges: ``zero``, ``nearest``, ``periodic`` or ``mirror``.

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, section 3.3 (L6PA). Marr and Hildreth, Theory of edge detection,
    Proc. R. Soc. B 207 (1980) 187-217.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    gives_quantity: ClassVar[str | None] = "filter response"
    ns_per_sample: ClassVar[float] = 40.0
    bytes_per_sample: ClassVar[float] = 16.0

    sigma: float = Field(3.0, gt=0, le=1000)
    truncate: float = Field(4.0, ge=1, le=10)
    axes: tuple[AxisName, ...] | None = None
    boundary: Boundary = "mirror"

    @classmethod
    def examples(cls) -> tuple[LaplacianOfGaussian, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(sigma=2.0), cls(sigma=2.5, axes=("y", "x"), boundary="zero"), cls(boundary="periodic", truncate=3.0))

    def check_image(self, spec: Spec) -> None:
        """Refuse axes that the image does not have."""
        super().check_image(spec)
        axes_of(self.name, self.core_dims(spec.dims) or (), self.axes)

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return where the kernel ends along each axis it acts along."""
        if self.boundary == "periodic":
            return None
        used = axes_of(self.name, ("z", "y", "x")[3 - geometry.ndim :], self.axes)
        return tuple(gaussian_reach(self.sigma / s, self.truncate) if k in used else 0 for k, s in enumerate(geometry.spacing))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the response."""
        note_shear(context)
        return laplacian_of_gaussian(
            array,
            context.spacing,
            self.sigma,
            truncate=self.truncate,
            axes=axes_of(self.name, context.dims, self.axes),
            boundary=self.boundary,
            threads=context.threads,
        )
