"""Surfaces of masks: in the middle between samples, closed for any mask."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.kernels.mesh import mask_surface, smooth_vertices


def test_one_sample_is_an_octahedron_half_a_sample_out() -> None:
    mask = np.zeros((5, 6, 7), bool)
    mask[2, 3, 4] = True
    vertices, faces = mask_surface(mask)
    assert len(vertices) == 6 and len(faces) == 8
    np.testing.assert_allclose(np.abs(vertices - (2, 3, 4)).sum(axis=1), 0.5)
    a, b, c = (vertices[faces[:, k]] - (2, 3, 4) for k in range(3))
    assert (np.einsum("ij,ij->i", a, np.cross(b, c)) > 0).all()


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_every_edge_joins_two_faces(level: float) -> None:
    _, faces = mask_surface(np.random.default_rng(3).random((12, 11, 10)) < level)
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_nothing() -> None:
    vertices, faces = mask_surface(np.zeros((3, 3, 3), bool))
    assert vertices.shape == (0, 3) and faces.shape == (0, 3)
    assert smooth_vertices(vertices, faces, 5, (1.0, 1.0, 1.0)).shape == (0, 3)


def test_smoothing_is_even_in_mm() -> None:
    mask = np.zeros((9, 17, 9), bool)
    z, y, x = np.ogrid[:9, :17, :9]
    mask[((z - 4) ** 2 + ((y - 8) / 2) ** 2 + (x - 4) ** 2) <= 9.5] = True
    vertices, faces = mask_surface(mask)
    place = smooth_vertices(vertices, faces, 10, (1.0, 0.5, 1.0)) * (1.0, 0.5, 1.0)
    radius = np.linalg.norm(place - place.mean(axis=0), axis=1)
    assert radius.std() / radius.mean() < 0.05
