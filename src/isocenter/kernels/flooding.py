"""Watershed: markers flood an image from low to high, and meet where the watersheds are.

Samples wait in one list for every range of values; only the range that is being flooded is kept in order, as a heap that
stays small, by value and, where values are equal, by when they were reached.

References
----------
Soille, Ansoult. Automated basin delineation from digital elevation models using mathematical morphology. Signal
Processing 20 (1990) 171-182.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input

__all__ = ["levels_of", "watershed"]

#: Ranges of values: two to this power.
_BITS = 16


def levels_of(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], int]:
    """Return the rank of every value among the different ones, and how many there are."""
    flat = values.ravel()
    if flat.dtype.kind in "iub" and flat.size and int(flat.max()) - int(flat.min()) < 1 << 20:
        low = int(flat.min())
        return (flat.astype(np.int64) - low).astype(np.int32), int(flat.max()) - low + 1
    order = np.argsort(flat, kind="stable")
    arranged = flat[order]
    step = np.empty(flat.size, np.int32)
    step[:1] = 0
    np.cumsum(arranged[1:] != arranged[:-1], out=step[1:])
    ranks = np.empty(flat.size, np.int32)
    ranks[order] = step
    return ranks, int(step[-1]) + 1 if flat.size else 0


def watershed(
    values: npt.NDArray[Any], markers: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.int32]:
    """Return the basin of every sample: labels grow from the markers through face neighbours in the order of values.

    Parameters
    ----------
    values
        What is flooded, one to three axes, finite.
    markers
        Labels to begin with, 0 where there is none.
    mask
        Where labels may grow; None: everywhere.

    Returns
    -------
    numpy.ndarray
        Equal values are flooded in the order in which they were reached, markers in array order.
    """
    shape = (1,) * (3 - values.ndim) + values.shape
    padded = np.full([n + 2 for n in shape], -1, np.int32)
    inner = (slice(1, -1),) * 3
    padded[inner] = np.asarray(markers, dtype=np.int32).reshape(shape)
    if mask is not None:
        padded[inner][~mask.reshape(shape)] = -1
    keys = np.zeros(padded.shape, np.uint32)
    keys[inner] = _keys(values).reshape(shape)
    top = int(keys.max(initial=0))
    shift = max(0, top.bit_length() - _BITS)
    waiting = np.full((top >> shift) + 1, -1, np.int64)
    _flood(kernel_input(keys.ravel()), padded.ravel(), waiting, shift, padded.shape[1] * padded.shape[2], padded.shape[2])
    result: npt.NDArray[np.int32] = np.maximum(padded[inner], 0).reshape(values.shape)
    return result


def _keys(values: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Return unsigned integers from 0 that are ordered as the values are, and equal where those are."""
    if values.dtype == np.float32 and values.size:
        bits = (np.ascontiguousarray(values) + np.float32(0.0)).view(np.int32)  # the sum makes one zero of two
        # Of negative floats the larger one has the smaller bits.
        ordered = np.where(bits < 0, ~bits ^ np.int32(-(2**31)), bits).view(np.uint32) ^ np.uint32(1 << 31)
        return ordered - ordered.min()
    return levels_of(values)[0].astype(np.uint32)


@numba.njit(cache=True, nogil=True)
def _flood(keys: Any, labels: Any, waiting: Any, shift: int, plane: int, row: int) -> None:  # pragma: no cover - compiled
    # Whoever waits is written to the next free place; ``before`` leads to who came earlier in the same list.
    free = 0
    for place in range(labels.size):
        if labels[place] >= 0:
            free += 1
    who, before = np.empty(free, np.int32), np.empty(free, np.int32)
    order, member = np.empty(1024, np.uint64), np.empty(1024, np.int32)
    steps = np.array([-plane, -row, -1, 1, row, plane])
    age = 0
    for place in range(labels.size):
        if labels[place] > 0:
            who[age], before[age] = place, waiting[keys[place] >> shift]
            waiting[keys[place] >> shift] = age
            age += 1
    for now in range(waiting.size):
        size = 0
        k = waiting[now]
        while k >= 0:
            if size == order.size:
                order, member = _longer(order, member)
            _push(order, member, size, (np.uint64(keys[who[k]]) << np.uint64(32)) | np.uint64(k), who[k])
            size += 1
            k = before[k]
        while size > 0:
            place = member[0]
            size -= 1
            _pop(order, member, size)
            label = labels[place]
            for step in steps:
                near = place + step
                if labels[near] != 0:
                    continue
                labels[near] = label
                key = keys[near]
                who[age] = near
                if (key >> shift) <= now:
                    if size == order.size:
                        order, member = _longer(order, member)
                    _push(order, member, size, (np.uint64(key) << np.uint64(32)) | np.uint64(age), near)
                    size += 1
                else:
                    before[age] = waiting[key >> shift]
                    waiting[key >> shift] = age
                age += 1


@numba.njit(cache=True, nogil=True)
def _longer(order: Any, member: Any) -> Any:  # pragma: no cover - compiled
    more_order, more_member = np.empty(2 * order.size, np.uint64), np.empty(2 * order.size, np.int32)
    more_order[: order.size] = order
    more_member[: order.size] = member
    return more_order, more_member


@numba.njit(cache=True, nogil=True)
def _push(order: Any, member: Any, size: int, value: Any, place: int) -> None:  # pragma: no cover - compiled
    k = size
    while k > 0:
        up = (k - 1) >> 1
        if order[up] <= value:
            break
        order[k], member[k] = order[up], member[up]
        k = up
    order[k], member[k] = value, place


@numba.njit(cache=True, nogil=True)
def _pop(order: Any, member: Any, size: int) -> None:  # pragma: no cover - compiled
    """Take out the first, of `size` and one."""
    value, place = order[size], member[size]
    k = 0
    while True:
        down = 2 * k + 1
        if down >= size:
            break
        if down + 1 < size and order[down + 1] < order[down]:
            down += 1
        if order[down] >= value:
            break
        order[k], member[k] = order[down], member[down]
        k = down
    order[k], member[k] = value, place
