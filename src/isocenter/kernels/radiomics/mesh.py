"""Area and volume inside the marching-cubes surface of a mask, summed cell by cell without building the mesh.

A cell of eight samples has one of 256 patterns, and its triangles depend on the pattern alone; so do their area, the
volume they add (divergence theorem) and the vector sum of their areas. A pass that looks patterns up replaces the mesh.

References
----------
Lewiner et al., Efficient implementation of marching cubes' cases with topological guarantees, Journal of Graphics
Tools 8 (2003); IBSI reference manual v11, section 3.1 (RNU0, C0JK).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from skimage.measure import marching_cubes

from isocenter.kernels.threads import kernel_input

__all__ = ["mesh_measures"]

FloatArray = npt.NDArray[np.float64]


@lru_cache(maxsize=1)
def _triangles() -> tuple[FloatArray, ...]:
    """Return the triangles of every pattern, shape (n, 3, 3) in index units of the cell; corner (z, y, x) is bit 4z + 2y + x."""
    found = [np.zeros((0, 3, 3))]
    for pattern in range(1, 255):
        cell = np.array([pattern >> bit & 1 for bit in range(8)], np.float32).reshape(2, 2, 2)
        vertices, faces, _, _ = marching_cubes(cell, level=0.5)
        found.append(np.asarray(vertices, np.float64)[faces])
    return (*found, np.zeros((0, 3, 3)))


@lru_cache(maxsize=64)
def _table(step: tuple[float, ...]) -> FloatArray:
    """Return area, volume about the cell's first corner, and area vector of each pattern; `step` is a 3 x 3 matrix."""
    matrix = np.array(step).reshape(3, 3)
    table = np.zeros((256, 5))
    for pattern, triangles in enumerate(_triangles()):
        corners = triangles @ matrix.T
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2.0
        table[pattern, 0] = np.linalg.norm(normal, axis=1).sum()
        table[pattern, 1] = np.einsum("ij,ij->", corners.mean(axis=1), normal) / 3.0
        table[pattern, 2:] = normal.sum(axis=0)
    return table


@njit(cache=True, nogil=True)
def _patterns(mask: npt.NDArray[np.uint8], counts: Any, places: Any) -> None:  # pragma: no cover - compiled
    """Count the patterns of all cells of a padded mask, and sum the positions of each pattern's cells."""
    depth, height, width = mask.shape
    for z in range(depth - 1):
        for y in range(height - 1):
            before = (
                (mask[z, y, 0] != 0)
                | (mask[z, y + 1, 0] != 0) << 2
                | (mask[z + 1, y, 0] != 0) << 4
                | (mask[z + 1, y + 1, 0] != 0) << 6
            )
            for x in range(width - 1):
                after = (
                    (mask[z, y, x + 1] != 0)
                    | (mask[z, y + 1, x + 1] != 0) << 2
                    | (mask[z + 1, y, x + 1] != 0) << 4
                    | (mask[z + 1, y + 1, x + 1] != 0) << 6
                )
                pattern = before | after << 1
                before = after
                if pattern != 0 and pattern != 255:
                    counts[pattern] += 1
                    places[pattern, 0] += z
                    places[pattern, 1] += y
                    places[pattern, 2] += x


def mesh_measures(mask: npt.NDArray[np.uint8], step: FloatArray) -> tuple[float, float]:
    """Return area and volume of the surface halfway between the samples of a region and those around it.

    Parameters
    ----------
    mask
        uint8, not 0 inside, with one empty sample on every side.
    step
        Shape (3, 3): column k is the step in mm along array axis k.
    """
    counts, places = np.zeros(256, np.int64), np.zeros((256, 3), np.int64)
    _patterns(kernel_input(mask), counts, places)
    table = _table(tuple(float(v) for v in np.asarray(step).ravel()))
    area = float(counts @ table[:, 0])
    volume = float(counts @ table[:, 1]) + float(np.einsum("pk,pk->", places @ np.asarray(step).T, table[:, 2:])) / 3.0
    return area, abs(volume)
