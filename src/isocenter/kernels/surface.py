"""Outlines of masks and hulls of points, and what is measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError
from skimage.measure import find_contours

__all__ = ["hull", "hull_measure", "largest_distance", "outlines", "polygon_measure"]

FloatArray = npt.NDArray[np.float64]


def _outermost(points: FloatArray) -> FloatArray:
    """Return the points that may be farthest from others: the corners of the convex hull, all of them if flat."""
    if len(points) <= points.shape[1] + 1:
        return points
    try:
        return points[ConvexHull(points).vertices]
    except QhullError:  # all on one plane or line
        return points


def largest_distance(points: FloatArray, *, are_corners: bool = False) -> float:
    """Return the largest distance between any two of the points, shape (n, d); 0 for fewer than two.

    With `are_corners` they are those of a hull already, and none can be left out.
    """
    data = np.asarray(points, dtype=np.float64)
    outer = data if are_corners else _outermost(data)
    largest = 0.0
    block = max(1, (1 << 15) // max(len(outer), 1))  # tables of a quarter of a MB, however many corners
    for start in range(0, len(outer), block):
        square = np.zeros((min(block, len(outer) - start), len(outer) - start))
        for k in range(outer.shape[1]):
            away = outer[start : start + block, k, None] - outer[None, start:, k]
            square += away * away
        largest = max(largest, float(square.max()))
    return float(np.sqrt(largest))


def hull_measure(points: FloatArray) -> tuple[float, float]:
    """Return (volume, area) of the convex hull of points in space, (area, perimeter) in the plane; 0 where flat."""
    return hull(points)[:2]


def hull(points: FloatArray) -> tuple[float, float, FloatArray]:
    """Return what `hull_measure` does, and the corners of the hull (every point where they are flat)."""
    data = np.asarray(points, dtype=np.float64)
    try:
        found = ConvexHull(data)
    except (QhullError, ValueError):  # flat, or fewer points than a body has corners
        return 0.0, 0.0, data
    return float(found.volume), float(found.area), data[found.vertices]


def outlines(mask: npt.NDArray[np.bool_]) -> list[FloatArray]:
    """Return the closed outlines of a mask in the plane, in index units; beyond its edge is background.

    They join the middles of the marching-squares segments: those run in eight directions only and are 5 % too long
    on average, which joining their middles mostly undoes.
    """
    padded = np.pad(np.asarray(mask, dtype=np.float64), 1)
    found = find_contours(padded, 0.5, fully_connected="low")
    return [np.asarray((line[:-1] + line[1:]) / 2.0 - 1.0, dtype=np.float64) for line in found]


def polygon_measure(lines: Sequence[Any], step: FloatArray) -> float:
    """Return the length of closed outlines whose indices move by `step` (columns: mm per index, any dimension)."""
    total = 0.0
    for line in lines:
        points = line @ step.T
        total += float(np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1).sum())
    return total
