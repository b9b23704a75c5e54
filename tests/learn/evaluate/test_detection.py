"""Detection scores on cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.results import Score
from isocenter.kernels.bootstrap import proportion_interval
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


def test_findings_of_one_patient_are_not_so_many_proofs() -> None:
    """Four patients with ten findings each, all found: four stood the test, not forty."""
    images = [image([(0.9 - 0.01 * j, j) for j in range(10)], 10, str(k)) for k in range(4)]
    interval = evaluate_detection(images, at=(1.0,), draws=50)["sensitivity_at_1"].interval
    assert interval == proportion_interval(4.0, 4)
    assert interval is not None and interval[0] < 0.55


def called(counts: list[int], hits: list[int]) -> Score:
    """Return the sensitivity at the operating point of images with so many objects, and of them so many hits."""
    grid = Geometry.regular((20, 200))
    truth = [
        Places("boxes", np.array([[2.0, 10 * k, 8.0, 10 * k + 6] for k in range(n)]).reshape(-1, 4), ("a",) * n, grid)
        for n in counts
    ]
    found = [Places("boxes", t.samples[:h], t.names[:h], grid, np.full(h, 0.9)) for t, h in zip(truth, hits, strict=True)]
    owners = np.array([f"p{k}" for k in range(len(counts))])
    return scored(found, found, truth, owners, ["a"], draws=500)["sensitivity_called"]


def test_the_interval_of_what_was_called_is_that_of_the_share_itself() -> None:
    """One image holds twelve of twenty objects and all of them missed: the mean over images (0.89) is another number than 0.4."""
    one = called([12, 1, 1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1, 1, 1])
    draws = np.random.default_rng(1).integers(0, 9, (4000, 9))
    there, hit = np.array([12] + [1] * 8), np.array([0] + [1] * 8)
    by_hand = np.quantile(hit[draws].sum(axis=1) / there[draws].sum(axis=1), [0.025, 0.975])
    assert one.value == pytest.approx(0.4) and one.interval is not None
    np.testing.assert_allclose(one.interval, by_hand, atol=0.05)


@pytest.mark.parametrize("share", [0, 1])
def test_all_or_none_called_of_few_patients_is_not_certain(share: int) -> None:
    one = called([3, 2, 4, 1], [3 * share, 2 * share, 4 * share, share])
    assert one.value == share and one.interval == proportion_interval(4.0 * share, 4)
