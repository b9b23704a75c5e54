"""Morphological active contours on bit-packed masks: without edges (Chan-Vese) and geodesic.

Results equal those of scikit-image sample by sample (for float64 images): the same order of balloon, attachment and
smoothing, the same edges, and the two smoothing operators in turn, beginning with the opening one.

References
----------
Marquez-Neila, Baumela, Alvarez. A morphological approach to curvature-based evolution of curves and surfaces. IEEE
Trans. PAMI 36 (2014) 2-17.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.bits import FULL, curvature_planar, curvature_solid, grown, last_word, pack, positions, unpack
from isocenter.kernels.threads import kernel_input

__all__ = ["chan_vese", "checkerboard", "geodesic"]

Mask = npt.NDArray[np.bool_]


def checkerboard(shape: tuple[int, ...], size: int = 5) -> Mask:
    """Return alternating squares of `size` samples: a start that needs no guess."""
    parity = np.zeros(shape, np.int64)
    for axis, length in enumerate(shape):
        parity = parity + (np.arange(length) // size).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    result: Mask = (parity & 1).astype(np.bool_)
    return result


def _solid(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a plane as a volume of one row along the middle axis (words run along the first)."""
    return array[:, None, :] if array.ndim == 2 else array


def chan_vese(
    image: npt.ArrayLike, start: npt.ArrayLike, iterations: int, smoothing: int = 1, inside: float = 1.0, outside: float = 1.0
) -> Mask:
    """Part an image into two regions of similar values, whose outline is smooth.

    Parameters
    ----------
    image
        Finite values, two or three axes.
    start
        Mask to begin with.
    iterations
        How often the outline moves.
    smoothing
        How often it is smoothed after each move.
    inside, outside
        Weight of the variation in each region.
    """
    data = _solid(np.asarray(image))
    first = np.asarray(start, dtype=np.bool_)
    words = pack(_solid(first))
    values = kernel_input(data)
    _chan_vese(values, words, first.ndim == 2, last_word(len(first)), iterations, smoothing, inside, outside)
    result = unpack(words, len(first))
    return result.reshape(first.shape)


def geodesic(
    image: npt.ArrayLike, start: npt.ArrayLike, iterations: int, smoothing: int = 1, balloon: float = 0.0, threshold: float = 0.0
) -> Mask:
    """Move an outline until it rests on the valleys of an edge image.

    Parameters
    ----------
    image
        Edge image: near 1 in flat parts, small at edges; two or three axes.
    start
        Mask to begin with.
    iterations, smoothing
        As of `chan_vese`.
    balloon
        Above 0 the outline grows, below 0 it shrinks, where nothing holds it.
    threshold
        Where the edge image is above ``threshold / abs(balloon)``, the balloon pushes.
    """
    data = _solid(np.asarray(image, dtype=np.float64))
    first = np.asarray(start, dtype=np.bool_)
    words = pack(_solid(first))
    free = pack(data > threshold / abs(balloon)) if balloon else words
    _geodesic(
        kernel_input(data), words, free, first.ndim == 2, last_word(len(first)), iterations, smoothing, int(np.sign(balloon))
    )
    return unpack(words, len(first)).reshape(first.shape)


@numba.njit(cache=True, nogil=True)
def _smooth(words: Any, spare: Any, planar: bool, tail: Any, times: int, turn: int) -> int:  # pragma: no cover - compiled
    for _ in range(times):
        # In turn: dilation first and then erosion, erosion first and then dilation.
        first = turn % 2 == 1
        if planar:
            curvature_planar(words, first, tail, spare)
            curvature_planar(spare, not first, tail, words)
        else:
            curvature_solid(words, first, tail, spare)
            curvature_solid(spare, not first, tail, words)
        turn += 1
    return turn


@numba.njit(cache=True, nogil=True)
def _rim(words: Any, b: int, y: int, x: int, tail: Any) -> Any:  # pragma: no cover - compiled
    """Return where the mask's central differences are not zero (one-sided ones at the edges)."""
    blocks, height, width = words.shape[0] - 2, words.shape[1] - 2, words.shape[2] - 2
    w = words[b, y, x]
    up = (w << np.uint64(1)) | (words[b - 1, y, x] >> np.uint64(63))
    down = (w >> np.uint64(1)) | (words[b + 1, y, x] << np.uint64(63))
    if b == 1:
        up |= w & np.uint64(1)
    last = FULL
    if b == blocks:
        last = tail
        end = tail ^ (tail >> np.uint64(1))
        down |= w & end
    south = words[b, y + 1, x] if y < height else w
    north = words[b, y - 1, x] if y > 1 else w
    east = words[b, y, x + 1] if x < width else w
    west = words[b, y, x - 1] if x > 1 else w
    return ((up ^ down) | (south ^ north) | (east ^ west)) & last


@numba.njit(cache=True, nogil=True)
def _sums(image: Any, words: Any, before: Any, first: bool, state: Any) -> None:  # pragma: no cover - compiled
    """Keep the sum of values inside (compensated) and how many there are; `state` is sum, carry, count."""
    places = np.empty(64, np.int64)
    for b in range(1, words.shape[0] - 1):
        for y in range(1, words.shape[1] - 1):
            for x in range(1, words.shape[2] - 1):
                now = words[b, y, x]
                changed = now if first else now ^ before[b, y, x]
                for k in range(positions(changed, places)):
                    z = places[k]
                    value = np.float64(image[(b - 1) * 64 + z, y - 1, x - 1])
                    if (now >> np.uint64(z)) & np.uint64(1):
                        state[2] += 1.0
                    else:
                        value = -value
                        state[2] -= 1.0
                    total = state[0] + value
                    if abs(state[0]) >= abs(value):
                        state[1] += (state[0] - total) + value
                    else:
                        state[1] += (value - total) + state[0]
                    state[0] = total


@numba.njit(cache=True, nogil=True)
def _chan_vese(
    image: Any, words: Any, planar: bool, tail: Any, iterations: int, smoothing: int, inside: float, outside: float
) -> None:  # pragma: no cover - compiled
    moved, spare, places = words.copy(), words.copy(), np.empty(64, np.int64)
    everything = 0.0
    for z in range(image.shape[0]):
        for y in range(image.shape[1]):
            row = 0.0
            for x in range(image.shape[2]):
                row += np.float64(image[z, y, x])
            everything += row
    state, turn = np.zeros(3), 0
    _sums(image, words, words, True, state)
    for _ in range(iterations):
        total = state[0] + state[1]
        mean_out = (everything - total) / (float(image.size) - state[2] + 1e-8)
        mean_in = total / (state[2] + 1e-8)
        for b in range(1, words.shape[0] - 1):
            for y in range(1, words.shape[1] - 1):
                for x in range(1, words.shape[2] - 1):
                    rim, word = _rim(words, b, y, x, tail), words[b, y, x]
                    for k in range(positions(rim, places)):
                        z = places[k]
                        value = np.float64(image[(b - 1) * 64 + z, y - 1, x - 1])
                        pull = inside * (value - mean_in) ** 2 - outside * (value - mean_out) ** 2
                        bit = np.uint64(1) << np.uint64(z)
                        if pull < 0.0:
                            word |= bit
                        elif pull > 0.0:
                            word &= ~bit
                    moved[b, y, x] = word
        before = words.copy()
        words[:] = moved
        turn = _smooth(words, spare, planar, tail, smoothing, turn)
        _sums(image, words, before, False, state)


@numba.njit(cache=True, nogil=True)
def _slope(low: float, here: float, high: float, place: int, size: int) -> float:  # pragma: no cover - compiled
    """Return the central difference, one-sided at the ends."""
    if size == 1:
        return 0.0
    if place == 0:
        return high - here
    if place == size - 1:
        return here - low
    return (high - low) / 2.0


@numba.njit(cache=True, nogil=True)
def _bit(words: Any, z: int, y: int, x: int) -> float:  # pragma: no cover - compiled
    return float((words[1 + (z >> 6), y + 1, x + 1] >> np.uint64(z & 63)) & np.uint64(1))


@numba.njit(cache=True, nogil=True)
def _pull(image: Any, words: Any, z: int, y: int, x: int) -> float:  # pragma: no cover - compiled
    """Return the product of the slopes of edge image and mask, summed over the axes in array order."""
    depth, height, width = image.shape
    here, own = image[z, y, x], _bit(words, z, y, x)
    za, zb = max(z - 1, 0), min(z + 1, depth - 1)
    ya, yb = max(y - 1, 0), min(y + 1, height - 1)
    xa, xb = max(x - 1, 0), min(x + 1, width - 1)
    total = _slope(image[za, y, x], here, image[zb, y, x], z, depth) * _slope(
        _bit(words, za, y, x), own, _bit(words, zb, y, x), z, depth
    )
    total += _slope(image[z, ya, x], here, image[z, yb, x], y, height) * _slope(
        _bit(words, z, ya, x), own, _bit(words, z, yb, x), y, height
    )
    total += _slope(image[z, y, xa], here, image[z, y, xb], x, width) * _slope(
        _bit(words, z, y, xa), own, _bit(words, z, y, xb), x, width
    )
    return total


@numba.njit(cache=True, nogil=True)
def _geodesic(
    image: Any, words: Any, free: Any, planar: bool, tail: Any, iterations: int, smoothing: int, balloon: int
) -> None:  # pragma: no cover - compiled
    moved, spare, places = words.copy(), words.copy(), np.empty(64, np.int64)
    turn = 0
    for _ in range(iterations):
        if balloon != 0:
            grown(words, balloon < 0, planar, tail, spare)
            for b in range(1, words.shape[0] - 1):
                for y in range(1, words.shape[1] - 1):
                    for x in range(1, words.shape[2] - 1):
                        allowed = free[b, y, x]
                        words[b, y, x] = (words[b, y, x] & ~allowed) | (spare[b, y, x] & allowed)
        for b in range(1, words.shape[0] - 1):
            for y in range(1, words.shape[1] - 1):
                for x in range(1, words.shape[2] - 1):
                    rim, word = _rim(words, b, y, x, tail), words[b, y, x]
                    for k in range(positions(rim, places)):
                        z = places[k]
                        pull = _pull(image, words, (b - 1) * 64 + z, y - 1, x - 1)
                        bit = np.uint64(1) << np.uint64(z)
                        if pull > 0.0:
                            word |= bit
                        elif pull < 0.0:
                            word &= ~bit
                    moved[b, y, x] = word
        words[:] = moved
        turn = _smooth(words, spare, planar, tail, smoothing, turn)
