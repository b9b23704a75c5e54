"""Scores of predicted numbers against published and defined values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from isocenter.core.errors import ContentError
from isocenter.learn.evaluate.regression import bland_altman, evaluate_regression, tolerance_interval


def test_values_equal_scikit_learn_s() -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(50, 10, 80)
    p = y + generator.normal(1, 4, 80)
    scores = evaluate_regression(y, p, unit="a", draws=300)
    assert float(scores["mae"]) == pytest.approx(metrics.mean_absolute_error(y, p))
    assert float(scores["rmse"]) == pytest.approx(metrics.root_mean_squared_error(y, p))
    assert float(scores["r2"]) == pytest.approx(metrics.r2_score(y, p))
    assert float(scores["correlation"]) == pytest.approx(np.corrcoef(y, p)[0, 1])
    assert float(scores["mae_of_median"]) == pytest.approx(np.abs(y - np.median(y)).mean())
    for name, score in scores.items():
        assert score.interval is not None and score.interval[0] <= score.value <= score.interval[1], name
    assert scores["mae"].unit == "a" and scores["r2"].unit == "1"


def test_agreement_as_bland_and_altman_s_peak_flow_example() -> None:
    """Lancet 1986, table: large Wright meter and mini meter, 17 subjects: bias -2.1, limits -79.7 and 75.5 l/min."""
    wright = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
    mini = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
    found = bland_altman(mini, wright)
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert (found.lower, found.upper) == pytest.approx((-78.1, 73.9), abs=0.2)  # with 1.96; the paper rounds to 2
    assert found.bias_interval == pytest.approx((-22.0, 17.8), abs=0.2)
    assert found.n == 17


@pytest.mark.parametrize(("n", "factor"), [(10, 3.379), (30, 2.549), (100, 2.233)])
def test_tolerance_factors_as_tabulated(n: int, factor: float) -> None:
    """Two-sided 95 %/95 % factors k for a normal population (Howe's approximation is within 0.5 % of the exact ones)."""
    errors = stats.norm.ppf((np.arange(n) + 0.5) / n)
    errors = (errors - errors.mean()) / errors.std(ddof=1)
    low, high = tolerance_interval(errors)
    assert high == pytest.approx(factor, rel=0.008) and low == pytest.approx(-high)


def test_shrinking_to_the_middle_is_seen() -> None:
    y = np.linspace(20, 80, 61)
    found = bland_altman(y, 50 + 0.4 * (y - 50) + np.random.default_rng(0).normal(0, 1, 61))
    assert found.slope_interval[1] < 0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ContentError):
        evaluate_regression([1.0, 2.0], [1.0])
    with pytest.raises(ContentError):
        evaluate_regression([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(ContentError):
        tolerance_interval([1.0])
    with pytest.raises(ContentError, match="One case alone"):
        evaluate_regression([1.0], [2.0])


def test_intervals_end_where_the_score_does_and_offsets_leave_digits() -> None:
    generator = np.random.default_rng(4)
    y = generator.normal(0.0, 1.0, 14)
    p = y + np.append(generator.normal(0.0, 0.05, 13), 1.5)
    scores = evaluate_regression(y, p, widen=6.0)
    assert scores["mae"].interval is not None and scores["mae"].interval[0] == 0.0
    assert scores["r2"].interval is not None and scores["r2"].interval[1] == 1.0
    assert scores["bias"].interval is not None and scores["bias"].interval[0] < 0.0
    far = evaluate_regression(y + 2e7, p + 2e7, widen=6.0)
    for name in ("r2", "correlation", "mae", "bias"):
        assert far[name].value == pytest.approx(scores[name].value, abs=1e-5), name
