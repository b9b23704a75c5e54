"""How steep an image is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["squared_slope"]


def squared_slope(array: npt.NDArray[np.float64], spacing: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the squared length of the gradient at every sample, per mm squared.

    Parameters
    ----------
    array
        Samples; along an axis of one sample nothing changes.
    spacing
        mm (or px) along each axis.
    """
    result = np.zeros(array.shape)
    for axis, step in enumerate(spacing):
        if array.shape[axis] > 1:
            result += np.gradient(array, step, axis=axis) ** 2
    return result
