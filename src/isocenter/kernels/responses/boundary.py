"""What lies beyond the edge of an image: zeros, the nearest sample, the image again, or its mirror image.

References
----------
IBSI 2 reference manual (arXiv:2006.05470), section 2.3, boundary conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["BOUNDARIES", "Boundary", "padded", "source_indices"]

Boundary = Literal["zero", "nearest", "periodic", "mirror"]

#: Boundary -> the mode of `numpy.pad` that does it.
BOUNDARIES: dict[str, Any] = {"zero": "constant", "nearest": "edge", "periodic": "wrap", "mirror": "symmetric"}


def source_indices(size: int, before: int, after: int, boundary: Boundary) -> npt.NDArray[np.int64]:
    """Return which sample stands at each place from `before` samples ahead of an axis to `after` samples past it.

    Parameters
    ----------
    size
        Samples along the axis, at least one.
    before, after
        Places beyond either end; they may exceed the size.
    boundary
        ``mirror`` repeats the edge sample (c b a | a b c | c b a).

    Returns
    -------
    numpy.ndarray
        Shape (before + size + after,); -1 stands for zero.
    """
    place = np.arange(-before, size + after)
    if boundary == "zero":
        return np.where((place >= 0) & (place < size), place, -1)
    if boundary == "nearest":
        return np.clip(place, 0, size - 1)
    if boundary == "periodic":
        return place % size
    turn = place % (2 * size)
    return np.where(turn < size, turn, 2 * size - 1 - turn)


def padded(array: npt.NDArray[Any], widths: Sequence[tuple[int, int]], boundary: Boundary) -> npt.NDArray[Any]:
    """Return an array continued beyond its edges by (before, after) samples per axis."""
    return np.pad(array, list(widths), mode=BOUNDARIES[boundary])
