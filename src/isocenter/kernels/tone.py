"""Curves over intensities: counted in fine bins, applied in one sweep.

A curve has a start and a rise for every bin, so that a step between two bins stays one, and so that matching an image to
itself changes nothing.

References
----------
Gonzalez, Woods. Digital image processing, 4th edition. Pearson (2018), section 3.3.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input, run_rows

__all__ = [
    "apply_curve",
    "count_levels",
    "cumulative",
    "equalizing_curve",
    "extremes",
    "look_up",
    "matching_curve",
    "weigh_levels",
]

Array = npt.NDArray[Any]
Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

#: Shares of an array that are counted each in a table of their own.
_SHARES = 8


def extremes(array: Array) -> tuple[float, float]:
    """Return the smallest and largest finite value (0 and 0 where there is none)."""
    if array.size:
        low, high = float(array.min()), float(array.max())
        if np.isfinite(low) and np.isfinite(high):
            return low, high
    finite = array[np.isfinite(array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def count_levels(array: Array, low: float, high: float, bins: int, threads: int = 1) -> npt.NDArray[np.int64]:
    """Return how many finite values fall into each of `bins` equal bins; values beyond the ends count at the ends."""
    values = kernel_input(array).reshape(-1)
    tables = np.zeros((_SHARES, bins), np.int64)
    scale = bins / (high - low) if high > low else 0.0
    kind = values.dtype.type
    run_rows(_count, _SHARES, threads, values, kind(low), kind(scale), bool(np.isfinite(_sum(values))), tables)
    total: npt.NDArray[np.int64] = tables.sum(axis=0)
    return total


def apply_curve(array: Array, low: float, high: float, curve: Curve, threads: int = 1) -> Array:
    """Return an array mapped by a curve over equal bins between `low` and `high`; NaN stays."""
    start, rise = (np.asarray(c, array.dtype) for c in curve)
    out = np.empty(array.shape, array.dtype)
    values = kernel_input(array).reshape(-1)
    scale = len(start) / (high - low) if high > low else 0.0
    kind = values.dtype.type
    whole = bool(np.isfinite(_sum(values)))
    run_rows(_apply, 64, threads, values, kind(low), kind(scale), kernel_input(start), kernel_input(rise), whole, out.reshape(-1))
    return out


def weigh_levels(levels: Array, counts: npt.NDArray[np.int64], low: float, high: float, bins: int) -> npt.NDArray[np.int64]:
    """Return what `count_levels` counts, from different values and how often each occurs."""
    kind = levels.dtype.type
    place = ((levels - kind(low)) * kind(bins / (high - low))).astype(np.int32)
    table = np.zeros(bins, np.int64)
    np.add.at(table, np.clip(place, 0, bins - 1), counts)
    return table


def look_up(array: Array, lowest: int, table: Array, threads: int = 1) -> Array:
    """Return ``table[array - lowest]`` for integers of one or two bytes that the table covers."""
    values = kernel_input(array).reshape(-1)
    spread = np.zeros(1 << (8 * values.itemsize), table.dtype)  # by the bits of a value, whatever its sign
    spread[(np.arange(len(table)) + lowest) % len(spread)] = table
    out = np.empty(array.shape, table.dtype)
    run_rows(_look_up, 64, threads, values.view(f"u{values.itemsize}"), kernel_input(spread), out.reshape(-1))
    return out


def _sum(values: Array) -> float:
    """Return a sum, which is finite only where all values are."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values.sum())


def cumulative(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the fraction of values below the left edge of each bin, and 1 at the end."""
    total = max(1, int(counts.sum()))
    return np.concatenate([[0.0], np.cumsum(counts) / total])


def equalizing_curve(counts: npt.NDArray[np.int64]) -> Curve:
    """Return the curve that gives values evenly spread between 0 and 1."""
    edges = cumulative(counts)
    return edges[:-1], np.diff(edges)


def matching_curve(counts: npt.NDArray[np.int64], reference: npt.NDArray[np.int64], low: float, high: float) -> Curve:
    """Return the curve that gives values the distribution counted in bins between `low` and `high` of a reference."""
    own, other = cumulative(counts), cumulative(reference)
    width = (high - low) / len(reference)
    left, right = own[:-1], own[1:]
    # A plateau of the reference holds no values: begin after it, end before it.
    begin = _inverse(other, left, "right")
    end = _inverse(other, right, "left")
    start = low + width * begin
    return start, width * np.maximum(end - begin, 0.0)


def _inverse(edges: npt.NDArray[np.float64], fractions: npt.NDArray[np.float64], side: Any) -> npt.NDArray[np.float64]:
    """Return the place, in bins, where a cumulative distribution reaches fractions."""
    at = np.searchsorted(edges, fractions, side=side)
    if side == "right":
        at = np.clip(at, 1, len(edges) - 1)
        first = at - 1
    else:
        first = np.clip(at, 1, len(edges) - 1) - 1
    height = edges[first + 1] - edges[first]
    inside = np.where(height > 0, (fractions - edges[first]) / np.where(height > 0, height, 1.0), 0.0)
    return first + np.clip(inside, 0.0, 1.0)


@numba.njit(cache=True, nogil=True)
def _count(
    first: int, last: int, values: Any, low: Any, scale: Any, whole: bool, tables: Any
) -> None:  # pragma: no cover - compiled
    shares, bins = tables.shape
    top = np.int32(bins - 1)
    for share in range(first, last):
        table = tables[share]
        if whole:
            for k in range(share * values.size // shares, (share + 1) * values.size // shares):
                table[min(max(np.int32((values[k] - low) * scale), np.int32(0)), top)] += 1
            continue
        for k in range(share * values.size // shares, (share + 1) * values.size // shares):
            value = values[k]
            if np.isfinite(value):
                table[min(max(np.int32((value - low) * scale), np.int32(0)), top)] += 1


@numba.njit(cache=True, nogil=True)
def _look_up(first: int, last: int, values: Any, table: Any, out: Any) -> None:  # pragma: no cover - compiled
    for k in range(first * values.size // 64, last * values.size // 64):
        out[k] = table[values[k]]


@numba.njit(cache=True, nogil=True)
def _apply(
    first: int, last: int, values: Any, low: Any, scale: Any, start: Any, rise: Any, whole: bool, out: Any
) -> None:  # pragma: no cover - compiled
    bins = start.size
    if whole:
        zero, one, top = values.dtype.type(0), values.dtype.type(1), np.int32(bins - 1)
        for k in range(first * values.size // 64, last * values.size // 64):
            place = (values[k] - low) * scale
            at = min(max(np.int32(place), np.int32(0)), top)
            out[k] = start[at] + rise[at] * min(max(place - values.dtype.type(at), zero), one)
        return
    for k in range(first * values.size // 64, last * values.size // 64):
        value = values[k]
        if not np.isfinite(value):
            out[k] = value
            continue
        place = (value - low) * scale
        at = min(max(np.int32(place), np.int32(0)), np.int32(bins - 1))
        inside = min(max(place - values.dtype.type(at), values.dtype.type(0)), values.dtype.type(1))
        out[k] = start[at] + rise[at] * inside
