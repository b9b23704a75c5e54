"""segment.watershed: the flood of a peer, objects parted at their waist, and every sample in a basin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed as peer

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.flooding import levels_of, watershed
from isocenter.ops.segment.watershed import Watershed


@pytest.mark.parametrize("shape", [(60,), (40, 50), (20, 30, 25)])
@pytest.mark.parametrize("masked", [False, True])
def test_floods_like_a_peer_where_values_differ(shape: tuple[int, ...], masked: bool) -> None:
    rng = np.random.default_rng(0)
    values: Any = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5).astype(np.float32)
    markers = np.zeros(shape, np.int32)
    markers.ravel()[rng.choice(markers.size, 9, replace=False)] = np.arange(1, 10)
    mask = rng.random(shape) < 0.9 if masked else None
    assert np.array_equal(watershed(values, markers, mask), peer(values, markers, mask=mask))


def test_plateaus_are_shared_in_the_order_they_are_reached() -> None:
    markers = np.array([1, 0, 0, 0, 0, 2])
    assert watershed(np.zeros(6, np.uint8), markers).tolist() == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float64])
def test_levels_are_ranks(kind: type) -> None:
    values: Any = np.array([[3, 1], [1, 7]], kind)
    levels, count = levels_of(values)
    order = np.unique(values)
    assert count >= order.size
    assert np.array_equal(np.argsort(levels, kind="stable"), np.argsort(values.ravel(), kind="stable"))
    assert (levels[1] == levels[2]) and levels.max() < count


def balls() -> tuple[Image, np.ndarray]:
    z, y, x = np.indices((12, 40, 60))
    centers = ((6, 20, 15, 9), (6, 20, 30, 9), (6, 20, 48, 7))
    near = np.stack([np.sqrt((2 * (z - c[0])) ** 2 + (y - c[1]) ** 2 + (x - c[2]) ** 2) - c[3] for c in centers])
    truth = np.where(near.min(axis=0) < 0, near.argmin(axis=0) + 1, 0)
    values = 100.0 * (truth > 0) + np.random.default_rng(0).normal(0, 5, truth.shape)
    return Image(values.astype(np.float32), ("z", "y", "x"), Geometry.regular(truth.shape, (2.0, 1.0, 1.0))), truth


def test_balls_that_touch_are_parted_at_their_waist() -> None:
    image, truth = balls()
    found = np.asarray(Watershed()(image).array)
    assert found.max() == 3
    for label in (1, 2, 3):
        own = truth == label
        best = np.bincount(found[own]).argmax()
        assert ((found == best) & own).sum() > 0.97 * max(own.sum(), (found == best).sum())
    assert Watershed(depth=8.0)(image).array.max() == 2, "a waist of less than 8 mm does not part them"


def test_basins_cover_everything() -> None:
    image, truth = balls()
    found = np.asarray(Watershed(markers="gradient", sigma=1.5, share=0.2)(image).array)
    assert (found > 0).all()
    best = np.zeros(found.shape, bool)
    for label in range(1, int(found.max()) + 1):
        best |= (found == label) if (truth[found == label] > 0).mean() > 0.5 else False
    assert 2 * (best & (truth > 0)).sum() / (best.sum() + (truth > 0).sum()) > 0.9
