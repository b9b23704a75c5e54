"""Local binary patterns: which neighbours on a circle are at least as bright as the middle.

References
----------
Ojala, Pietikainen, Maenpaa, Multiresolution gray-scale and rotation invariant texture classification with local binary
patterns, IEEE Trans. PAMI 24 (2002) 971-987.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["binary_patterns"]


def binary_patterns(array: npt.NDArray[Any], *, radius: float = 1.0, points: int = 8, threads: int = 1) -> npt.NDArray[np.uint8]:
    """Return the rotation-invariant uniform pattern of every sample, slice by slice.

    Parameters
    ----------
    array
        Shape (..., y, x).
    radius
        Of the circle, in samples.
    points
        Neighbours on it, between which samples are interpolated; the edge is continued by the nearest sample.
    threads
        Threads to use; the result does not depend on it.

    Returns
    -------
    numpy.ndarray
        Number of neighbours at least as bright, 0 to `points`, where they are one arc; `points` + 1 where they are not.
    """
    stack = kernel_input(array, np.float64).reshape(-1, *array.shape[-2:])
    angles = 2.0 * math.pi * np.arange(points) / points
    offsets = np.round(np.stack([-radius * np.sin(angles), radius * np.cos(angles)], axis=1), 9)
    out = np.empty(stack.shape, np.uint8)
    run_rows(_patterns, stack.shape[0] * stack.shape[1], threads, stack, kernel_input(offsets), out)
    return out.reshape(array.shape)


@njit(cache=True, nogil=True)
def _patterns(first: int, last: int, stack: Any, offsets: Any, out: Any) -> None:  # pragma: no cover - compiled
    height, width = stack.shape[1], stack.shape[2]
    points = len(offsets)
    for row in range(first, last):
        z, y = row // height, row % height
        for x in range(width):
            middle = stack[z, y, x]
            bright = changes = start = before = 0
            for p in range(points):
                fy, fx = math.floor(offsets[p, 0]), math.floor(offsets[p, 1])
                wy, wx = offsets[p, 0] - fy, offsets[p, 1] - fx
                y0, x0 = min(max(y + fy, 0), height - 1), min(max(x + fx, 0), width - 1)
                y1, x1 = min(max(y + fy + 1, 0), height - 1), min(max(x + fx + 1, 0), width - 1)
                # Differences are interpolated, not values, so that equal values stay equal.
                upper = (1.0 - wx) * (stack[z, y0, x0] - middle) + wx * (stack[z, y0, x1] - middle)
                lower = (1.0 - wx) * (stack[z, y1, x0] - middle) + wx * (stack[z, y1, x1] - middle)
                here = 1 if (1.0 - wy) * upper + wy * lower >= 0.0 else 0
                bright += here
                if p == 0:
                    start = here
                elif here != before:
                    changes += 1
                before = here
            if start != before:
                changes += 1
            out[z, y, x] = bright if changes <= 2 else points + 1
