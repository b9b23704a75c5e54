"""Smooth functions on a grid as cubic B-splines: control points from scattered samples, refinement, and values.

A lattice over a row of n samples has m spans of equal length from the first to the last sample, and m + 3 control points.

References
----------
Lee, Wolberg, Shin. Scattered data interpolation with multilevel B-splines. IEEE Trans. Visualization and Computer
Graphics 3 (1997) 228-244.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import run_rows

__all__ = ["basis", "gains", "refine"]

#: Terms of exp(x) on |x| <= 1/16: the rest is below 2e-8.
_TERMS = np.array([1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24], np.float32)


def basis(places: npt.ArrayLike, length: int, spans: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the first control point of each place along an axis, and the weights of its four.

    Parameters
    ----------
    places
        Where, in samples from the first; between 0 and `length` - 1.
    length
        Samples along the axis; one sample has one control point that counts, and a function that is constant.
    spans
        Spans of the lattice.
    """
    at = np.asarray(places, np.float64)
    if length < 2:
        return np.zeros(at.size, np.int64), np.tile([1.0, 0.0, 0.0, 0.0], (at.size, 1))
    along = at * (spans / (length - 1))
    first = np.clip(np.floor(along), 0, spans - 1).astype(np.int64)
    t = along - first
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return first, np.ascontiguousarray(np.stack(weights, axis=1) / 6.0)


def refine(lattice: npt.NDArray[np.float64], lengths: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return the control points of the same function on spans half as long.

    Parameters
    ----------
    lattice
        Three axes.
    lengths
        Samples along each axis: an axis of one sample stays as it is.
    """
    for axis, length in enumerate(lengths):
        if length < 2:
            continue
        old = np.moveaxis(lattice, axis, 0)
        new = np.empty((2 * (old.shape[0] - 3) + 3, *old.shape[1:]))
        new[0::2] = 0.5 * (old[:-1] + old[1:])
        new[1::2] = 0.125 * (old[:-2] + 6.0 * old[1:-1] + old[2:])
        lattice = np.moveaxis(new, 0, axis)
    return np.ascontiguousarray(lattice)


def gains(lattice: npt.NDArray[np.float64], shape: tuple[int, ...], threads: int = 1) -> npt.NDArray[np.float32]:
    """Return exp of the function at every sample of a grid.

    Parameters
    ----------
    lattice
        Control points, three axes.
    shape
        Samples along each of three axes.
    threads
        Threads to use; the result does not depend on it.
    """
    tables = [basis(np.arange(n), n, k - 3) for n, k in zip(shape, lattice.shape, strict=True)]
    first, weights = tables[2]
    ends = np.searchsorted(first, np.arange(1, lattice.shape[2] - 2)).astype(np.int64)
    result = np.empty(shape, np.float32)
    run_rows(
        _gain_rows, shape[0], threads, lattice, *tables[0], *tables[1], weights.T.astype(np.float32).copy(), ends, _TERMS, result
    )
    return result


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gain_rows(
    start: int, stop: int, lattice: Any, fz: Any, wz: Any, fy: Any, wy: Any, wx: Any, ends: Any, terms: Any, out: Any
) -> None:  # pragma: no cover - compiled
    plane = np.empty(lattice.shape[1:])
    row = np.empty(lattice.shape[2])
    for z in range(start, stop):
        plane[:] = 0.0
        for k in range(4):
            if wz[z, k] != 0.0:
                plane += wz[z, k] * lattice[fz[z] + k]
        for y in range(out.shape[1]):
            row[:] = 0.0
            for k in range(4):
                if wy[y, k] != 0.0:
                    row += wy[y, k] * plane[fy[y] + k]
            begin = 0
            for span in range(ends.size):
                _gain_span(row, span, begin, ends[span], wx, terms, out[z, y])
                begin = ends[span]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gain_span(row: Any, span: int, begin: int, end: int, wx: Any, c: Any, out: Any) -> None:  # pragma: no cover - compiled
    # Values lie between the control points: halved until the series holds, and the result squared as often.
    a, b = np.float32(row[span]), np.float32(row[span + 1])
    d, e = np.float32(row[span + 2]), np.float32(row[span + 3])
    largest = max(abs(a), abs(b), abs(d), abs(e))
    halvings = 0
    while largest > 0.0625 and halvings < 12:
        largest *= 0.5
        halvings += 1
    scale = np.float32(0.5**halvings)
    a, b, d, e = a * scale, b * scale, d * scale, e * scale
    for x in range(begin, end):
        v = a * wx[0, x] + b * wx[1, x] + d * wx[2, x] + e * wx[3, x]
        out[x] = c[0] + v * (c[1] + v * (c[2] + v * (c[3] + v * c[4])))
    for _ in range(halvings):
        for x in range(begin, end):
            out[x] *= out[x]
