"""features.objects: counts, sizes and neighbours of discs in known places."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.features.objects import Objects


def test_squares() -> None:
    mask = np.zeros((40, 60), np.uint8)
    for y, x, side in ((2, 2, 4), (2, 20, 4), (30, 50, 8)):
        mask[y : y + side, x : x + side] = 1
    mask[20, 20] = 1
    grid = Geometry.regular(mask.shape, (0.5, 0.5))
    image, region = Image(np.zeros(mask.shape), ("y", "x"), grid), LabelMap(mask, ("y", "x"), grid)
    every, large = Objects()(image, region), Objects(minimum=2)(image, region)
    assert every["object_count"] == 4 and large["object_count"] == 3
    assert large["object_size_mean"] == pytest.approx(96 * 0.25 / 3) and large["object_size_most"] == 16.0
    assert large["neighbour_distance_least"] == pytest.approx(9.0)
    assert every["object_size_least"] == 0.25


def test_neighbourhoods_and_no_objects() -> None:
    mask = np.eye(5, dtype=np.uint8)
    grid = Geometry.pixels((5, 5))
    image = Image(np.zeros((5, 5)), ("y", "x"), grid)
    assert Objects()(image, LabelMap(mask, ("y", "x"), grid))["object_count"] == 1
    assert Objects(connectivity=6)(image, LabelMap(mask, ("y", "x"), grid))["object_count"] == 5
    assert Objects(minimum=9)(image, LabelMap(mask, ("y", "x"), grid))["object_count"] == 0
