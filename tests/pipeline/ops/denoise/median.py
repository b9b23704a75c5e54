from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from tests.pipeline.ops._calls import count


class Median(Filter):
    """Median of the neighbours along the last axis.

    Parameters
    ----------
    radius
        Samples to each side.
    """

    keeps_dtype: ClassVar[bool] = True
    radius: int = Field(1, ge=0)

    def halo(self, geometry: Geometry) -> tuple[int, ...]:
        return (0,) * (geometry.ndim - 1) + (self.radius,)

    def compute(self, array: Any, context: Context) -> Any:
        count(self.name)
        r = self.radius
        padded = np.pad(array, [(0, 0)] * (array.ndim - 1) + [(r, r)], mode="edge")
        return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * r + 1, axis=-1), axis=-1)
