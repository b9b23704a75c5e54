"""Grey-level zones: connected samples of one level, by size (GLSZM) and by distance from the border (GLDZM).

Zones are found in one pass that keeps the labels of two planes only (union-find over the labels met so far), so that
memory grows with the number of zones and not with the region.

References
----------
IBSI reference manual v11, sections 3.8 (9SAK) and 3.9 (VMDZ); Thibault et al. 2009, 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.texture.emphasis import Triples
from isocenter.kernels.texture.sweep import DIRECTIONS_2D, DIRECTIONS_3D, Levels
from isocenter.kernels.threads import kernel_input

__all__ = ["Zones", "border_distance", "distance_triples", "size_triples", "zones"]

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Zones:
    """Every zone's level, size in samples, least distance from the border in steps, and plane it begins in."""

    level: Counts
    size: Counts
    distance: Counts
    plane: Counts

    def of_plane(self, plane: int) -> Zones:
        """Return the zones that begin in one plane."""
        chosen = self.plane == plane
        return Zones(self.level[chosen], self.size[chosen], self.distance[chosen], self.plane[chosen])


@njit(cache=True, nogil=True)
def _root(parent: npt.NDArray[np.int32], label: int) -> int:  # pragma: no cover - compiled
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = int(parent[label])
    return label


@njit(cache=True, nogil=True)
def _zones(
    flat: Levels, shape: tuple[int, int, int], steps: npt.NDArray[np.uint16], offsets: Counts, rises: Counts
) -> Any:  # pragma: no cover - compiled
    depth, height, width = shape
    size_of_plane = height * width
    ring = np.zeros(2 * size_of_plane, np.int32)
    room = 1024
    parent = np.zeros(room, np.int32)
    facts = np.zeros((room, 4), np.int32)  # level, size, distance, plane
    used = 0
    for z in range(1, depth - 1):
        base = z * size_of_plane
        here_ring, below_ring = (z % 2) * size_of_plane - base, ((z - 1) % 2) * size_of_plane - base + size_of_plane
        for y in range(1, height - 1):
            row = base + y * width
            for p in range(row + 1, row + width - 1):
                here = flat[p]
                if here == 0:
                    continue
                label = -1
                for d in range(len(offsets)):
                    q = p - offsets[d]
                    if flat[q] != here:
                        continue
                    other = int(ring[q + (below_ring if rises[d] else here_ring)])
                    if other == label:
                        continue
                    other = _root(parent, other)
                    if label < 0:
                        label = other
                    elif other < label:
                        parent[label] = other
                        label = other
                    elif other > label:
                        parent[other] = label
                if label < 0:
                    if used == room:
                        parent = np.concatenate((parent, np.zeros(room, np.int32)))
                        facts = np.concatenate((facts, np.zeros((room, 4), np.int32)))
                        room *= 2
                    label = used
                    parent[label] = label
                    facts[label, 0], facts[label, 2], facts[label, 3] = here, steps[p], z - 1
                    used += 1
                ring[p + here_ring] = label
                facts[label, 1] += 1
                facts[label, 2] = min(facts[label, 2], steps[p])
    place = np.full(used, -1, np.int64)
    count = 0
    for label in range(used):  # a root is the smallest label of its zone, so it comes first
        root = _root(parent, label)
        if root == label:
            place[label] = count
            facts[count] = facts[label]
            count += 1
        else:
            k = place[root]
            facts[k, 1] += facts[label, 1]
            facts[k, 2] = min(facts[k, 2], facts[label, 2])
    return facts[:count].astype(np.int64)


def zones(levels: Levels, steps: npt.NDArray[np.uint16], in_plane: bool) -> Zones:
    """Return level, size and border distance of every zone.

    Parameters
    ----------
    levels
        uint16 (z + 2, y + 2, x + 2): 0 outside the region, with one empty sample on every side.
    steps
        `border_distance` of the region that distances are measured in, padded alike.
    in_plane
        Zones of 8-connected samples in each slice, else 26-connected in space.
    """
    shape = levels.shape
    directions = DIRECTIONS_2D if in_plane else DIRECTIONS_3D
    offsets = kernel_input([(dz * shape[1] + dy) * shape[2] + dx for dz, dy, dx in directions], np.int64)
    rises = kernel_input([dz for dz, _, _ in directions], np.int64)
    facts = _zones(kernel_input(levels.reshape(-1)), shape, kernel_input(steps.reshape(-1)), offsets, rises)
    return Zones(*(np.ascontiguousarray(facts[:, k]) for k in range(4)))


@njit(cache=True, nogil=True)
def _distance(mask: npt.NDArray[np.uint8], out: npt.NDArray[np.uint16], in_plane: bool) -> None:  # pragma: no cover - compiled
    depth, height, width = mask.shape
    for z in range(1, depth - 1):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                if mask[z, y, x]:
                    best = min(out[z, y, x - 1], out[z, y - 1, x])
                    out[z, y, x] = (best if in_plane else min(best, out[z - 1, y, x])) + np.uint16(1)
    for z in range(depth - 2, 0, -1):
        for y in range(height - 2, 0, -1):
            for x in range(width - 2, 0, -1):
                if mask[z, y, x]:
                    best = min(out[z, y, x + 1], out[z, y + 1, x])
                    best = (best if in_plane else min(best, out[z + 1, y, x])) + np.uint16(1)
                    out[z, y, x] = min(out[z, y, x], best)


def border_distance(mask: npt.NDArray[np.uint8], in_plane: bool) -> npt.NDArray[np.uint16]:
    """Return how many face-to-face steps each sample of a region is from outside it; 1 at the border.

    Parameters
    ----------
    mask
        uint8 (z + 2, y + 2, x + 2), not 0 inside, with one empty sample on every side. Two sweeps give the exact
        city-block distance.
    in_plane
        Steps in the slice only.
    """
    out = np.zeros(mask.shape, np.uint16)
    _distance(kernel_input(mask), out, in_plane)
    return out


def size_triples(found: Zones) -> Triples:
    """Return the size-zone matrix as (level, size, count)."""
    return _counted(found.level, found.size)


def distance_triples(found: Zones) -> Triples:
    """Return the distance-zone matrix as (level, distance, count)."""
    return _counted(found.level, found.distance)


def _counted(level: Counts, extent: Counts) -> Triples:
    if not len(level):
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    width = int(extent.max()) + 1
    keys, counts = np.unique(level * width + extent, return_counts=True)
    return keys // width, keys % width, counts.astype(np.int64)
