"""evaluate.boundary_iou: rims by brute force, and an outline that overlap alone hardly sees."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.evaluate.boundary_iou import BoundaryIou
from isocenter.ops.evaluate.dice import Dice


def labels(mask: np.ndarray, geometry: Geometry) -> LabelMap:
    return LabelMap(mask.astype(np.uint8), ("z", "y", "x")[3 - mask.ndim :], geometry, (Segment(1, "lesion"),))


def rim(mask: np.ndarray, spacing: tuple[float, ...], width: float) -> np.ndarray:
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[(slice(1, -1),) * mask.ndim]
    return mask & (depth <= width * (1 + 1e-5))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width", [1.0, 2.5, 6.0])
def test_equals_the_definition_at_the_border_too(seed: int, width: float) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((2, 9, 14, 13)), (0, 2, 2, 2))
    one, two = noise > 0
    spacing = (1.0, 0.75, 1.5)
    a, b = rim(one, spacing, width), rim(two, spacing, width)
    geometry = Geometry.regular(one.shape, spacing)
    score = BoundaryIou(width=width)(labels(one, geometry), labels(two, geometry))["boundary_iou"]
    assert float(score) == pytest.approx((a & b).sum() / (a | b).sum(), abs=1e-12)


def test_a_large_object_one_sample_off_shows() -> None:
    y, x = np.indices((200, 200))
    geometry = Geometry.regular((200, 200), (1.0, 1.0))
    one, two = (np.hypot(y - 100, x - 100) < r for r in (80, 77))
    pair = (labels(one, geometry), labels(two, geometry))
    assert float(Dice()(*pair)["dice"]) > 0.95
    assert float(BoundaryIou(width=3.0)(*pair)["boundary_iou"]) < 0.1


@pytest.mark.parametrize("width", [0.01, 100.0])
def test_the_thinnest_and_the_widest_rim_are_defined(width: float) -> None:
    mask = np.zeros((9, 9), bool)
    mask[3:7, 3:7] = True
    geometry = Geometry.regular((9, 9), (2.0, 3.0))
    assert float(BoundaryIou(width=width)(labels(mask, geometry), labels(mask, geometry))["boundary_iou"]) == 1.0
