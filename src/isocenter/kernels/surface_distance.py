"""Distances in mm between the boundaries of two masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from isocenter.core.geometry import Geometry
from isocenter.kernels.labels import boundary, bounding_box, distance_to

__all__ = ["boundary_distances"]

Distances = npt.NDArray[np.float64]


def boundary_distances(
    first: npt.ArrayLike, second: npt.ArrayLike, geometry: Geometry, threads: int = 1
) -> tuple[Distances, Distances]:
    """Return the distance in mm from every boundary sample of one mask to the nearest one of the other.

    Parameters
    ----------
    first, second
        Bool masks on `geometry`, both not empty.
    geometry
        Their grid; where its axes do not meet at right angles, distances are taken between points in the world.
    threads
        Threads to use; the result does not depend on it.

    Returns
    -------
    from_first, from_second : numpy.ndarray
        In array order of the boundary samples of each.
    """
    one, two = np.asarray(first, dtype=np.bool_), np.asarray(second, dtype=np.bool_)
    around_one, around_two = bounding_box(one), bounding_box(two)
    assert around_one is not None and around_two is not None  # the caller leaves empty masks out
    box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(around_one, around_two, strict=True))
    # The nearest boundary sample lies in the common box, and what lies outside the box is outside both masks.
    edge_one, edge_two = boundary(one[box]), boundary(two[box])
    if geometry.is_orthogonal:
        to_two = distance_to(edge_two, geometry.spacing, threads)[edge_one]
        to_one = distance_to(edge_one, geometry.spacing, threads)[edge_two]
        return to_two.astype(np.float64), to_one.astype(np.float64)
    place_one, place_two = (geometry.to_world(np.argwhere(edge)) for edge in (edge_one, edge_two))
    from_one = np.asarray(cKDTree(place_two).query(place_one, workers=threads)[0], dtype=np.float64)
    from_two = np.asarray(cKDTree(place_one).query(place_two, workers=threads)[0], dtype=np.float64)
    return from_one, from_two
