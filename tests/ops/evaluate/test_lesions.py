"""evaluate.lesions: misses make every mean worse, pairs are one to one, and instances that touch stay apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.kernels.objects import match_objects
from isocenter.ops.evaluate.lesions import Lesions
from isocenter.ops.evaluate.surface import Surface

GRID = Geometry.regular((20, 60, 60), (2.0, 1.0, 1.0))


def labels(array: np.ndarray, geometry: Geometry = GRID) -> LabelMap:
    rows = tuple(Segment(int(v), f"lesion {v}") for v in np.unique(array) if v)
    return LabelMap(array.astype(np.uint16), ("z", "y", "x")[3 - array.ndim :], geometry, rows)


def ten(found: range, shift: int = 1) -> np.ndarray:
    """Return ten lesions (two rows of five) of which only those in `found` are there, each `shift` samples off."""
    mask = np.zeros(GRID.shape, np.uint8)
    for k in found:
        y, x = 8 + 30 * (k // 5), 3 + 11 * (k % 5)
        mask[6:12, y : y + 8, x + shift : x + 7 + shift] = 1
    return mask


def test_the_mean_over_ten_lesions_rises_with_every_one_that_is_missed() -> None:
    truth = labels(ten(range(10), 0))
    rows = [Lesions()(labels(ten(range(10 - missed))), truth) for missed in (0, 1, 5, 9, 10)]
    for name in ("lesion_hausdorff_95", "lesion_assd"):
        values = [float(r[name]) for r in rows]
        assert all(a < b for a, b in pairwise(values)), values
        assert values[0] <= 1.0 + 1e-6
        assert values[-1] == pytest.approx(GRID.diagonal)
    for name in ("lesion_dice", "lesion_sensitivity", "lesion_f1", "panoptic_quality", "recognition_quality"):
        values = [float(r[name]) for r in rows]
        assert all(a > b for a, b in pairwise(values)), (name, values)
        assert values[-1] == 0.0
    one = float(Lesions()(labels(ten(range(1))), labels(ten(range(1), 0)))["lesion_hausdorff_95"])
    assert float(rows[2]["lesion_hausdorff_95"]) == pytest.approx((5 * one + 5 * GRID.diagonal) / 10)


def test_false_alarms_count_like_misses() -> None:
    truth, more = labels(ten(range(5), 0)), labels(ten(range(10), 0))
    scores = Lesions()(more, truth)
    assert float(scores["lesion_sensitivity"]) == 1.0
    assert float(scores["lesion_precision"]) == 0.5
    assert float(scores["lesion_dice"]) == 0.5
    assert float(scores["lesion_assd"]) == pytest.approx(GRID.diagonal / 2)
    assert scores.provenance.steps[-1].notes == ("evaluate.lesions: 5 of 5 objects were found, 0 missed, 5 found where none is.",)


def test_one_lesion_equals_the_surface_metric() -> None:
    one, two = labels(ten(range(1))), labels(ten(range(1), 0))
    each, whole = Lesions()(one, two), Surface()(one, two)
    assert float(each["lesion_hausdorff_95"]) == pytest.approx(float(whole["hausdorff_95"]))
    assert float(each["lesion_assd"]) == pytest.approx(float(whole["assd"]))


def test_panoptic_quality_by_hand_and_instances_that_touch() -> None:
    truth, found = np.zeros((10, 12), int), np.zeros((10, 12), int)
    truth[1:5, 1:5], truth[1:5, 5:9] = 1, 2  # two that touch
    found[1:5, 1:5], found[1:5, 5:8] = 7, 9  # overlaps 1 and 3/4
    found[7:9, 1:3] = 4  # and a false alarm
    geometry = Geometry.regular(truth.shape, (1.0, 1.0))
    scores = Lesions(objects="labels")(labels(found, geometry), labels(truth, geometry))
    assert float(scores["segmentation_quality"]) == pytest.approx((1 + 0.75) / 2)
    assert float(scores["recognition_quality"]) == pytest.approx(2 * 2 / 5)
    assert float(scores["panoptic_quality"]) == pytest.approx(0.8 * 0.875)
    joined = Lesions()(labels(found, geometry), labels(truth, geometry))
    assert joined["lesion_sensitivity"].n == 1, "as components the two are one"


def test_pairs_are_one_to_one_and_the_best_in_sum() -> None:
    first, second = np.zeros((1, 40), int), np.zeros((1, 40), int)
    first[0, 0:10], first[0, 10:20] = 1, 2
    second[0, 4:14], second[0, 14:30] = 1, 2
    found = match_objects(first, second, 0.0)
    assert found.pairs.tolist() == [[1, 1], [2, 2]]
    assert found.overlaps == pytest.approx([6 / 14, 6 / 20])
    assert match_objects(first, second, 0.4).pairs.tolist() == [[1, 1]]
    empty = match_objects(np.zeros((3, 3), int), second[:, :9].reshape(3, 3), 0.0)
    assert empty.pairs.shape == (0, 2)
