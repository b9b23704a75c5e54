"""Triangles to pixels: a z-buffer with interpolated normals.

One thread and a fixed order of triangles, so that equal meshes give equal pictures everywhere.

References
----------
Pineda, A parallel algorithm for polygon rasterization, SIGGRAPH 1988 (edge functions).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["rasterise", "vertex_normals"]

FloatArray = npt.NDArray[np.float64]


def vertex_normals(vertices: FloatArray, faces: npt.NDArray[np.int64], rounds: int = 0) -> FloatArray:
    """Return unit normals at the vertices: the mean of the adjoining faces, weighted by area.

    Parameters
    ----------
    vertices
        Shape (n, 3).
    faces
        Shape (m, 3), counter-clockwise seen from outside.
    rounds
        How many times every normal is replaced by the mean of those of the adjoining faces' corners.

    Returns
    -------
    numpy.ndarray
        Shape (n, 3); a vertex without faces of any area gets zeros.
    """
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    result = _gathered(normals, faces, len(vertices))
    for _ in range(rounds):
        result = _gathered(result[faces].sum(axis=1), faces, len(vertices))
    return result


def _gathered(values: FloatArray, faces: npt.NDArray[np.int64], count: int) -> FloatArray:
    """Return the unit vectors of the sums, at every vertex, of the vectors of its faces."""
    flat = faces.reshape(-1)
    total = np.stack([np.bincount(flat, np.repeat(values[:, k], 3), minlength=count) for k in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    result: FloatArray = np.divide(total, length, out=np.zeros_like(total), where=length > 1e-12)
    return result


def rasterise(
    points: FloatArray,
    faces: npt.NDArray[np.int64],
    normals: FloatArray,
    shape: tuple[int, int],
    front: bool | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Draw triangles into a z-buffer.

    Parameters
    ----------
    points
        Shape (n, 3): column and row in pixels (whole numbers are pixel centres), and depth, growing away
        from the viewer.
    faces
        Shape (m, 3).
    normals
        Shape (n, 3): attributes that are interpolated, usually unit normals.
    shape
        Rows and columns.
    front
        Draw only the faces whose projection runs counter-clockwise on screen (True), only the others (False), or
        all (None).

    Returns
    -------
    depth, normal
        Shape (rows, columns) with infinity where there is nothing, and (rows, columns, 3).
    """
    depth = np.full(shape, np.inf)
    normal = np.zeros((*shape, 3))
    which = 0 if front is None else 1 if front else -1
    _fill(
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(faces, np.int64),
        np.ascontiguousarray(normals, np.float64),
        which,
        depth,
        normal,
    )
    return depth, normal


def _fill_loop(points: Any, faces: Any, normals: Any, which: int, depth: Any, normal: Any) -> None:
    rows, columns = depth.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        twice = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        # Rows grow downwards, so counter-clockwise on screen has a negative area here.
        if twice == 0.0 or (which == 1 and twice > 0.0) or (which == -1 and twice < 0.0):
            continue
        left = max(0, int(np.ceil(min(ax, min(bx, cx)))))
        right = min(columns - 1, int(np.floor(max(ax, max(bx, cx)))))
        top = max(0, int(np.ceil(min(ay, min(by, cy)))))
        bottom = min(rows - 1, int(np.floor(max(ay, max(by, cy)))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / twice
                wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / twice
                wc = 1.0 - wa - wb
                if wa < -1e-12 or wb < -1e-12 or wc < -1e-12:
                    continue
                z = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    for k in range(3):
                        normal[y, x, k] = wa * normals[a, k] + wb * normals[b, k] + wc * normals[c, k]


_fill: Any = numba.njit(cache=True, nogil=True)(_fill_loop)
