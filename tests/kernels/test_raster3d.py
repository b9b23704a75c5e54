"""The z-buffer: coverage, depth, normals."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.kernels.raster3d import _fill_loop, rasterise, vertex_normals

TRIANGLE = np.array([[2.0, 2.0, 1.0], [12.0, 2.0, 1.0], [2.0, 12.0, 1.0]])
ONE = np.array([[0, 1, 2]])


def _up(count: int) -> np.ndarray:
    return np.tile([0.0, 0.0, -1.0], (count, 1))


def test_a_triangle_covers_its_pixels() -> None:
    depth, normal = rasterise(TRIANGLE, ONE, _up(3), (16, 16))
    rows, columns = np.mgrid[:16, :16]
    inside = (rows >= 2) & (columns >= 2) & (rows + columns <= 14)
    assert np.array_equal(np.isfinite(depth), inside)
    assert np.allclose(normal[inside], [0, 0, -1])


def test_depth_is_interpolated_and_the_nearest_wins() -> None:
    slope = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 10.0], [0.0, 10.0, 0.0]])
    flat = np.array([[0.0, 0.0, 4.5], [10.0, 0.0, 4.5], [0.0, 10.0, 4.5]])
    points = np.concatenate([slope, flat])
    depth, _ = rasterise(points, np.array([[0, 1, 2], [3, 4, 5]]), _up(6), (12, 12))
    assert depth[0, :11] == pytest.approx(np.minimum(np.arange(11.0), 4.5))
    again, _ = rasterise(points, np.array([[3, 4, 5], [0, 1, 2]]), _up(6), (12, 12))
    assert np.array_equal(depth, again)


def test_front_and_back_faces() -> None:
    # On screen rows grow downwards: this order runs clockwise to the viewer.
    seen = {front: np.isfinite(rasterise(TRIANGLE, ONE, _up(3), (16, 16), front)[0]).any() for front in (True, False, None)}
    assert seen == {True: False, False: True, None: True}
    assert np.isfinite(rasterise(TRIANGLE, ONE[:, ::-1], _up(3), (16, 16), True)[0]).any()


def test_what_is_outside_or_has_no_area_draws_nothing() -> None:
    points = np.array(
        [[-9.0, -9.0, 0.0], [-3.0, -9.0, 0.0], [-9.0, -3.0, 0.0], [1.0, 1.0, 0.0], [5.0, 5.0, 0.0], [9.0, 9.0, 0.0]]
    )
    depth, _ = rasterise(points, np.array([[0, 1, 2], [3, 4, 5]]), _up(6), (12, 12))
    assert not np.isfinite(depth).any()


def test_compiled_equals_plain() -> None:
    random = np.random.default_rng(0)
    points = random.uniform(-3, 25, (30, 3))
    faces, normals = random.integers(0, 30, (40, 3)), random.normal(size=(30, 3))
    depth, normal = rasterise(points, faces, normals, (20, 22))
    plain, plain_normal = np.full((20, 22), np.inf), np.zeros((20, 22, 3))
    _fill_loop(points, faces, normals, 0, plain, plain_normal)
    assert np.array_equal(np.isfinite(depth), np.isfinite(plain))
    np.testing.assert_allclose(depth, plain, rtol=1e-12)
    np.testing.assert_allclose(normal, plain_normal, atol=1e-9)


@pytest.mark.parametrize("rounds", [0, 3])
def test_normals_of_an_octahedron_point_outwards(rounds: int) -> None:
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0], [9, 9, 9]])
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    normals = vertex_normals(vertices, faces, rounds)
    np.testing.assert_allclose(normals[:6], vertices[:6], atol=1e-12)
    assert not normals[6].any()
