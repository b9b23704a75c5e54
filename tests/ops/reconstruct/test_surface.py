"""reconstruct.surface: a ball's volume and area, closed meshes of anything, the right way round."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, UnknownNameError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.reconstruct.surface import Surface
from isocenter.testing.contracts.inputs import grid


def ball(radius: float, spacing: tuple[float, float, float], mirrored: bool = False) -> LabelMap:
    shape = tuple(int(2 * radius / s) + 7 for s in spacing)
    geometry = grid(shape, spacing)
    geometry = geometry.flip(0) if mirrored else geometry
    middle = geometry.to_world((np.asarray(shape) - 1) / 2 + 0.13)
    place = geometry.to_world(np.moveaxis(np.indices(shape), 0, -1))
    inside = np.linalg.norm(place - middle, axis=-1) <= radius
    return LabelMap(inside.astype(np.uint8), ("z", "y", "x"), geometry, (Segment(1, "lesion"),))


@pytest.mark.parametrize("radius, spacing", [(20, (1, 1, 1)), (10, (1, 1, 1)), (20, (2.5, 1, 0.8)), (6, (0.8, 0.8, 0.8))])
@pytest.mark.parametrize("mirrored", [False, True])
def test_ball_within_one_percent(radius: float, spacing: tuple[float, float, float], mirrored: bool) -> None:
    mesh = Surface()(ball(radius, spacing, mirrored))
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    assert mesh.area == pytest.approx(4 * np.pi * radius**2, rel=0.04)
    assert mesh.is_closed
    a, b, c = (mesh.vertices[mesh.faces[:, k]] - mesh.vertices.mean(axis=0) for k in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0
    assert mesh.name == "lesion" and mesh.color is not None and mesh.frame == "1.2.3"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("smoothing", [0, 10])
def test_anything_is_closed(seed: int, smoothing: int) -> None:
    mask = np.random.default_rng(seed).random((9, 10, 11)) < 0.5
    mesh = Surface(smoothing=smoothing)(LabelMap(mask.astype(np.uint8), ("z", "y", "x"), grid(mask.shape)))
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    counts = np.unique(edges, axis=0, return_counts=True)[1]
    assert (counts % 2 == 0).all()
    assert mesh.is_closed


def test_one_segment_of_several() -> None:
    array = np.zeros((10, 10, 10), np.uint8)
    array[1:4, 1:4, 1:4], array[5:9, 5:9, 5:9] = 1, 2
    both = LabelMap(array, ("z", "y", "x"), Geometry.regular((10, 10, 10), 1.0), (Segment(1, "liver"), Segment(2, "lesion")))
    assert Surface(label="liver", smoothing=0)(both).volume < Surface(label=2, smoothing=0)(both).volume < 64.01
    assert Surface()(both).name == "surface"
    with pytest.raises(UnknownNameError, match="No segment"):
        Surface(label="spleen")(both)


def test_refusals_and_nothing() -> None:
    empty = ball(6, (1, 1, 1))
    assert len(Surface()(empty.replace(array=np.zeros_like(empty.array))).faces) == 0
    with pytest.raises(ContentError, match="no pixel size"):
        Surface()(LabelMap(np.ones((3, 3, 3), np.uint8), ("z", "y", "x"), Geometry.pixels((3, 3, 3))))
