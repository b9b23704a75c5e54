"""Outlines of labelled objects as polygons along the borders of samples, and objects that were found twice.

References
----------
Rosenfeld, Kak, Digital Picture Processing, Academic Press 1982, section 11.2 (border and crack following).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import ndimage
from scipy.spatial import cKDTree

__all__ = ["Outlined", "outlined", "repeated"]

#: Steps (row, column) of the headings east, south, west, north.
_STEPS = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]], np.int64)


@dataclass(frozen=True)
class Outlined:
    """One object.

    Attributes
    ----------
    label
        Its value.
    center
        (row, column) of its centre of mass, in samples.
    area
        Samples.
    corners
        Shape (n, 2): (row, column) of the corners of its outline, clockwise, not closed; corner (r, c) lies half a sample before
        the centre of sample (r, c). Of the piece that comes first, where an object has several; holes are not outlined.
    """

    label: int
    center: tuple[float, float]
    area: int
    corners: npt.NDArray[np.int64]


@njit(cache=True)
def _trace(inside: npt.NDArray[np.bool_], row: int, column: int, out: npt.NDArray[np.int64]) -> int:
    """Follow the cracks around the object with sample (row, column) at the top left; return the number of corners."""
    height, width = inside.shape
    r, c, heading, count = row, column, 0, 0
    while True:
        out[count, 0], out[count, 1] = r, c
        count += 1
        while True:  # go straight on
            r, c = r + _STEPS[heading, 0], c + _STEPS[heading, 1]
            if heading == 0:
                right_r, right_c, left_r, left_c = r, c, r - 1, c
            elif heading == 1:
                right_r, right_c, left_r, left_c = r, c - 1, r, c
            elif heading == 2:
                right_r, right_c, left_r, left_c = r - 1, c - 1, r, c - 1
            else:
                right_r, right_c, left_r, left_c = r - 1, c, r - 1, c - 1
            right = 0 <= right_r < height and 0 <= right_c < width and inside[right_r, right_c]
            left = 0 <= left_r < height and 0 <= left_c < width and inside[left_r, left_c]
            if not right:
                heading = (heading + 1) % 4
                break
            if left:
                heading = (heading + 3) % 4
                break
        if r == row and c == column and heading == 0:
            return count


def outlined(labels: npt.NDArray[Any]) -> list[Outlined]:
    """Return every object of a labelled picture, in the order of its label.

    Parameters
    ----------
    labels
        Shape (rows, columns), whole numbers; 0 is the ground.
    """
    found = []
    for k, box in enumerate(ndimage.find_objects(np.asarray(labels, dtype=np.int64))):
        if box is None:
            continue
        inside = np.ascontiguousarray(labels[box] == k + 1)
        rows, columns = np.nonzero(inside)
        corners = np.empty((2 * (inside.shape[0] + 1) * (inside.shape[1] + 1), 2), np.int64)
        count = _trace(inside, int(rows[0]), int(columns[0]), corners)
        start = (box[0].start, box[1].start)
        center = (float(rows.mean()) + start[0], float(columns.mean()) + start[1])
        found.append(Outlined(k + 1, center, len(rows), corners[:count] + np.asarray(start, np.int64)))
    return found


def repeated(centers: npt.NDArray[np.float64], areas: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which objects are one that came before, found again: centres nearer than half the radius of the smaller.

    Parameters
    ----------
    centers
        Shape (n, 2).
    areas
        Shape (n,), in the square of the unit of `centers`.
    """
    gone = np.zeros(len(centers), np.bool_)
    if len(centers) < 2:
        return gone
    radius = np.sqrt(np.asarray(areas) / np.pi)
    pairs = cKDTree(centers).query_pairs(float(radius.max()) / 2, output_type="ndarray")
    for first, second in sorted((min(a, b), max(a, b)) for a, b in pairs.tolist()):
        apart = float(np.hypot(*(centers[first] - centers[second])))
        if not gone[first] and apart < min(radius[first], radius[second]) / 2:
            gone[second] = True
    return gone
