"""Watershed: markers flood an image from low to high, and meet where the watersheds are.

The queue is one first-in first-out list for every value that occurs, and a tree of bits that finds the lowest filled list,
so that a step costs the same however long the queue is.

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
    ranks, count = levels_of(values)
    padded = np.full([n + 2 for n in shape], -1, np.int32)
    inner = (slice(1, -1),) * 3
    padded[inner] = np.asarray(markers, dtype=np.int32).reshape(shape)
    if mask is not None:
        padded[inner][~mask.reshape(shape)] = -1
    level = np.zeros(padded.shape, np.int32)
    level[inner] = ranks.reshape(shape)
    _flood(kernel_input(level.ravel()), padded.ravel(), count, padded.shape[1] * padded.shape[2], padded.shape[2])
    result: npt.NDArray[np.int32] = np.maximum(padded[inner], 0).reshape(values.shape)
    return result


@numba.njit(cache=True, nogil=True)
def _flood(level: Any, labels: Any, count: int, plane: int, row: int) -> None:  # pragma: no cover - compiled
    head, tail = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    after = np.full(level.size, -1, np.int32)
    one, sixty_three = np.uint64(1), np.int64(63)
    # Bits of three floors: a filled list, a filled word of lists, a filled word of words.
    ground = np.zeros((count >> 6) + 1, np.uint64)
    first = np.zeros((ground.size >> 6) + 1, np.uint64)
    second = np.zeros((first.size >> 6) + 1, np.uint64)
    third = np.zeros((second.size >> 6) + 1, np.uint64)
    steps = np.array([-plane, -row, -1, 1, row, plane])
    for place in range(labels.size):
        if labels[place] > 0:
            _push(level[place], place, head, tail, after, ground, first, second, third)
    while True:
        k = 0
        while k < third.size and third[k] == 0:
            k += 1
        if k == third.size:
            break
        k = (k << 6) + _lowest(third[k])
        k = (k << 6) + _lowest(second[k])
        k = (k << 6) + _lowest(first[k])
        k = (k << 6) + _lowest(ground[k])
        place = head[k]
        head[k] = after[place]
        if head[k] < 0:
            ground[k >> 6] &= ~(one << np.uint64(k & sixty_three))
            if ground[k >> 6] == 0:
                first[k >> 12] &= ~(one << np.uint64((k >> 6) & sixty_three))
                if first[k >> 12] == 0:
                    second[k >> 18] &= ~(one << np.uint64((k >> 12) & sixty_three))
                    if second[k >> 18] == 0:
                        third[k >> 24] &= ~(one << np.uint64((k >> 18) & sixty_three))
        label = labels[place]
        for step in steps:
            near = place + step
            if labels[near] == 0:
                labels[near] = label
                _push(level[near], near, head, tail, after, ground, first, second, third)


@numba.njit(cache=True, nogil=True, inline="always")
def _push(
    k: int, place: int, head: Any, tail: Any, after: Any, ground: Any, first: Any, second: Any, third: Any
) -> None:  # pragma: no cover - compiled
    one = np.uint64(1)
    after[place] = -1
    if head[k] < 0:
        head[k] = place
        ground[k >> 6] |= one << np.uint64(k & 63)
        first[k >> 12] |= one << np.uint64((k >> 6) & 63)
        second[k >> 18] |= one << np.uint64((k >> 12) & 63)
        third[k >> 24] |= one << np.uint64((k >> 18) & 63)
    else:
        after[tail[k]] = place
    tail[k] = place


@numba.njit(cache=True, nogil=True)
def _lowest(word: Any) -> int:  # pragma: no cover - compiled
    """Return the index of the lowest set bit of a word that has one."""
    index, width = 0, 32
    while width:
        low = word & ((np.uint64(1) << np.uint64(width)) - np.uint64(1))
        if low == 0:
            word >>= np.uint64(width)
            index += width
        else:
            word = low
        width >>= 1
    return index
