from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from tests.pipeline.ops._calls import count


class Gaussian(Filter):
    """Weighted mean along the last axis.

    Parameters
    ----------
    sigma
        Width in mm.
    """

    needs_mm: ClassVar[bool] = True
    sigma: float = Field(1.0, gt=0)

    def halo(self, geometry: Geometry) -> tuple[int, ...]:
        return tuple(int(np.ceil(4 * self.sigma / s)) for s in geometry.spacing)

    def compute(self, array: Any, context: Context) -> Any:
        count(self.name)
        r = int(np.ceil(4 * self.sigma / context.spacing[-1]))
        weights = np.exp(-0.5 * (np.arange(-r, r + 1) * context.spacing[-1] / self.sigma) ** 2)
        padded = np.pad(array, [(0, 0)] * (array.ndim - 1) + [(r, r)], mode="edge")
        return np.lib.stride_tricks.sliding_window_view(padded, 2 * r + 1, axis=-1) @ (weights / weights.sum())
