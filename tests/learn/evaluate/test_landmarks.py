"""Landmark errors: a landmark that was not found never improves a score."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.learn.evaluate.landmarks import _quantile, evaluate_landmarks, success_curve


def points(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    truth = generator.uniform(0, 100, (n, 3, 2))
    return truth, truth + generator.normal(0, 1.5, truth.shape)


def test_values() -> None:
    truth, found = points()
    error = np.linalg.norm(truth - found, axis=2)
    scores = evaluate_landmarks(truth, found, draws=100)
    assert float(scores["mean_error_of_found"]) == pytest.approx(error.mean())
    assert float(scores["median_error"]) == pytest.approx(np.median(error))
    assert float(scores["within_2"]) == pytest.approx((error <= 2).mean())
    assert scores["median_error"].n == 36
    np.testing.assert_allclose(success_curve(truth, found, [0, 2, 1e9]), [0, (error <= 2).mean(), 1])


def test_misses_make_every_score_worse_or_equal() -> None:
    truth, found = points()
    medians, within = [], []
    for missed in (0, 6, 18, 30):
        given = found.copy().reshape(-1, 2)
        given[:missed] = np.nan
        scores = evaluate_landmarks(truth, given.reshape(found.shape), draws=20)
        medians.append(float(scores["median_error"]))
        within.append(float(scores["within_4"]))
        assert float(scores["missed"]) == pytest.approx(missed / 36)
    assert medians == sorted(medians) and medians[-1] == np.inf
    assert within == sorted(within, reverse=True)


def test_what_the_truth_lacks_does_not_count() -> None:
    truth, found = points()
    truth[0, 0] = np.nan
    assert evaluate_landmarks(truth, found, draws=20)["median_error"].n == 35
    with pytest.raises(ContentError):
        evaluate_landmarks(np.full((2, 1, 2), np.nan), np.zeros((2, 1, 2)))
    with pytest.raises(ContentError):
        evaluate_landmarks(truth, found[:3])


def test_quantiles_are_those_of_the_errors_and_of_errors_drawn_several_times() -> None:
    generator = np.random.default_rng(2)
    for n in (1, 2, 7, 24, 101):
        errors = generator.exponential(size=n)
        truth = np.zeros((n, 1, 3))
        found = truth + errors[:, None, None] * np.array([1.0, 0.0, 0.0])
        scores = evaluate_landmarks(truth, found)
        assert scores["median_error"].value == pytest.approx(np.median(errors)), n
        assert scores["percentile_95_error"].value == pytest.approx(np.quantile(errors, 0.95)), n
        weights = generator.multinomial(n, np.full(n, 1.0 / n)).astype(float)
        for share in (0.5, 0.95):
            drawn = np.repeat(errors, weights.astype(int))
            assert _quantile(errors, weights, share) == pytest.approx(np.quantile(drawn, share)), (n, share)
    lost = np.array([0.1, 0.2, np.inf, np.inf])
    assert _quantile(lost, np.ones(4), 0.5) == np.inf and _quantile(lost, np.array([1.0, 2, 1, 0]), 0.5) == 0.2
