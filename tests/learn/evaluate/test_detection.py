"""Detection scores on cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.learn.evaluate.detection import ImageFindings, box_iou, evaluate_detection, froc, matches_by_distance
from isocenter.learn.places.places import Places
from isocenter.learn.places.scores import scored


def image(candidates: list[tuple[float, int | None]], findings: int, group: str) -> ImageFindings:
    """Return candidates as (confidence, which finding they lie on)."""
    hits = np.zeros((len(candidates), findings))
    for k, (_, on) in enumerate(candidates):
        if on is not None:
            hits[k, on] = 0.7
    return ImageFindings(np.array([c[0] for c in candidates]), hits, group)


def example() -> list[ImageFindings]:
    return [
        image([(0.9, 0), (0.8, None), (0.3, 0)], 2, "a"),  # one hit, one false, one double; one missed
        image([(0.7, None), (0.6, 0)], 1, "b"),
        image([(0.5, None)], 0, "c"),
        image([], 1, "d"),
    ]


def test_the_curve_by_hand() -> None:
    curve = froc(example())
    np.testing.assert_allclose(curve.threshold, [np.inf, 0.9, 0.8, 0.7, 0.6, 0.5])
    np.testing.assert_allclose(curve.sensitivity, [0, 0.25, 0.25, 0.25, 0.5, 0.5])
    np.testing.assert_allclose(curve.false_positives, [0, 0, 0.25, 0.5, 0.5, 0.75])
    assert curve.at(0.5) == 0.5 and curve.at(0.4) == 0.25 and curve.at(0.0) == 0.25


def test_scores_carry_intervals_and_the_number_of_findings() -> None:
    scores = evaluate_detection(example(), at=(0.25, 1.0), draws=200)
    assert float(scores["sensitivity_at_0.25"]) == 0.25 and float(scores["sensitivity_at_1"]) == 0.5
    assert float(scores["cpm"]) == 0.375
    assert float(scores["average_precision"]) == pytest.approx(0.25 * 1.0 + 0.25 * 0.5)
    assert scores["cpm"].n == 4 and scores["cpm"].interval is not None


def test_a_wholly_missed_image_never_helps() -> None:
    images = example()
    before = float(evaluate_detection(images, draws=2)["cpm"])
    after = float(evaluate_detection([*images, image([], 1, "e")], draws=2)["cpm"])
    assert after < before


def test_perfect_detection_of_few_is_not_certain() -> None:
    scores = evaluate_detection([image([(0.9, 0)], 1, str(k)) for k in range(8)], draws=50)
    interval = scores["sensitivity_at_1"].interval
    assert float(scores["sensitivity_at_1"]) == 1.0 and interval is not None and interval[0] < 0.75


def test_overlap_of_boxes_and_nearness_of_points() -> None:
    iou = box_iou([[0, 0, 0, 2, 2, 2]], [[1, 0, 0, 3, 2, 2], [5, 5, 5, 6, 6, 6], [0, 0, 0, 2, 2, 2]])
    np.testing.assert_allclose(iou, [[1.0 / 3.0, 0.0, 1.0]])
    near = matches_by_distance([[0, 0, 0], [9, 0, 0]], [[3, 0, 0]], [4.0])
    np.testing.assert_allclose(near, [[0.25], [0.0]])
    assert matches_by_distance(np.zeros((0, 3)), [[1, 2, 3]], [1.0]).shape == (0, 1)


def test_no_findings_no_score() -> None:
    with pytest.raises(ContentError, match="without findings"):
        evaluate_detection([image([(0.5, None)], 0, "a")])
    with pytest.raises(ContentError):
        ImageFindings(np.array([0.5]), np.zeros((2, 1)), "a")


def test_no_false_alarm_in_few_images_is_not_none_for_sure() -> None:
    grid = Geometry.regular((20, 20))
    truth = [Places("boxes", np.array([[2.0, 3.0, 7.0, 9.0]]), ("a",), grid) for _ in range(12)]
    found = [Places("boxes", t.samples, t.names, grid, np.array([0.9])) for t in truth]
    scores = scored(found, found, truth, np.array([f"p{k}" for k in range(12)]), ["a"], draws=50)
    assert scores["overlap_of_hits"].value == 1.0
    called = scores["false_positives_called"]
    assert called.value == 0.0 and called.interval is not None and called.interval[0] == 0.0
    assert called.interval[1] == pytest.approx(3.689 / 12, abs=1e-3)
