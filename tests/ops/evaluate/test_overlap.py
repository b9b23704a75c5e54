"""evaluate.overlap: by counting, with misses that score worst."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.evaluate.overlap import Overlap


def labels(mask: np.ndarray, geometry: Geometry) -> LabelMap:
    return LabelMap(mask.astype(np.uint8), ("z", "y", "x")[3 - mask.ndim :], geometry, (Segment(1, "lesion"),))


@pytest.mark.parametrize("seed", range(6))
def test_equals_counting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.random((2, 5, 7, 6)) < rng.uniform(0.1, 0.9)
    geometry = Geometry.regular(one.shape, (2.0, 0.5, 1.5))
    tp, fp, fn, tn = ((one & two).sum(), (one & ~two).sum(), (~one & two).sum(), (~one & ~two).sum())
    expected = {
        "jaccard": tp / (tp + fp + fn),
        "sensitivity": tp / (tp + fn),
        "precision": tp / (tp + fp),
        "specificity": tn / (tn + fp),
        "volume_difference": abs(fp - fn) * 1.5,
        "relative_volume_difference": 2 * abs(fp - fn) / (2 * tp + fp + fn),
    }
    scores = Overlap()(labels(one, geometry), labels(two, geometry))
    assert {k: float(v) for k, v in scores.items()} == pytest.approx(expected)
    assert scores["volume_difference"].unit == "mm^3"


def test_a_miss_and_a_false_alarm_score_worst_everywhere() -> None:
    geometry = Geometry.regular((8, 8), (1.0, 2.0))
    truth, nothing = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    truth[2:5, 2:5] = True
    for one, two in ((truth, nothing), (nothing, truth)):
        scores = Overlap()(labels(one, geometry), labels(two, geometry))
        assert [float(scores[n]) for n in ("jaccard", "sensitivity", "precision", "specificity")] == [0.0] * 4
        assert float(scores["volume_difference"]) == 18.0
        assert scores["volume_difference"].unit == "mm^2"
        assert float(scores["relative_volume_difference"]) == 2.0


def test_a_truth_that_fills_the_image_and_one_without_pixel_size() -> None:
    full = np.ones((4, 4), bool)
    part = full.copy()
    part[0] = False
    scores = Overlap()(labels(part, Geometry.pixels((4, 4))), labels(full, Geometry.pixels((4, 4))))
    assert float(scores["specificity"]) == 1.0
    assert (float(scores["volume_difference"]), scores["volume_difference"].unit) == (4.0, "samples")
