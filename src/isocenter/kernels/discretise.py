"""Discretisation of intensities into levels, as the IBSI defines it.

References
----------
IBSI reference manual v11, section 2.7 (4R0B): fixed bin size and fixed bin number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fixed_count", "fixed_width"]


def fixed_width(values: npt.NDArray[Any], width: float, start: float) -> npt.NDArray[np.int32]:
    """Return levels of bins of one width: 1 for values from `start` to below `start` + `width`.

    Parameters
    ----------
    values
        Intensities of the region.
    width
        In units of the values, more than 0.
    start
        Lower edge of the first bin: the lower end of the range that intensities are restricted to, where there is
        one, else the lowest intensity of the region.
    """
    levels = np.floor((np.asarray(values, dtype=np.float64) - start) / width) + 1.0
    return np.maximum(levels, 1.0).astype(np.int32)


def fixed_count(values: npt.NDArray[Any], count: int) -> npt.NDArray[np.int32]:
    """Return levels 1 to `count` of equally wide bins between the lowest and the highest intensity of the region.

    Parameters
    ----------
    values
        Intensities of the region, at least one.
    count
        Number of bins.
    """
    data = np.asarray(values, dtype=np.float64)
    low, high = float(data.min()), float(data.max())
    if not math.isfinite(high - low) or high <= low:
        return np.ones(data.shape, np.int32)
    levels = np.floor(count * (data - low) / (high - low)) + 1.0
    return np.clip(levels, 1, count).astype(np.int32)
