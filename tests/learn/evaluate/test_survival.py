"""Survival against the 6-mercaptopurine trial, whose figures stand in many textbooks."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.learn.evaluate.compare import compare_paired
from isocenter.learn.evaluate.survival import auc_at, concordance, evaluate_survival, fit_cox, kaplan_meier, log_rank
from isocenter.learn.evaluate.survival_scores import judge_survival, pair_score

#: Freireich et al., Blood 21 (1963) 699-716: weeks of remission; treated (some censored) and placebo (all relapsed).
TREATED = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
RELAPSED = [1] * 9 + [0] * 12
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TIME = np.array(TREATED + PLACEBO, float)
EVENT = np.array(RELAPSED + [1] * 21, bool)
ARM = np.array([0] * 21 + [1] * 21)


def test_the_curve_of_the_treated() -> None:
    curve = kaplan_meier(TREATED, RELAPSED)
    np.testing.assert_array_equal(curve.times, [6, 7, 10, 13, 16, 22, 23])
    np.testing.assert_allclose(curve.survival, [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], atol=6e-4)
    np.testing.assert_array_equal(curve.at_risk, [21, 17, 15, 12, 11, 7, 6])
    assert curve.median == 23 and curve.at(5.9) == 1.0 and curve.at(100) == pytest.approx(0.448, abs=1e-3)
    assert kaplan_meier(PLACEBO, [1] * 21).median == 8
    assert (curve.lower <= curve.survival).all() and (curve.survival <= curve.upper).all()


def test_the_arms_differ_as_published() -> None:
    statistic, p = log_rank(TIME, EVENT, ARM)
    assert statistic == pytest.approx(16.793, abs=0.001) and p == pytest.approx(4.17e-5, rel=0.01)


def test_cox_as_published() -> None:
    model = fit_cox(TIME, EVENT, ARM[:, None], ("placebo",))
    assert model.coefficients[0] == pytest.approx(1.5721, abs=1e-3) and model.errors[0] == pytest.approx(0.4124, abs=1e-3)
    ratio = model.hazard_ratios()["placebo"]
    assert float(ratio) == pytest.approx(4.817, abs=0.01) and ratio.interval == pytest.approx((2.147, 10.81), abs=0.02)
    assert model.events == 30 and model.log_likelihood > model.null_log_likelihood


def test_cox_recovers_known_effects() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(800, 2)) * [1.0, 10.0] + [0.0, 50.0]
    time = generator.exponential(np.exp(-(0.7 * x[:, 0] - 0.03 * (x[:, 1] - 50))))
    end = generator.exponential(2.0, 800)
    model = fit_cox(np.minimum(time, end), time <= end, x)
    np.testing.assert_allclose(model.coefficients, [0.7, -0.03], atol=2.5 * model.errors.max() if model.errors.max() < 0.1 else 0)
    risk = model.risk(x)
    assert concordance(np.minimum(time, end), time <= end, risk)[0] > 0.65


def test_concordance_by_hand() -> None:
    # Known orders: 1 before 2, 3, 4; 2 (censored) tells nothing; 3 before 4.
    assert concordance([1, 2, 3, 4], [1, 0, 1, 1], [4, 3, 1, 2])[0] == pytest.approx(3 / 4)
    assert concordance([1, 2], [1, 1], [0, 0])[0] == 0.5
    assert np.isnan(concordance([1, 2], [0, 0], [0, 1])[0])
    weights = np.array([[1, 1, 2, 0]], float)
    assert concordance([1, 2, 3, 4], [1, 0, 1, 1], [4, 3, 1, 2], weights)[0] == 1.0


def test_the_area_at_a_time_without_censoring_is_the_plain_one() -> None:
    generator = np.random.default_rng(3)
    risk = generator.normal(size=200)
    time = generator.exponential(np.exp(-risk))
    from isocenter.learn.evaluate.ranking import auc_roc

    assert auc_at(time, np.ones(200), risk, 0.5) == pytest.approx(auc_roc(time <= 0.5, risk))


def test_censoring_is_weighted_for() -> None:
    generator = np.random.default_rng(4)
    risk = generator.normal(size=4000)
    time = generator.exponential(np.exp(-risk))
    end = generator.exponential(np.exp(0.0), 4000)
    true = auc_at(time, np.ones(4000), risk, 0.7)
    assert auc_at(np.minimum(time, end), time <= end, risk, 0.7) == pytest.approx(true, abs=0.02)


def test_scores_with_intervals() -> None:
    scores = evaluate_survival(TIME, EVENT, ARM, draws=100)
    c = scores["c_index"]
    assert c.value == pytest.approx(0.69, abs=0.005) and c.interval is not None and c.interval[0] > 0.55
    assert float(scores["events"]) == 30 and sum(k.startswith("auc_at") for k in scores) == 3


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ContentError, match="vary"):
        fit_cox([1, 2], [1, 1], [[1.0], [1.0]])
    with pytest.raises(ContentError, match="without an event"):
        evaluate_survival([1, 2], [0, 0], [1, 2])
    with pytest.raises(ContentError, match="negative"):
        kaplan_meier([-1.0], [1])
    with pytest.raises(ContentError, match="separates"):
        fit_cox([1, 2, 3, 4], [1, 1, 0, 0], [[1.0], [1.0], [0.0], [0.0]])


def test_intervals_of_a_cross_validation_end_at_one() -> None:
    generator = np.random.default_rng(3)
    risk = generator.normal(size=20)
    time = np.exp(-risk + generator.normal(0.0, 0.4, 20))
    scores = judge_survival(time, np.ones(20), risk, np.arange(20), np.zeros(20), [float(np.median(time))], widen=6.0)
    for name, score in scores.items():
        assert score.interval is None or (0.0 <= score.interval[0] and score.interval[1] == 1.0), name
    pair = [pair_score(time, np.ones(20), r, np.zeros(20)) for r in (risk, -risk)]
    found = compare_paired("C-index", lambda w, k: pair[k](w), np.arange(20), widen=6.0, most=1.0)
    assert found.interval is not None and found.interval[1] == 1.0
