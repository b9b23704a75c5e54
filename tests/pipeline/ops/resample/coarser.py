from __future__ import annotations

from typing import Any

from pydantic import Field

from isocenter.core.families import Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from tests.pipeline.ops._calls import count


class Coarser(Resampler):
    """Takes the samples of another grid of the same extent, or every n-th one.

    Parameters
    ----------
    spacing
        Of the new grid in mm, one value per axis, where no grid is given.
    """

    spacing: tuple[float, ...] = Field((2.0, 2.0, 2.0))

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        return grid or geometry.with_spacing(self.spacing)

    def compute(self, array: Any, context: Context) -> Any:
        count(self.name)
        import numpy as np

        assert context.target is not None
        index = context.geometry.to_index(context.target.to_world(np.moveaxis(np.indices(context.target.shape), 0, -1)))
        nearest = np.clip(np.rint(index), 0, np.asarray(array.shape) - 1).astype(int)
        return array[tuple(np.moveaxis(nearest, -1, 0))]
