"""Fast marching: when a front that starts at seeds and slows down at edges arrives where.

References
----------
Sethian. A fast marching level set method for monotonically advancing fronts. PNAS 93 (1996) 1591-1595.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input

__all__ = ["arrival"]


def arrival(
    speed: npt.NDArray[Any], seeds: npt.NDArray[np.int64], spacing: Sequence[float], until: float = np.inf
) -> npt.NDArray[np.float64]:
    """Return arrival times: ``speed * |gradient of the time| = 1``, first order upwind.

    Parameters
    ----------
    speed
        mm per unit of time, one to three axes; 0 stops the front.
    seeds
        Samples where time begins, shape (n, axes).
    spacing
        mm, array order.
    until
        Times beyond this are left infinite.
    """
    shape = (1,) * (3 - speed.ndim) + speed.shape
    padded = np.zeros(tuple(n + 2 for n in shape))
    padded[1:-1, 1:-1, 1:-1] = speed.reshape(shape)
    time = np.full(padded.shape, np.inf)
    steps = np.full(3, np.inf)
    steps[3 - speed.ndim :] = spacing
    index = np.zeros((len(seeds), 3), np.int64)
    index[:, 3 - speed.ndim :] = seeds
    start = np.ravel_multi_index(tuple((index + 1).T), padded.shape).astype(np.int64)
    plane, row = padded.shape[1] * padded.shape[2], padded.shape[2]
    _march(kernel_input(padded.ravel()), time.ravel(), np.unique(start), plane, row, steps, until)
    return np.ascontiguousarray(time[1:-1, 1:-1, 1:-1]).reshape(speed.shape)


@numba.njit(cache=True, nogil=True)
def _sift_up(times: Any, places: Any, at: int) -> None:  # pragma: no cover - compiled
    while at > 0:
        above = (at - 1) >> 1
        earlier = times[at] < times[above] or (times[at] == times[above] and places[at] < places[above])
        if not earlier:
            return
        times[at], times[above] = times[above], times[at]
        places[at], places[above] = places[above], places[at]
        at = above


@numba.njit(cache=True, nogil=True)
def _sift_down(times: Any, places: Any, size: int) -> None:  # pragma: no cover - compiled
    at = 0
    while True:
        low = at
        for below in (2 * at + 1, 2 * at + 2):
            if below < size and (times[below] < times[low] or (times[below] == times[low] and places[below] < places[low])):
                low = below
        if low == at:
            return
        times[at], times[low] = times[low], times[at]
        places[at], places[low] = places[low], places[at]
        at = low


@numba.njit(cache=True, nogil=True)
def _meet(time: Any, done: Any, place: int, steps: Any, strides: Any, slowness: float) -> float:  # pragma: no cover - compiled
    """Return the arrival time that the neighbours that are settled give."""
    near, width = np.empty(3), np.empty(3)
    count = 0
    for axis in range(3):
        before = time[place - strides[axis]] if done[place - strides[axis]] else np.inf
        behind = time[place + strides[axis]] if done[place + strides[axis]] else np.inf
        low = min(before, behind)
        if low < np.inf:
            k = count
            while k > 0 and near[k - 1] > low:
                near[k], width[k] = near[k - 1], width[k - 1]
                k -= 1
            near[k], width[k] = low, steps[axis]
            count += 1
    a, b, c = 0.0, 0.0, -slowness * slowness
    result = np.inf
    for k in range(count):
        if near[k] >= result:
            break
        inverse = 1.0 / (width[k] * width[k])
        a += inverse
        b += near[k] * inverse
        c += near[k] * near[k] * inverse
        result = (b + np.sqrt(max(0.0, b * b - a * c))) / a
    return result


@numba.njit(cache=True, nogil=True)
def _march(
    speed: Any, time: Any, start: Any, plane: int, row: int, steps: Any, until: float
) -> None:  # pragma: no cover - compiled
    strides = np.array([plane, row, 1])
    done = np.zeros(speed.size, np.bool_)
    room = 4 * start.size + 1024
    times, places = np.empty(room), np.empty(room, np.int64)
    size = 0
    for place in start:
        time[place] = 0.0
        times[size], places[size] = 0.0, place
        size += 1
        _sift_up(times, places, size - 1)
    while size:
        place = places[0]
        size -= 1
        times[0], places[0] = times[size], places[size]
        _sift_down(times, places, size)
        if done[place]:
            continue
        done[place] = True
        for axis in range(3):
            for side in (-strides[axis], strides[axis]):
                near = place + side
                if done[near] or speed[near] <= 0.0:
                    continue
                then = _meet(time, done, near, steps, strides, 1.0 / speed[near])
                if then < time[near] and then <= until:
                    time[near] = then
                    if size == times.size:
                        longer, more = np.empty(2 * size), np.empty(2 * size, np.int64)
                        longer[:size], more[:size] = times, places
                        times, places = longer, more
                    times[size], places[size] = then, near
                    size += 1
                    _sift_up(times, places, size - 1)
