"""Scores of classifiers: values, intervals, and what they must not do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from isocenter.core.errors import ContentError
from isocenter.learn.evaluate.classification import confusion, evaluate_classification


def binary(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = (generator.random(n) < 0.4).astype(int)
    p = 1 / (1 + np.exp(-generator.normal(size=n) - 2.0 * (truth - 0.5)))
    return truth, np.stack([1 - p, p], axis=1)


def test_every_value_equals_scikit_learn_s() -> None:
    y, p = binary()
    called = p.argmax(axis=1)
    scores = evaluate_classification(y, p, ("no", "yes"), draws=50)
    expected = {
        "accuracy": metrics.accuracy_score(y, called),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, called),
        "sensitivity": metrics.recall_score(y, called),
        "specificity": metrics.recall_score(y, called, pos_label=0),
        "precision": metrics.precision_score(y, called),
        "npv": metrics.precision_score(y, called, pos_label=0),
        "f1": metrics.f1_score(y, called),
        "auc_roc": metrics.roc_auc_score(y, p[:, 1]),
        "auc_pr": metrics.average_precision_score(y, p[:, 1]),
        "brier": metrics.brier_score_loss(y, p[:, 1]),
    }
    for name, value in expected.items():
        assert float(scores[name]) == pytest.approx(value, abs=1e-12), name
    assert [float(scores[k]) for k in ("tn", "fp", "fn", "tp")] == list(metrics.confusion_matrix(y, called).ravel())


def test_several_classes() -> None:
    generator = np.random.default_rng(3)
    y = generator.integers(0, 3, 90)
    logits = generator.normal(size=(90, 3)) + 1.5 * np.eye(3)[y]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = evaluate_classification(y, p, ("a", "b", "c"), draws=50)
    called = p.argmax(axis=1)
    assert float(scores["macro_f1"]) == pytest.approx(metrics.f1_score(y, called, average="macro"))
    assert float(scores["macro_auc_roc"]) == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr"))
    assert float(scores["sensitivity[b]"]) == pytest.approx(metrics.recall_score(y, called, average=None)[1])
    assert scores["sensitivity[b]"].n == (y == 1).sum()
    np.testing.assert_array_equal(confusion(y, called, 3), metrics.confusion_matrix(y, called))


def test_every_score_has_an_interval_around_it_and_its_n() -> None:
    y, p = binary(60)
    scores = evaluate_classification(y, p, ("no", "yes"), draws=200)
    for name, score in scores.items():
        if name in ("tp", "tn", "fp", "fn"):
            continue
        assert score.interval is not None and score.interval[0] <= score.value <= score.interval[1], name
    assert scores["sensitivity"].n == y.sum() and scores["accuracy"].n == 60


def test_the_interval_of_the_area_covers_the_truth() -> None:
    # Two normal scores one standard deviation apart: area 0.76025.
    inside = 0
    for k in range(100):
        generator = np.random.default_rng(k)
        y = np.arange(100) % 2
        p = 1 / (1 + np.exp(-(generator.normal(size=100) + y)))
        interval = evaluate_classification(y, np.stack([1 - p, p], axis=1), ("n", "p"), draws=300)["auc_roc"].interval
        assert interval is not None
        inside += interval[0] <= 0.76025 <= interval[1]
    assert inside >= 89


def test_all_of_twelve_right_is_not_certain() -> None:
    y = np.arange(12) % 2
    p = np.stack([1 - y, y], axis=1) * 0.98 + 0.01
    scores = evaluate_classification(y, p, ("no", "yes"))
    for name in ("accuracy", "sensitivity", "specificity", "auc_roc", "auc_pr", "f1"):
        interval = scores[name].interval
        assert float(scores[name]) == 1.0 and interval is not None and interval[0] < 0.8, name


def test_images_of_one_patient_do_not_count_as_many() -> None:
    y, p = binary(20, seed=5)
    once = evaluate_classification(y, p, ("no", "yes"))["auc_roc"].interval
    ten = evaluate_classification(np.repeat(y, 10), np.repeat(p, 10, axis=0), ("no", "yes"), np.repeat(np.arange(20), 10))
    many = ten["auc_roc"].interval
    assert once is not None and many is not None
    assert many[1] - many[0] == pytest.approx(once[1] - once[0], abs=1e-9)


def test_shuffled_labels_give_an_interval_with_one_half() -> None:
    inside = 0
    for k in range(20):
        generator = np.random.default_rng(k)
        y = generator.permutation(np.arange(80) % 2)
        p = generator.random(80)
        interval = evaluate_classification(y, np.stack([1 - p, p], axis=1), ("n", "p"), draws=400)["auc_roc"].interval
        assert interval is not None
        inside += interval[0] <= 0.5 <= interval[1]
    assert inside >= 18


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([], np.zeros((0, 2))),
        ([0, 1], [[0.5, 0.5]]),
        ([0, 1], [[0.5, 0.6], [0.5, 0.5]]),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]]),
        ([0, 1], [[np.nan, 1.0], [0.5, 0.5]]),
    ],
)
def test_what_is_no_prediction_is_refused(y: list[int], p: list[list[float]]) -> None:
    with pytest.raises(ContentError):
        evaluate_classification(y, p, ("a", "b"))


def test_one_class_leaves_the_area_undefined() -> None:
    scores = evaluate_classification([1, 1, 1], [[0.2, 0.8]] * 3, ("a", "b"), draws=20)
    assert np.isnan(float(scores["auc_roc"])) and np.isnan(float(scores["specificity"]))
    assert float(scores["sensitivity"]) == 1.0


@pytest.mark.parametrize("label", [0, 1])
def test_of_one_class_alone_no_order_is_right(label: int) -> None:
    """A subgroup without negatives had an area under the precision-recall curve of 1, whatever the model said."""
    p = np.array([[0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    scores = evaluate_classification(np.full(3, label), p, ("no", "yes"), draws=20)
    for name in ("auc_roc", "auc_pr"):
        assert np.isnan(scores[name].value) and scores[name].interval is None
