"""segment.superpixels: connected patches of one size in mm that keep to edges."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.kernels.labels import components
from isocenter.ops.segment.superpixels import Superpixels
from tests.ops.segment.seeded import ball


def test_patches_are_connected_numbered_and_keep_to_the_edge() -> None:
    image, truth = ball(15.0)
    found = np.asarray(Superpixels(count=150)(image).array)
    assert 100 <= found.max() <= 200
    assert set(np.unique(found)) == set(range(1, found.max() + 1))
    for label in range(1, found.max() + 1):
        assert components(found == label, 6)[1] == 1
    inside = np.bincount(found.ravel(), weights=truth.ravel())
    size = np.bincount(found.ravel())
    assert np.maximum(inside, size - inside).sum() > 0.985 * truth.size, "hardly any patch lies across the edge"


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (4.0, 1.0)])
def test_patches_are_as_wide_along_every_axis_in_mm(spacing: tuple[float, float]) -> None:
    shape = (int(120 / spacing[0]), 120)
    values = np.random.default_rng(0).normal(0, 1e-3, shape).astype(np.float32)
    found = np.asarray(
        Superpixels(count=36, compactness=100.0)(Image(values, ("y", "x"), Geometry.regular(shape, spacing))).array
    )
    for label in range(1, found.max() + 1):
        place = np.argwhere(found == label)
        extent = (np.ptp(place, axis=0) + 1) * spacing
        assert 0.6 < extent[0] / extent[1] < 1.7


def test_a_region_is_divided_alone() -> None:
    image, truth = ball(5.0)
    found = np.asarray(Superpixels(count=20)(image, LabelMap(truth.astype(np.uint8), image.dims, image.geometry)).array)
    assert np.array_equal(found > 0, truth)
    assert set(np.unique(found[truth])) == set(range(1, found.max() + 1))
