"""Filters that are products of one-dimensional ones, and their pooling over the right-angle rotations."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.responses.boundary import Boundary, source_indices
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["Pooling", "Taps", "filter_axis", "filtered", "pooled", "separable"]

Array = npt.NDArray[Any]
Pooling = Literal["max", "mean", "min"]


@dataclass(frozen=True, order=True)
class Taps:
    """A one-dimensional filter: result[i] = sum of weight * sample[i + offset].

    Attributes
    ----------
    offsets
        Where it reads, in samples from the one in question.
    weights
        As many numbers.
    """

    offsets: tuple[int, ...]
    weights: tuple[float, ...]

    @classmethod
    def convolving(cls, kernel: Sequence[float], origin: int, step: int = 1) -> Taps:
        """Return the filter that convolves with a kernel whose element `origin` is its middle, `step` samples apart."""
        pairs = [(-(k - origin) * step, float(w)) for k, w in enumerate(kernel) if w != 0.0]
        pairs.sort()
        return cls(tuple(o for o, _ in pairs), tuple(w for _, w in pairs))

    @property
    def flipped(self) -> Taps:
        """The filter as it acts on the axis turned round."""
        return Taps(tuple(-o for o in reversed(self.offsets)), tuple(reversed(self.weights)))

    @property
    def reach(self) -> int:
        """How many samples away it reads at most."""
        return max((abs(o) for o in self.offsets), default=0)


def filter_axis(array: Array, taps: Taps, axis: int, boundary: Boundary, threads: int = 1) -> Array:
    """Return a float array filtered along one axis.

    Products are summed from the lowest offset to the highest for every sample alike, so tiles give the same bits as
    the whole, and any number of threads gives the same bits as one.
    """
    size = array.shape[axis]
    low = min((*taps.offsets, 0))
    high = max((*taps.offsets, 0))
    source = source_indices(size, -low, high, boundary)
    offsets = np.asarray(taps.offsets, np.int64) - low
    before = int(np.prod(array.shape[:axis]))
    after = int(np.prod(array.shape[axis + 1 :]))
    block = kernel_input(array).reshape(before, size, after)
    out = np.empty(block.shape, array.dtype)
    weights = np.asarray(taps.weights, array.dtype)
    if after == 1:
        run_rows(_along_last, before, threads, block.reshape(before, size), source, offsets, weights, out.reshape(before, size))
    else:
        run_rows(_across, before * size, threads, block, source, offsets, weights, out)
    return out.reshape(array.shape)


@numba.njit(cache=True, nogil=True)
def _along_last(first: int, last: int, block: Any, source: Any, offsets: Any, weights: Any, out: Any) -> None:  # pragma: no cover
    size, length = block.shape[1], source.size
    line = np.empty(length, block.dtype)
    for row in range(first, last):
        for k in range(length):
            line[k] = block[row, source[k]] if source[k] >= 0 else 0
        result = out[row]
        result[:] = 0
        for k in range(weights.size):
            weight, shift = weights[k], offsets[k]
            for x in range(size):
                result[x] += weight * line[x + shift]


@numba.njit(cache=True, nogil=True)
def _across(first: int, last: int, block: Any, source: Any, offsets: Any, weights: Any, out: Any) -> None:  # pragma: no cover
    size, width = block.shape[1], block.shape[2]
    for row in range(first, last):
        i, j = row // size, row % size
        result = out[i, j]
        result[:] = 0
        for k in range(weights.size):
            place = source[j + offsets[k]]
            if place < 0:
                continue
            weight = weights[k]
            line = block[i, place]
            for x in range(width):
                result[x] += weight * line[x]


def separable(array: Array, filters: Sequence[Taps | None], boundary: Boundary, threads: int = 1) -> Array:
    """Return an array filtered along each axis by its own filter, last axis first; None leaves an axis alone."""
    result = array
    for axis in reversed(range(array.ndim)):
        taps = filters[axis]
        if taps is not None:
            result = filter_axis(result, taps, axis, boundary, threads)
    return result


def filtered(
    array: Array, filters: Sequence[Taps], axes: Sequence[int], boundary: Boundary, pooling: Pooling | None, threads: int = 1
) -> Array:
    """Return the response to a separable filter as it stands, or pooled over all right-angle rotations.

    Parameters
    ----------
    array, filters, axes, boundary, threads
        As of `pooled`.
    pooling
        None takes the filter as it stands.
    """
    if pooling is not None:
        return pooled(array, filters, axes, boundary, pooling, threads)
    placed: list[Taps | None] = [None] * array.ndim
    for axis, taps in zip(axes, filters, strict=True):
        placed[axis] = taps
    return separable(array, placed, boundary, threads)


def _rotations(axes: int) -> list[tuple[tuple[int, ...], tuple[bool, ...]]]:
    """Return the right-angle rotations as (which filter each axis gets, whether it is turned round): 24, 4 or 1."""
    found: list[tuple[tuple[int, ...], tuple[bool, ...]]] = []
    for order in itertools.permutations(range(axes)):
        swaps = sum(order[a] > order[b] for a, b in itertools.combinations(range(axes), 2))
        turns = itertools.product((False, True), repeat=axes)
        found.extend((order, flips) for flips in turns if (swaps + sum(flips)) % 2 == 0)
    return found


def _signed(taps: Taps) -> tuple[Taps, int]:
    """Return a filter and a sign so that an antisymmetric one and itself turned round share their work."""
    turned = taps.flipped
    opposite = Taps(turned.offsets, tuple(-w for w in turned.weights))
    if opposite == taps and next((w for w in taps.weights if w), 1.0) < 0:
        return turned, -1
    return taps, 1


def pooled(
    array: Array,
    filters: Sequence[Taps],
    axes: Sequence[int],
    boundary: Boundary,
    pooling: Pooling,
    threads: int = 1,
) -> Array:
    """Return the pooled responses to a separable filter in every right-angle rotation.

    Parameters
    ----------
    array
        Float samples.
    filters
        One per filtered axis.
    axes
        The axes they act along, ascending.
    boundary
        Beyond the edges.
    pooling
        ``max``, ``mean`` or ``min`` over the 24 rotations of space (4 of the plane).
    """
    wanted: dict[tuple[Taps, ...], dict[int, int]] = {}
    rotations = _rotations(len(filters))
    for order, flips in rotations:
        chosen, sign = [], 1
        for which, flip in zip(order, flips, strict=True):
            taps, one = _signed(filters[which].flipped if flip else filters[which])
            chosen.append(taps)
            sign *= one
        signs = wanted.setdefault(tuple(chosen), {})
        signs[sign] = signs.get(sign, 0) + 1
    result: Array | None = None
    for response, signs in _responses(array, sorted(wanted.items()), list(axes), boundary, threads):
        result = _pool(result, response, signs, pooling)
    assert result is not None  # there is always the rotation by nothing
    if pooling == "mean":
        result /= result.dtype.type(len(rotations))
    return result


_Wanted = list[tuple[tuple[Taps, ...], dict[int, int]]]


def _responses(
    array: Array, wanted: _Wanted, axes: list[int], boundary: Boundary, threads: int
) -> Iterator[tuple[Array, dict[int, int]]]:
    """Yield the response to each wanted filter; those that begin alike along the last axis share that pass."""
    last = len(axes) - 1
    for taps in sorted({filters[last] for filters, _ in wanted}):
        partial = filter_axis(array, taps, axes[last], boundary, threads)
        rest = [(filters[:last], signs) for filters, signs in wanted if filters[last] == taps]
        if last == 0:
            yield partial, rest[0][1]
        else:
            yield from _responses(partial, rest, axes[:last], boundary, threads)


def _pool(result: Array | None, response: Array, signs: dict[int, int], pooling: Pooling) -> Array:
    """Return the pooled result so far; `signs` says how often the response itself (1) and its negative (-1) count."""
    if pooling == "mean":
        part = response * response.dtype.type(sum(sign * n for sign, n in signs.items()))
        return part if result is None else result + part
    choose = np.maximum if pooling == "max" else np.minimum
    for sign in signs:
        part = response if sign > 0 else -response
        result = part.copy() if result is None else choose(result, part, out=result)
    assert result is not None  # signs are never empty
    return result
