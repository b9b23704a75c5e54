"""Areas under curves against their definitions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from isocenter.core.errors import ContentError
from isocenter.learn.evaluate.ranking import auc_pr, auc_roc, delong, roc_curve


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_areas_equal_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    truth, score = np.array([r[0] for r in rows]), np.array([r[1] / 6 for r in rows])
    if truth.all() or not truth.any():
        assert np.isnan(auc_roc(truth, score))
        return
    assert auc_roc(truth, score) == pytest.approx(metrics.roc_auc_score(truth, score), abs=1e-12)
    assert auc_pr(truth, score) == pytest.approx(metrics.average_precision_score(truth, score), abs=1e-12)


def test_a_weight_is_a_repetition() -> None:
    generator = np.random.default_rng(0)
    truth, score = generator.random(30) < 0.4, np.round(generator.random(30), 1)
    weights = generator.integers(0, 4, (5, 30)).astype(float)
    many = [np.repeat(np.arange(30), w.astype(int)) for w in weights]
    np.testing.assert_allclose(auc_roc(truth, score, weights), [auc_roc(truth[i], score[i]) for i in many], rtol=1e-12)
    np.testing.assert_allclose(auc_pr(truth, score, weights), [auc_pr(truth[i], score[i]) for i in many], rtol=1e-12)


def test_strata_compare_within_folds_only() -> None:
    truth, score, fold = np.array([1, 0, 1, 0]), np.array([0.2, 0.1, 0.9, 0.8]), np.array([0, 0, 1, 1])
    assert auc_roc(truth, score) == 0.75 and auc_roc(truth, score, strata=fold) == 1.0
    generator = np.random.default_rng(0)
    truth, score, fold = generator.random(60) < 0.5, generator.random(60), np.arange(60) % 3
    areas = [auc_roc(truth[fold == k], score[fold == k]) for k in range(3)]
    pairs = [truth[fold == k].sum() * (~truth[fold == k]).sum() for k in range(3)]
    assert auc_roc(truth, score, strata=fold) == pytest.approx(np.average(areas, weights=pairs))


def test_the_curve_begins_and_ends_in_its_corners() -> None:
    rate, sensitivity, threshold = roc_curve([0, 1, 1, 0], [0.1, 0.9, 0.4, 0.4])
    np.testing.assert_allclose(rate, [0, 0, 0.5, 1])
    np.testing.assert_allclose(sensitivity, [0, 0.5, 1, 1])
    np.testing.assert_allclose(threshold, [np.inf, 0.9, 0.4, 0.1])


def test_delong_equals_its_definition() -> None:
    generator = np.random.default_rng(4)
    truth = np.arange(40) < 15
    scores = np.round(generator.normal(size=(2, 40)) + truth, 1)
    areas, covariance = delong(truth, scores)

    def psi(row: np.ndarray) -> np.ndarray:
        a, b = row[truth][:, None], row[~truth][None]
        return (a > b) + 0.5 * (a == b)

    v10 = np.stack([psi(r).mean(axis=1) for r in scores])
    v01 = np.stack([psi(r).mean(axis=0) for r in scores])
    np.testing.assert_allclose(areas, [psi(r).mean() for r in scores])
    np.testing.assert_allclose(covariance, np.cov(v10) / 15 + np.cov(v01) / 25)


@pytest.mark.parametrize(("truth", "score"), [([0, 1], [0.5]), ([0, 1], [0.5, np.nan])])
def test_scores_that_cannot_be_ranked_are_refused(truth: list[int], score: list[float]) -> None:
    with pytest.raises(ContentError):
        auc_roc(truth, score)


def test_delong_wants_two_of_each() -> None:
    with pytest.raises(ContentError, match="1 positive"):
        delong([1, 0, 0], [[0.1, 0.2, 0.3]])
