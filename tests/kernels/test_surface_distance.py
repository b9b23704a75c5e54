"""Boundary distances: both ways of finding them agree, and the common box is enough."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.kernels.surface_distance import boundary_distances


def masks() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    one, two = np.zeros((2, 14, 16, 18), bool)
    one[3:9, 4:11, 5:12] = rng.random((6, 7, 7)) < 0.7
    two[4:10, 3:9, 6:15] = rng.random((6, 6, 9)) < 0.7
    return one, two


@pytest.mark.parametrize("threads", [1, 2])
def test_transform_and_tree_agree(threads: int) -> None:
    one, two = masks()
    grid = Geometry.regular(one.shape, (2.5, 1.0, 0.7))
    affine = grid.affine.copy()
    affine[1, 0] = 2e-3  # sheared by less than matters, by more than the fast way takes
    nearly = Geometry(grid.shape, affine)
    assert grid.is_orthogonal and not nearly.is_orthogonal
    fast, slow = boundary_distances(one, two, grid, threads), boundary_distances(one, two, nearly, threads)
    for a, b in zip(fast, slow, strict=True):
        np.testing.assert_allclose(a, b, atol=0.02)


def test_far_apart() -> None:
    one, two = np.zeros((2, 3, 40), bool)
    one[1, 2], two[1, 37] = True, True
    first, second = boundary_distances(one, two, Geometry.regular((3, 40), (1.0, 2.0)))
    assert first.tolist() == second.tolist() == [70.0]
