"""Sample an image on another grid, through a transform, once."""

from __future__ import annotations

from typing import Any, ClassVar

from isocenter.core.errors import ParameterError
from isocenter.core.families import Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context, Spec
from isocenter.ops.resample._sampling import Fill, Interpolation, LabelRule, interpolated_dtype, resample

__all__ = ["ToGrid"]


class ToGrid(Resampler):
    """Sample an image on another grid, through a transform where one is given.

    The only place where voxels are interpolated: transforms are chained first, so that values are mixed once. A label
    map stays one. Smooth an image before a grid that is much coarser, as no samples are averaged here.

    Parameters
    ----------
    interpolation
        ``linear``, ``nearest`` (keeps the sample type) or ``cubic`` (B-spline, may overshoot at edges).
    fill
        Value where the grid lies outside the image, in the image's unit; ``edge`` extends the edge samples; None takes
        air (-1000) for HU and 0 for all else. Labels are 0 there unless it is ``edge``.
    labels
        ``nearest`` takes the nearest sample's label, ``linear`` the one with the largest linear weight (smoother outlines).

    References
    ----------
    Unser, Aldroubi, Eden. B-spline signal processing: part II. IEEE Trans. Signal Process. 41 (1993) 834-848.
    """

    ns_per_sample: ClassVar[float] = 20.0

    interpolation: Interpolation = "linear"
    fill: Fill = None
    labels: LabelRule = "nearest"

    @classmethod
    def examples(cls) -> tuple[ToGrid, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(interpolation="nearest", fill="edge"), cls(interpolation="cubic", fill=3.0), cls(labels="linear"))

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        """Return the requested grid."""
        if grid is None:
            raise ParameterError(f"{self.name} was given no grid: expected the geometry, or an image, to sample on.")
        return grid

    def compute(self, array: Any, context: Context) -> Any:
        """Return the samples at the centres of the target grid."""
        return resample(array, context, self.interpolation, self.labels, self.fill)

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec on the requested grid."""
        result = super().resolve(*specs).replace(dtype=interpolated_dtype(specs[0], self.interpolation))
        if result.geometry is None:  # the image's own grid is not known yet, but the requested one may be
            return result.replace(geometry=next((s.geometry for s in specs[1:] if s.geometry is not None), None))
        return result
