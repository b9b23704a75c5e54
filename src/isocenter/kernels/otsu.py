"""Otsu's threshold from a histogram.

References
----------
Otsu. A threshold selection method from gray-level histograms. IEEE Trans. Syst. Man Cybern. 9 (1979) 62-66.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["histogram", "otsu", "split"]

#: Integers that span more values than this are binned like floats: one bin per value would take too much memory.
_WIDEST = 1 << 22
_SHORT = (np.int8, np.uint8, np.int16, np.uint16)


def otsu(array: npt.ArrayLike, region: npt.ArrayLike | None = None, bins: int = 256, threads: int = 1) -> float:
    """Return the threshold that parts values into two classes with the largest variance between them.

    Parameters
    ----------
    array
        Finite values. Integers are counted value by value; floats in `bins` bins between their extremes.
    region
        Bool, same shape: count only there.
    bins
        Bins for floats.
    threads
        Threads to use; the result does not depend on it.

    Returns
    -------
    float
        The bin centre (the value, for integers) that ends the lower class: the upper one is ``array > threshold``.
        Where all values are equal, that value.

    Raises
    ------
    ContentError
        If there is no value to look at.
    """
    counts, centers = histogram(array, region, bins, threads)
    return float(centers[split(counts, centers)])


def split(counts: npt.NDArray[np.int64], centers: npt.NDArray[np.float64]) -> int:
    """Return the index of the last bin of the lower class."""
    weights = counts.astype(np.float64)
    shifted = centers - centers[0]  # keeps the sums small, and changes no variance
    below = np.cumsum(weights)
    first = np.cumsum(weights * shifted)
    above, second = below[-1] - below, first[-1] - first
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (first / below - second / above) ** 2
    # An empty class has no mean: such a split parts nothing.
    between[(below == 0) | (above == 0)] = -1.0
    best = int(np.argmax(between))
    return best if between[best] >= 0 else 0


def histogram(
    array: npt.ArrayLike, region: npt.ArrayLike | None = None, bins: int = 256, threads: int = 1
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Count values: one bin per integer, or `bins` equal ones between the smallest and the largest float.

    Parameters
    ----------
    array, region, bins, threads
        As of `otsu`.

    Returns
    -------
    counts, centers : numpy.ndarray
        Samples per bin, and the middle of each bin.
    """
    if bins < 2:
        raise ParameterError(f"{bins} bins: expected two or more.")
    data = np.asarray(array)
    values = data.ravel() if region is None else data[np.asarray(region, dtype=np.bool_)]
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    if not values.size:
        raise ContentError("No samples to find a threshold in: expected a region that is not empty.")
    if values.dtype in _SHORT and values.dtype.isnative:
        return _short(values, threads)
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ContentError("Values that are not finite: expected finite intensities to find a threshold in; replace them first.")
    if values.dtype.kind in "iu" and int(high) - int(low) < _WIDEST:
        count = int(high) - int(low) + 1
        table = np.zeros((max(1, threads), count), dtype=np.int64)
        run_rows(_count_integers, len(table), threads, kernel_input(values), int(low), table)
        return table.sum(axis=0), np.arange(count, dtype=np.float64) + int(low)
    start, stop = float(low), float(high)
    if start == stop:
        return np.array([values.size], dtype=np.int64), np.array([start])
    edges = np.linspace(start, stop, bins + 1)
    as_float = values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
    table = np.zeros((max(1, threads), bins), dtype=np.int64)
    run_rows(_count_floats, len(table), threads, kernel_input(as_float), edges, bins / (stop - start), table)
    return table.sum(axis=0), (edges[:-1] + edges[1:]) / 2


def _short(values: npt.NDArray[Any], threads: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Count integers of one or two bytes in one pass: a bin for every value of the type, cut to those that occur."""
    info = np.iinfo(values.dtype)
    span = int(info.max) - int(info.min) + 1
    wide = np.uint32 if values.size < 1 << 32 else np.uint64
    table = np.zeros((max(1, threads), 4, span), dtype=wide)
    bits = kernel_input(values).view(f"u{values.itemsize}")  # without a sign: nothing to check before it is an index
    run_rows(_count_short, len(table), threads, bits, table)
    counts = np.roll(table.sum(axis=(0, 1), dtype=np.int64), -int(info.min))
    there = np.flatnonzero(counts)
    first, last = int(there[0]), int(there[-1])
    return counts[first : last + 1], np.arange(first, last + 1, dtype=np.float64) + int(info.min)


@numba.njit(cache=True, nogil=True)
def _count_short(first: int, last: int, values: Any, table: Any) -> None:  # pragma: no cover - compiled
    # Neighbours count in different tables, or each increment would wait for the one before.
    shares = table.shape[0]
    one = table.dtype.type(1)
    for part in range(first, last):
        a, b, c, d = table[part, 0], table[part, 1], table[part, 2], table[part, 3]
        start, stop = part * values.size // shares, (part + 1) * values.size // shares
        whole = start + (stop - start) // 4 * 4
        for k in range(start, whole, 4):
            a[values[k]] += one
            b[values[k + 1]] += one
            c[values[k + 2]] += one
            d[values[k + 3]] += one
        for k in range(whole, stop):
            a[values[k]] += one


@numba.njit(cache=True, nogil=True)
def _count_integers(first: int, last: int, values: Any, low: int, table: Any) -> None:  # pragma: no cover - compiled
    # Each share counts in its own row; integer sums do not depend on their order.
    for part in range(first, last):
        row = table[part]
        for k in range(part * values.size // table.shape[0], (part + 1) * values.size // table.shape[0]):
            row[int(values[k]) - low] += 1


@numba.njit(cache=True, nogil=True)
def _count_floats(
    first: int, last: int, values: Any, edges: Any, scale: float, table: Any
) -> None:  # pragma: no cover - compiled
    bins = edges.size - 1
    for part in range(first, last):
        row = table[part]
        for k in range(part * values.size // table.shape[0], (part + 1) * values.size // table.shape[0]):
            value = np.float64(values[k])
            place = min(int((value - edges[0]) * scale), bins - 1)
            # Rounding may put a value next to an edge into the neighbouring bin: the edges decide.
            if value < edges[place]:
                place -= 1
            elif place < bins - 1 and value >= edges[place + 1]:
                place += 1
            row[place] += 1
