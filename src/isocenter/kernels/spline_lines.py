"""Cubic splines along one axis after the other: coefficients are computed and mixed while a bundle of lines is in the cache.

References
----------
Unser, Aldroubi, Eden. B-spline signal processing: part II. IEEE Trans. Signal Process. 41 (1993) 834-848.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["spline_axis"]

Array = npt.NDArray[Any]

_POLE = float(np.sqrt(3.0) - 2.0)
#: Lines that are filtered together: across them a step of the recursion is one instruction.
_BUNDLE = 128
_STRANDS = 16


def spline_axis(array: Array, axis: int, places: Array, weights: Array, dtype: np.dtype[Any], threads: int = 1) -> Array:
    """Return an array of three axes sampled along one of them by the spline through its samples, mirrored at the ends.

    Parameters
    ----------
    array
        Samples of any real type.
    axis
        Along which is sampled.
    places, weights
        Shape (outputs, taps): which coefficients every output mixes, and how.
    dtype
        Float type of the result and of all sums.
    threads
        Threads to use; the result does not depend on it.
    """
    size = array.shape[axis]
    before, after = int(np.prod(array.shape[:axis])), int(np.prod(array.shape[axis + 1 :]))
    block = kernel_input(array).reshape(before, size, after)
    out = np.empty((before, len(places), after), dtype)
    start = kernel_input(_beginning(size), dtype)
    mix, at = kernel_input(weights, dtype), kernel_input(places, np.int64)
    if after == 1:
        shares = -(-before // _STRANDS)
        run_rows(_along, shares, threads, block.reshape(before, size), start, at, mix, out.reshape(before, -1))
    else:
        run_rows(_across, before * -(-after // _BUNDLE), threads, block, start, at, mix, out)
    return out.reshape(*array.shape[:axis], len(places), *array.shape[axis + 1 :])


def _beginning(size: int) -> npt.NDArray[np.float64]:
    """Return the weights of samples in the first value of the recursion, cut where they no longer count."""
    if size == 1:
        return np.ones(1)
    powers = _POLE ** np.arange(size, dtype=np.float64)
    total = powers.copy()
    total[1:-1] += powers[-1] ** 2 / powers[1:-1] if powers[-1] != 0.0 else 0.0
    found: npt.NDArray[np.float64] = total / (1.0 - powers[-1] ** 2)
    return found[: max(2, int(np.count_nonzero(np.abs(found) > 1e-17)))] if size > 64 else found


@numba.njit(cache=True, nogil=True)
def _filter(lines: Any, size: int, start: Any) -> None:  # pragma: no cover - compiled
    """Turn samples (times six) into coefficients, in place; lines run along the first axis."""
    width = lines.shape[1]
    kind = lines.dtype.type
    pole = kind(_POLE)
    first = lines[size]  # a row to spare
    for x in range(width):
        first[x] = start[0] * lines[0, x]
    for k in range(1, start.size):
        weight, line = start[k], lines[k]
        for x in range(width):
            first[x] += weight * line[x]
    for x in range(width):
        lines[0, x] = first[x]
    for k in range(1, size):
        before, line = lines[k - 1], lines[k]
        for x in range(width):
            line[x] += pole * before[x]
    end = kind(_POLE / (_POLE * _POLE - 1.0))
    before, line = lines[size - 2], lines[size - 1]
    for x in range(width):
        line[x] = end * (line[x] + pole * before[x])
    for k in range(size - 2, -1, -1):
        after, line = lines[k + 1], lines[k]
        for x in range(width):
            line[x] = pole * (after[x] - line[x])


@numba.njit(cache=True, nogil=True)
def _mix(lines: Any, places: Any, weights: Any, result: Any) -> None:  # pragma: no cover - compiled
    a, b, c, d = lines[places[0]], lines[places[1]], lines[places[2]], lines[places[3]]
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    for x in range(result.size):
        result[x] = ((w0 * a[x] + w1 * b[x]) + w2 * c[x]) + w3 * d[x]


@numba.njit(cache=True, nogil=True)
def _across(
    first: int, last: int, block: Any, start: Any, places: Any, weights: Any, out: Any
) -> None:  # pragma: no cover - compiled
    size, after = block.shape[1], block.shape[2]
    bundles = (after + _BUNDLE - 1) // _BUNDLE
    six = out.dtype.type(6)
    lines = np.zeros((size + 1, _BUNDLE), out.dtype)
    for share in range(first, last):
        i, begin = share // bundles, share % bundles * _BUNDLE
        width = min(_BUNDLE, after - begin)
        for j in range(size):
            source, line = block[i, j, begin : begin + width], lines[j]
            for x in range(width):
                line[x] = six * out.dtype.type(source[x])
        _filter(lines, size, start)
        for j in range(places.shape[0]):
            _mix(lines, places[j], weights[j], out[i, j, begin : begin + width])


@numba.njit(cache=True, nogil=True)
def _along(
    first: int, last: int, block: Any, start: Any, places: Any, weights: Any, out: Any
) -> None:  # pragma: no cover - compiled
    count, size = block.shape
    six = out.dtype.type(6)
    lines = np.zeros((size + 1, _STRANDS), out.dtype)
    strand = np.empty(_STRANDS, out.dtype)
    for share in range(first, last):
        begin = share * _STRANDS
        width = min(_STRANDS, count - begin)
        for r in range(width):
            source = block[begin + r]
            for j in range(size):
                lines[j, r] = six * out.dtype.type(source[j])
        _filter(lines, size, start)
        for j in range(places.shape[0]):
            _mix(lines, places[j], weights[j], strand)
            for r in range(width):
                out[begin + r, j] = strand[r]
