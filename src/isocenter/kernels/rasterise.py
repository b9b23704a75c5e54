"""Polygons to masks by the pixel-centre rule.

A sample belongs to a region if its centre lies inside; a polygon within another is a hole (even-odd rule).
Edges are half open, so two regions that share an edge never share a sample and leave none out.

References
----------
J. D. Foley et al., Computer Graphics: Principles and Practice (scan conversion of polygons).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["fill_polygons"]


def fill_polygons(polygons: Iterable[npt.NDArray[np.float64]], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which samples of a plane lie inside polygons.

    Parameters
    ----------
    polygons
        Each of shape (n, 2): continuous (row, column) indices, whole numbers at sample centres; closed by
        joining the last point to the first. Fewer than three points enclose nothing.
    shape
        Rows and columns of the plane.

    Returns
    -------
    numpy.ndarray
        Bool, of that shape: True where a centre lies inside an odd number of polygons.
    """
    rows, columns = shape
    toggles = np.zeros((rows, columns + 1), dtype=np.uint8)
    for polygon in polygons:
        if len(polygon) >= 3:
            _toggle(np.asarray(polygon, dtype=np.float64), toggles)
    # A sample is inside where an odd number of boundaries was crossed on the way from the left.
    inside: npt.NDArray[np.bool_] = np.bitwise_xor.accumulate(toggles[:, :columns], axis=1).astype(bool)
    return inside


def _toggle(polygon: npt.NDArray[np.float64], toggles: npt.NDArray[np.uint8]) -> None:
    """Mark, on every row that an edge crosses, the first sample to the right of the crossing."""
    rows, columns = toggles.shape[0], toggles.shape[1] - 1
    start, end = polygon, np.roll(polygon, -1, axis=0)
    upper = np.minimum(start[:, 0], end[:, 0])
    lower = np.maximum(start[:, 0], end[:, 0])
    # Rows r with upper <= r < lower, inside the plane.
    first = np.clip(np.ceil(upper), 0, rows).astype(np.intp)
    last = np.clip(np.ceil(lower), 0, rows).astype(np.intp)
    counts = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(polygon)), counts)
    if not edge.size:
        return
    row = np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    share = (row - start[edge, 0]) / (end[edge, 0] - start[edge, 0])
    crossing = start[edge, 1] + share * (end[edge, 1] - start[edge, 1])
    column = np.clip(np.ceil(crossing), 0, columns).astype(np.intp)
    np.bitwise_xor.at(toggles, (row, column), np.uint8(1))
