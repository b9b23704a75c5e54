"""Grey-level zones: connected samples of one level, by size (GLSZM) and by distance from the border (GLDZM).

References
----------
IBSI reference manual v11, sections 3.8 (9SAK) and 3.9 (VMDZ); Thibault et al. 2009, 2014.
"""

from __future__ import annotations

import cc3d
import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.texture.emphasis import Triples

__all__ = ["border_distance", "distance_triples", "size_triples", "zones"]

Zones = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def zones(levels: npt.NDArray[np.int32], mask: npt.NDArray[np.bool_], in_plane: bool) -> Zones:
    """Return level, size and border distance of every zone.

    Parameters
    ----------
    levels
        Discretised region (see the package).
    mask
        The region whose border distances are measured from (the morphological one, which may be larger).
    in_plane
        Zones of 8-connected samples in one slice of shape (1, y, x), else 26-connected in space.

    Returns
    -------
    tuple of numpy.ndarray
        int64, shape (zones,) each.
    """
    if in_plane:
        labels = cc3d.connected_components(np.ascontiguousarray(levels[0]), connectivity=8)[None]
    else:
        labels = cc3d.connected_components(np.ascontiguousarray(levels), connectivity=26)
    distance = border_distance(mask, in_plane)
    return _gather(np.ascontiguousarray(labels).astype(np.int32), levels, distance, int(labels.max()))


@njit(cache=True, nogil=True)
def _gather(
    labels: npt.NDArray[np.int32], levels: npt.NDArray[np.int32], distance: npt.NDArray[np.int32], count: int
) -> Zones:  # pragma: no cover
    level = np.zeros(count, np.int64)
    size = np.zeros(count, np.int64)
    near = np.full(count, 1 << 40, np.int64)
    flat, values, steps = labels.ravel(), levels.ravel(), distance.ravel()
    for k in range(len(flat)):
        zone = flat[k]
        if zone > 0:
            level[zone - 1] = values[k]
            size[zone - 1] += 1
            if steps[k] < near[zone - 1]:
                near[zone - 1] = steps[k]
    return level, size, near


@njit(cache=True, nogil=True)
def border_distance(mask: npt.NDArray[np.bool_], in_plane: bool) -> npt.NDArray[np.int32]:  # pragma: no cover
    """Return how many face-to-face steps each sample of a region is from outside it; 1 at the border.

    The edge of the array counts as outside. Two sweeps give the exact city-block distance.
    """
    depth, height, width = mask.shape
    far = np.int32(1 << 29)
    out = np.zeros(mask.shape, np.int32)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if not mask[z, y, x]:
                    continue
                best = out[z, y, x - 1] if x else 0
                best = min(best, out[z, y - 1, x] if y else 0)
                if not in_plane:
                    best = min(best, out[z - 1, y, x] if z else 0)
                out[z, y, x] = min(far, best + 1)
    for z in range(depth - 1, -1, -1):
        for y in range(height - 1, -1, -1):
            for x in range(width - 1, -1, -1):
                if not mask[z, y, x]:
                    continue
                best = out[z, y, x + 1] if x + 1 < width else 0
                best = min(best, out[z, y + 1, x] if y + 1 < height else 0)
                if not in_plane:
                    best = min(best, out[z + 1, y, x] if z + 1 < depth else 0)
                out[z, y, x] = min(out[z, y, x], best + 1)
    return out


def size_triples(found: Zones) -> Triples:
    """Return the size-zone matrix as (level, size, count)."""
    return _counted(found[0], found[1])


def distance_triples(found: Zones) -> Triples:
    """Return the distance-zone matrix as (level, distance, count)."""
    return _counted(found[0], found[2])


def _counted(level: npt.NDArray[np.int64], extent: npt.NDArray[np.int64]) -> Triples:
    if not len(level):
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    width = int(extent.max()) + 1
    keys, counts = np.unique(level * width + extent, return_counts=True)
    return keys // width, keys % width, counts.astype(np.int64)
