"""evaluate.surface: against the definition by brute force, in mm, with misses that score worst."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.evaluate.surface import Surface
from isocenter.testing.contracts.inputs import grid


def labels(mask: np.ndarray, geometry: Geometry) -> LabelMap:
    dims = ("z", "y", "x")[3 - mask.ndim :]
    return LabelMap(mask.astype(np.uint8), dims, geometry, (Segment(1, "lesion"),))


def blob(shape: tuple[int, ...], seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    return noise > np.quantile(noise, 0.75)


def edge(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask & ~ndimage.binary_erosion(mask))


def by_hand(one: np.ndarray, two: np.ndarray, geometry: Geometry, tolerance: float) -> dict[str, float]:
    a, b = geometry.to_world(edge(one)), geometry.to_world(edge(two))
    every = np.linalg.norm(a[:, None] - b[None], axis=-1)
    first, second = every.min(axis=1), every.min(axis=0)
    both = np.concatenate([first, second])
    return {
        "hausdorff": both.max(),
        "hausdorff_95": max(np.percentile(first, 95), np.percentile(second, 95)),
        "assd": both.mean(),
        "surface_dice": (both <= tolerance + 1e-6).mean(),
    }


def sheared(shape: tuple[int, ...]) -> Geometry:
    affine = grid(shape, (2.5, 1.2, 0.8)).affine.copy()
    affine[1, 0] += 0.9
    return Geometry(shape, affine)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("where", ["cubes", "slabs", "sheared", "plane"])
@pytest.mark.parametrize("tolerance", [0.0, 1.2, 2.5])
def test_equals_the_definition(seed: int, where: str, tolerance: float) -> None:
    shape = (11, 14) if where == "plane" else (7, 9, 11)
    geometry = {
        "cubes": lambda: grid(shape, (1.0, 1.0, 1.0)),
        "slabs": lambda: grid(shape, (2.5, 1.2, 0.8)),
        "sheared": lambda: sheared(shape),
        "plane": lambda: grid(shape, (0.6, 1.7)),
    }[where]()
    one, two = blob(shape, seed), blob(shape, seed + 100)
    scores = Surface(tolerance=tolerance)(labels(one, geometry), labels(two, geometry))
    assert {k: float(v) for k, v in scores.items()} == pytest.approx(by_hand(one, two, geometry, tolerance), rel=1e-5)
    assert scores["assd"].unit == "mm" and scores["surface_dice"].unit == "1"


def test_a_miss_scores_the_diagonal_of_the_image() -> None:
    geometry = Geometry.regular((10, 20, 30), (3.0, 1.0, 0.5))
    mask = np.zeros(geometry.shape, bool)
    mask[2:5, 3:8, 4:9] = True
    empty = np.zeros_like(mask)
    for one, two in ((mask, empty), (empty, mask)):
        scores = Surface()(labels(one, geometry), labels(two, geometry))
        assert float(scores["hausdorff_95"]) == pytest.approx(np.sqrt(30.0**2 + 20.0**2 + 15.0**2))
        assert float(scores["surface_dice"]) == 0.0
    nothing = Surface()(labels(empty, geometry), labels(empty, geometry))
    assert [float(v) for v in nothing.values()] == [0.0, 0.0, 0.0, 1.0]


def test_shift_by_one_slab_is_its_thickness() -> None:
    geometry = Geometry.regular((12, 20, 20), (5.0, 1.0, 1.0))
    mask = np.zeros(geometry.shape, bool)
    mask[3:7, 5:15, 5:15] = True
    scores = Surface(tolerance=5.0)(labels(np.roll(mask, 1, axis=0), geometry), labels(mask, geometry))
    assert float(scores["hausdorff"]) == pytest.approx(5.0)
    assert float(scores["surface_dice"]) == 1.0


def test_pixels_have_no_mm() -> None:
    mask = labels(np.ones((4, 4), bool), Geometry.pixels((4, 4)))
    with pytest.raises(ContentError, match="no pixel size"):
        Surface()(mask, mask)
