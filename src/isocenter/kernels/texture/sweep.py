"""One pass over a region that fills every matrix of directions and neighbours at once.

Co-occurrence (GLCM), runs (GLRLM), grey-tone differences (NGTDM) and dependences (NGLDM) all look at the same neighbours
of the same sample, so each neighbour is read once for all of them. Everything that is counted is a whole number: the
result does not depend on how the planes are shared among threads.

References
----------
IBSI reference manual v11, sections 3.6 (LFYI), 3.7 (TP0I), 3.10 (IPET) and 3.11 (REK0).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.threads import kernel_input

__all__ = ["DIRECTIONS_2D", "DIRECTIONS_3D", "Matrices", "sweep"]

#: The 13 unique directions of a 26-neighbourhood, in (z, y, x); the first four lie in the slice.
DIRECTIONS_3D = (
    (0, 0, 1), (0, 1, -1), (0, 1, 0), (0, 1, 1),
    (1, -1, -1), (1, -1, 0), (1, -1, 1), (1, 0, -1), (1, 0, 0), (1, 0, 1), (1, 1, -1), (1, 1, 0), (1, 1, 1),
)  # fmt: skip
DIRECTIONS_2D = DIRECTIONS_3D[:4]

#: Samples of the box from which on two threads are worth starting.
_WORTH = 200_000

Levels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Matrices:
    """What one pass counted, for n levels and d directions.

    Attributes
    ----------
    pairs
        int64 (d, n, n), symmetric: how often level i + 1 lies next to level j + 1 along a direction; (0, 0, 0) where
        they were not asked for.
    runs
        int64 (d, n, m): runs of level i + 1 and length k + 1; m is the longest side.
    occurrences
        int64 (n,): samples of each level that have a neighbour in the region.
    differences
        float64 (n,): their summed distances from the mean of their neighbours.
    dependences
        int64 (n, 27): entry [i, k] counts samples of level i + 1 with k like neighbours.
    """

    pairs: Counts
    runs: Counts
    occurrences: Counts
    differences: npt.NDArray[np.float64]
    dependences: Counts


@njit(cache=True, nogil=True)
def _sweep(
    flat: Levels,
    shape: tuple[int, int, int],
    first: int,
    last: int,
    offsets: Counts,
    pairs: npt.NDArray[np.int32],
    runs: npt.NDArray[np.int32],
    away: Counts,
    alike: Counts,
) -> None:  # pragma: no cover - compiled
    """Count planes `first` to `last` of padded levels into the arrays given."""
    _, height, width = shape
    with_pairs, with_runs = pairs.size > 0, runs.size > 0
    for z in range(first, last):
        for y in range(1, height - 1):
            row = (z * height + y) * width
            for p in range(row + 1, row + width - 1):
                here = np.int64(flat[p])
                if here == 0:
                    continue
                total, inside, same = np.int64(0), np.int64(0), np.int64(0)
                for d in range(len(offsets)):
                    step = offsets[d]
                    ahead, behind = np.int64(flat[p + step]), np.int64(flat[p - step])
                    total += ahead + behind
                    inside += (ahead > 0) + (behind > 0)
                    same += (ahead == here) + (behind == here)
                    if with_pairs and ahead > 0:
                        pairs[d, here - 1, ahead - 1] += 1
                    if with_runs and behind != here:  # a run begins here; the empty border ends it at last
                        length = 1
                        q = p + step
                        while flat[q] == here:
                            length += 1
                            q += step
                        runs[d, here - 1, length - 1] += 1
                alike[here - 1, same] += 1
                # Whole numbers for each count of neighbours: divided at the end, they add up alike in any order.
                away[here - 1, inside] += abs(here * inside - total)
                if inside > 0:
                    away[here - 1, 0] += 1


def sweep(
    levels: Levels,
    count: int,
    *,
    in_plane: bool = False,
    pairs: bool = True,
    runs: bool = True,
    planes: tuple[int, int] | None = None,
    threads: int = 1,
) -> Matrices:
    """Return the matrices of a region.

    Parameters
    ----------
    levels
        uint8 or uint16 (z + 2, y + 2, x + 2): 0 outside the region, 1 to `count` inside, with one empty sample on every side.
    count
        Number of levels n.
    in_plane
        The 4 directions and 8 neighbours in the slice instead of 13 and 26 in space.
    pairs, runs
        Whether those matrices are wanted.
    planes
        First and last (exclusive) plane to count, without the border; None counts all.
    threads
        Threads that may run at once.
    """
    shape = levels.shape
    directions = DIRECTIONS_2D if in_plane else DIRECTIONS_3D
    offsets = kernel_input([(dz * shape[1] + dy) * shape[2] + dx for dz, dy, dx in directions], np.int64)
    first, last = (0, shape[0] - 2) if planes is None else planes
    longest = max(shape[1], shape[2]) - 2 if in_plane else max(shape) - 2
    flat = kernel_input(levels.reshape(-1))

    def counted(bounds: tuple[int, int]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Counts, Counts]:
        d = len(directions)
        result = (
            np.zeros((d, count, count) if pairs else (0, 0, 0), np.int32),
            np.zeros((d, count, longest) if runs else (0, 0, 0), np.int32),
            np.zeros((count, 27), np.int64),
            np.zeros((count, 27), np.int64),
        )
        _sweep(flat, shape, bounds[0] + 1, bounds[1] + 1, offsets, *result)
        return result

    depth = last - first
    if threads > 1 and depth > 1 and depth * shape[1] * shape[2] >= _WORTH:
        parts = min(threads, depth)
        bounds = [(first + depth * k // parts, first + depth * (k + 1) // parts) for k in range(parts)]
        with ThreadPoolExecutor(parts) as pool:
            shares = list(pool.map(counted, bounds))
        found = shares[0]
        for share in shares[1:]:
            for k in range(4):
                found[k][...] += share[k]
    else:
        found = counted((first, last))
    near, length, away, alike = found
    joined = near.astype(np.int64)
    joined += near.transpose(0, 2, 1)
    neighbours = np.arange(1, 27, dtype=np.float64)
    differences = (away[:, 1:] / neighbours).sum(axis=1)
    return Matrices(joined, length.astype(np.int64), away[:, 0].copy(), differences, alike)
