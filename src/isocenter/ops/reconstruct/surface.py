"""The surface of a segment as a triangle mesh."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from isocenter.core.families import Surfacer
from isocenter.core.operation import Context
from isocenter.kernels.mesh import mask_surface, smooth_vertices

__all__ = ["Surface"]


class Surface(Surfacer):
    """Mesh the surface of a segment: closed, facing outwards, in mm.

    The surface runs half-way between inner and outer samples and is closed at the edge of the image. Smoothing takes the
    steps of the voxels away without shrinking: a ball keeps its volume to within 1 %.

    Parameters
    ----------
    label
        Label to mesh, by name or value; None meshes all labels together.
    smoothing
        Number of smoothing iterations; 0 keeps the steps.

    References
    ----------
    Lewiner et al. Efficient implementation of marching cubes' cases with topological guarantees. J. Graphics Tools 8 (2003).
    Taubin. Curve and surface smoothing without shrinkage. ICCV (1995) 852-857.
    """

    dims: ClassVar[tuple[str, ...]] = ("zyx",)
    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 30.0

    label: str | int | None = None
    smoothing: int = Field(10, ge=0, le=200)

    @classmethod
    def examples(cls) -> tuple[Surface, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(smoothing=0))

    def compute(self, array: Any, context: Context) -> Any:
        """Return vertices in index units and faces."""
        vertices, faces = mask_surface(array)
        return smooth_vertices(vertices, faces, self.smoothing, context.spacing), faces
