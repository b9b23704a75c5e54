"""Grey-level zones: connected samples of one level, by size (GLSZM) and by distance from the border (GLDZM).

Zones are found in one pass that keeps the labels of two planes only: after each plane, zones that do not reach it any more are
closed and counted, and the others are numbered anew. Memory does not grow with the region or the number of its zones.

References
----------
IBSI reference manual v11, sections 3.8 (9SAK) and 3.9 (VMDZ); Thibault et al. 2009, 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.texture.emphasis import Triples
from isocenter.kernels.texture.sweep import DIRECTIONS_2D, DIRECTIONS_3D, Levels
from isocenter.kernels.threads import kernel_input

__all__ = ["border_distance", "joined", "zone_matrices"]

Counts = npt.NDArray[np.int64]

#: Cells of the tables that small extents are counted in; larger ones are listed.
_CELLS = 1 << 18


@njit(cache=True, nogil=True)
def _root(parent: npt.NDArray[np.int32], label: int) -> int:  # pragma: no cover - compiled
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = int(parent[label])
    return label


@njit(cache=True, nogil=True)
def _plane(
    flat: Levels, steps: Any, z: int, shape: Any, offsets: Counts, rises: Counts, ring: Any, parent: Any, facts: Any, used: int
) -> int:  # pragma: no cover - compiled
    """Label the samples of one plane, joining them to those before; return how many labels there are."""
    _, height, width = shape
    area = height * width
    base = z * area
    here_ring, below_ring = (z % 2) * area - base, ((z - 1) % 2) * area - base + area
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
                label = used
                parent[label] = label
                facts[label, 0], facts[label, 1], facts[label, 2] = here, 0, steps[p]
                used += 1
            ring[p + here_ring] = label
            facts[label, 1] += 1
            facts[label, 2] = min(facts[label, 2], int(steps[p]))
    return used


@njit(cache=True, nogil=True)
def _gather(
    flat: Levels, z: int, shape: Any, ring: Any, parent: Any, facts: Any, used: int, place: Any
) -> None:  # pragma: no cover - compiled
    """Add the parts of each zone up at its root, and mark in `place` with 0 the zones that reach plane `z`."""
    for label in range(used):  # a root is the smallest label of its zone: it comes first, and gathers what follows
        root = _root(parent, label)
        place[label] = -1
        if root != label:
            facts[root, 1] += facts[label, 1]
            facts[root, 2] = min(facts[root, 2], facts[label, 2])
    area = shape[1] * shape[2]
    for k in range(area):
        if flat[z * area + k] != 0:
            place[_root(parent, int(ring[(z % 2) * area + k]))] = 0


@njit(cache=True, nogil=True)
def _close(
    parent: Any, facts: Any, used: int, place: Any, tables: Any, rest: Any, listed: int
) -> Any:  # pragma: no cover - compiled
    """Count the zones that are complete, and number the others anew; return how many go on, and the list and its length."""
    kept, wide = 0, tables.shape[2]
    for label in range(used):
        if parent[label] != label:
            continue
        if place[label] == 0:
            place[label] = kept
            for k in range(3):
                facts[kept, k] = facts[label, k]
            kept += 1
            continue
        for kind in range(2):
            level, extent = facts[label, 0], facts[label, 1 + kind]
            if extent < wide:
                tables[kind, level - 1, extent] += 1
                continue
            if listed == len(rest):
                rest = np.concatenate((rest, np.zeros_like(rest)))
            rest[listed, 0], rest[listed, 1], rest[listed, 2] = kind, level, extent
            listed += 1
    return kept, rest, listed


@njit(cache=True, nogil=True)
def _zones(
    flat: Levels, steps: Any, shape: Any, first: int, last: int, offsets: Counts, rises: Counts, tables: Any
) -> Any:  # pragma: no cover - compiled
    area = shape[1] * shape[2]
    ring = np.zeros(2 * area, np.int32)
    parent = np.zeros(2 * area, np.int32)
    place = np.zeros(2 * area, np.int32)
    facts = np.zeros((2 * area, 3), np.int32)  # level, size, distance
    rest = np.zeros((64, 3), np.int64)
    used = listed = 0
    for z in range(first + 1, last + 1):
        used = _plane(flat, steps, z, shape, offsets, rises, ring, parent, facts, used)
        # The empty border behind the last plane is reached by none: there all zones are complete.
        _gather(flat, z if z < last else shape[0] - 1, shape, ring, parent, facts, used, place)
        kept, rest, listed = _close(parent, facts, used, place, tables, rest, listed)
        if z < last:
            for k in range(area):
                if flat[z * area + k] != 0:
                    here = (z % 2) * area + k
                    ring[here] = place[_root(parent, int(ring[here]))]
        for label in range(kept):
            parent[label] = label
        used = kept
    return rest[:listed]


def zone_matrices(
    levels: Levels, steps: npt.NDArray[Any], count: int, *, in_plane: bool = False, planes: tuple[int, int] | None = None
) -> tuple[Triples, Triples]:
    """Return the size-zone and the distance-zone matrix, each as (level, extent, count).

    Parameters
    ----------
    levels
        uint8 or uint16 (z + 2, y + 2, x + 2): 0 outside the region, with one empty sample on every side.
    steps
        `border_distance` of the region that distances are measured in, padded alike.
    count
        Number of levels.
    in_plane
        Zones of 8-connected samples in the slice, else 26-connected in space.
    planes
        First and last (exclusive) plane to take, without the border; None takes all.
    """
    shape = levels.shape
    directions = DIRECTIONS_2D if in_plane else DIRECTIONS_3D
    offsets = kernel_input([(dz * shape[1] + dy) * shape[2] + dx for dz, dy, dx in directions], np.int64)
    rises = kernel_input([dz for dz, _, _ in directions], np.int64)
    first, last = (0, shape[0] - 2) if planes is None else planes
    tables = np.zeros((2, count, max(2, min(128, _CELLS // count))), np.int64)
    flat, near = kernel_input(levels.reshape(-1)), kernel_input(steps.reshape(-1))
    rest = _zones(flat, near, shape, first, last, offsets, rises, tables)
    found = []
    for kind in range(2):
        level, extent = np.nonzero(tables[kind])
        mine = rest[rest[:, 0] == kind]
        found.append(joined([(level + 1, extent, tables[kind][level, extent]), _counted(mine[:, 1], mine[:, 2])]))
    return found[0], found[1]


@njit(cache=True, nogil=True)
def _distance(mask: npt.NDArray[np.uint8], out: Any, in_plane: bool) -> None:  # pragma: no cover - compiled
    depth, height, width = mask.shape
    for z in range(1, depth - 1):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                if mask[z, y, x]:
                    best = min(out[z, y, x - 1], out[z, y - 1, x])
                    out[z, y, x] = (best if in_plane else min(best, out[z - 1, y, x])) + 1
    for z in range(depth - 2, 0, -1):
        for y in range(height - 2, 0, -1):
            for x in range(width - 2, 0, -1):
                if mask[z, y, x]:
                    best = min(out[z, y, x + 1], out[z, y + 1, x])
                    best = (best if in_plane else min(best, out[z + 1, y, x])) + 1
                    if best < out[z, y, x]:
                        out[z, y, x] = best


def border_distance(mask: npt.NDArray[np.uint8], in_plane: bool) -> npt.NDArray[Any]:
    """Return how many face-to-face steps each sample of a region is from outside it; 1 at the border.

    Parameters
    ----------
    mask
        uint8 (z + 2, y + 2, x + 2), not 0 inside, with one empty sample on every side. Two sweeps give the exact
        city-block distance.
    in_plane
        Steps in the slice only.

    Returns
    -------
    numpy.ndarray
        uint8 where no distance can be larger, else uint16. A first sweep that looks one way only sees at most the longest side.
    """
    sides = mask.shape[1:] if in_plane else mask.shape
    out = np.zeros(mask.shape, np.uint8 if min(sides) < 255 else np.uint16)
    _distance(kernel_input(mask), out, in_plane)
    return out


def joined(parts: Sequence[Triples]) -> Triples:
    """Return the sum of sparse matrices, each entry once, in ascending order."""
    level, extent, count = (np.concatenate([part[k] for part in parts]) for k in range(3))
    if not len(level):
        return level, extent, count
    width = int(extent.max()) + 1
    keys, place = np.unique(level * width + extent, return_inverse=True)
    total = np.zeros(len(keys), np.int64)
    np.add.at(total, place, count)
    return keys // width, keys % width, total


def _counted(level: Counts, extent: Counts) -> Triples:
    return level, extent, np.ones(len(level), np.int64)
