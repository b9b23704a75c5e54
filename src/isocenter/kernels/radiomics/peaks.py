"""Local intensity: the mean over 1 cm^3 around the brightest sample, and the largest such mean of a region.

References
----------
IBSI reference manual v11, section 3.2 (9ST6); Wahl et al. 2009 (SUVpeak).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.threads import kernel_input

__all__ = ["RADIUS", "margin", "peaks"]

#: Radius in mm of a ball of 1 cm^3.
RADIUS = (3000.0 / (4.0 * math.pi)) ** (1.0 / 3.0)


#: Samples of the box from which on two threads are worth starting.
_WORTH = 200_000


def margin(spacing: Sequence[float]) -> tuple[int, ...]:
    """Return how many samples beyond a region the balls around its samples reach."""
    return tuple(math.floor(RADIUS / s + 1e-9) for s in spacing)


def _rows(spacing: Sequence[float]) -> npt.NDArray[np.int64]:
    """Return rows (dz, dy, half length along x) of the samples whose centres lie in the ball."""
    nz, ny, nx = margin(spacing)
    rows = []
    for dz in range(-nz, nz + 1):
        for dy in range(-ny, ny + 1):
            left = RADIUS**2 - (dz * spacing[0]) ** 2 - (dy * spacing[1]) ** 2
            if left >= -1e-9:
                rows.append((dz, dy, min(nx, math.floor(math.sqrt(max(left, 0.0)) / spacing[2] + 1e-9))))
    return np.asarray(rows, dtype=np.int64).reshape(-1, 3)


@njit(cache=True, nogil=True)
def _row(
    ring: Any, z: int, y: int, depth: int, first: int, last: int, rows: Any, total: Any, count: Any
) -> None:  # pragma: no cover - compiled
    """Sum the balls around samples `first` to `last` of a row; the ring holds planes cumulated along x with a leading zero."""
    height, width = ring.shape[1], ring.shape[2] - 1
    reach_z, reach_y, reach_x = -rows[0, 0], rows[:, 1].max(), rows[:, 2].max()
    whole = z >= reach_z and z + reach_z < depth and y >= reach_y and y + reach_y < height
    whole = whole and first >= reach_x and last + reach_x <= width
    everything = (2 * rows[:, 2] + 1).sum()
    for x in range(first, last):
        total[x] = 0.0
        count[x] = everything if whole else 0
    for r in range(rows.shape[0]):
        pz, py, half = z + rows[r, 0], y + rows[r, 1], rows[r, 2]
        if pz < 0 or pz >= depth or py < 0 or py >= height:
            continue
        line = ring[pz % len(ring), py]
        if whole:
            ahead, behind, out = line[first + half + 1 : last + half + 1], line[first - half : last - half], total[first:last]
            for k in range(len(out)):
                out[k] += ahead[k] - behind[k]
        else:
            for x in range(first, last):
                low, high = max(x - half, 0), min(x + half + 1, width)
                total[x] += line[high] - line[low]
                count[x] += high - low


@njit(cache=True, nogil=True)
def _best(
    ring: Any, mask: Any, hot: Any, z: int, depth: int, offset: Any, rows: Any, found: Any
) -> None:  # pragma: no cover - compiled
    """Raise found[0] by balls around the hot samples of a plane, and found[1] by those around all of its mask."""
    total, count = np.empty(ring.shape[2]), np.empty(ring.shape[2], np.int64)
    shift = offset[2]
    for y in range(mask.shape[0]):
        first, last = -1, 0
        for x in range(mask.shape[1]):
            if mask[y, x] == 3:
                if first < 0:
                    first = x
                last = x + 1
        if first < 0:
            continue
        _row(ring, z, y + offset[1], depth, first + shift, last + shift, rows, total, count)
        for x in range(first, last):
            if mask[y, x] == 3:
                mean = total[x + shift] / count[x + shift]
                found[1] = max(found[1], mean)
                if hot[y, x]:
                    found[0] = max(found[0], mean)


def peaks(
    array: npt.NDArray[Any],
    inner: tuple[slice, ...],
    region: npt.NDArray[np.uint8],
    spacing: Sequence[float],
    highest: float,
    threads: int = 1,
) -> tuple[float, float]:
    """Return the local and the global intensity peak; of several hottest samples the highest mean counts.

    Parameters
    ----------
    array
        Intensities of the region and of as much around it as there is, up to `margin`; samples of a ball beyond it do
        not count. Values that are not finite count as 0.
    inner
        Where the region's box lies in `array`.
    region
        uint8, the box with one empty sample on every side: 3 in the intensity mask.
    spacing
        mm per sample along each axis.
    highest
        Highest intensity in the mask.
    threads
        Threads that may run at once; the result does not depend on it.
    """
    rows = kernel_input(_rows(spacing))
    reach, depth = margin(spacing)[0], array.shape[0]
    # Sums along x of the planes that a ball reaches, each computed once and kept until the balls have passed it; threads
    # share them, and the rows of a plane among them.
    ring = np.zeros((min(2 * reach + 1, depth), array.shape[1], array.shape[2] + 1))
    height = inner[1].stop - inner[1].start
    parts = min(threads, height) if array.size >= _WORTH else 1
    bounds = [(height * k // parts, height * (k + 1) // parts) for k in range(parts)]
    found = [np.full(2, -np.inf) for _ in bounds]
    offsets = [kernel_input([inner[0].start, inner[1].start + a, inner[2].start], np.int64) for a, _ in bounds]
    made = max(0, inner[0].start - reach)
    with ThreadPoolExecutor(parts) as pool:
        for k, z in enumerate(range(inner[0].start, inner[0].stop)):
            while made < min(z + reach + 1, depth):
                plane = np.asarray(array[made], dtype=np.float64)
                whole = np.isfinite(plane).all()
                np.cumsum(plane if whole else np.where(np.isfinite(plane), plane, 0.0), axis=1, out=ring[made % len(ring), :, 1:])
                made += 1
            hot = array[z][inner[1:]] == highest
            mask = region[k + 1, 1:-1, 1:-1]
            tasks = [
                (ring, kernel_input(mask[a:b]), kernel_input(hot[a:b]), z, depth, offset, rows, best)
                for (a, b), offset, best in zip(bounds, offsets, found, strict=True)
            ]
            if parts == 1:
                _best(*tasks[0])
            else:
                list(pool.map(lambda task: _best(*task), tasks))
    highest_means = np.max(found, axis=0)
    return float(highest_means[0]), float(highest_means[1])
