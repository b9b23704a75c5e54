"""A study of survival: a known hazard ratio is found, nothing is found where there is nothing, and folds stay apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.evaluate.survival import auc_at, concordance, fit_cox
from isocenter.learn.evaluate.survival_scores import brier_parts, judge_survival, pair_score
from isocenter.learn.hazard import Baseline, fit_baseline, fit_risk, fit_risk_inside, fit_wide
from isocenter.learn.recipe import Table
from isocenter.learn.study import StudyOptions
from isocenter.learn.study_survival import SurvivalStudy, prove_risk, study_survival

RATIO = 2.0
FAST = StudyOptions(folds=3)


def cohort(n: int = 90, ratio: float = RATIO, seed: int = 0, shuffled: bool = False) -> Cohort:
    """Times from an exponential whose rate doubles with each unit of `marker`, some censored."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 3))
    time, end = generator.exponential(24.0 * ratio ** -x[:, 0]), generator.uniform(10.0, 60.0, n)
    order = generator.permutation(n) if shuffled else np.arange(n)
    seen, event = np.minimum(time, end)[order], (time <= end)[order]
    names = ("marker", "size", "age")
    return Cohort(
        tuple(
            Sample(f"c{k}", None, float(seen[k]), f"p{k}", "ab"[k % 2], {"sex": "FM"[k // 2 % 2]},
                   {**{m: float(v) for m, v in zip(names, x[k], strict=True)}, "event": float(event[k])})
            for k in range(n)
        ), "survival", "phantom",
    )  # fmt: skip


@pytest.fixture(scope="module")
def done() -> SurvivalStudy:
    return study_survival(cohort(), FAST, draws=200)


def test_a_known_hazard_ratio_is_recovered_within_its_interval(done: SurvivalStudy) -> None:
    assert done.hazards is not None
    ratio = done.hazards["marker"]
    assert ratio.interval is not None and ratio.interval[0] < RATIO < ratio.interval[1] and ratio.interval[0] > 1.0
    held = {"marker": 0, "size": 0, "age": 0}
    for seed in range(20):
        one = cohort(seed=seed)
        made = fit_cox(one.labels, one.matrix(["event"])[:, 0], one.matrix(list(held)), tuple(held)).hazard_ratios()
        for name, true in (("marker", RATIO), ("size", 1.0), ("age", 1.0)):
            low, high = made[name].interval or (np.nan, np.nan)
            held[name] += low < true < high
    assert min(held.values()) >= 17, "95 % intervals of 20 cohorts"


def test_the_proof_is_of_held_out_cases_beside_no_information(done: SurvivalStudy) -> None:
    assert list(done.proofs) == ["none", "cox"] and float(done.proofs["none"].scores["c_index"]) == 0.5
    score = done.proof.scores["c_index"]
    assert float(score) > 0.6 and score.interval is not None and score.interval[0] > 0.5 and done.differences["none"].better
    assert done.proof.p is not None and done.proof.p < 0.05 and 0.2 < done.proof.high.mean() < 0.8
    assert float(done.proof.scores["integrated_brier"]) < float(done.proofs["none"].scores["integrated_brier"])
    assert done.away is not None and {g.attribute for g in done.subgroups} == {"site", "sex"}
    assert len(done.calibration) == 3 and done.calibration[0][0] < done.calibration[2][0]
    for fold in done.splits.folds:
        shares = [done.event[np.asarray(fold.test)].mean(), done.event[np.asarray(fold.train)].mean()]
        assert abs(shares[0] - shares[1]) < 0.1, "events are spread over the folds"


def test_shuffled_times_give_an_interval_that_holds_one_half() -> None:
    for seed in (1, 2):
        score = study_survival(cohort(60, seed=seed, shuffled=True), FAST, draws=200).proof.scores["c_index"]
        assert score.interval is not None and score.interval[0] < 0.5 < score.interval[1]


def test_it_repeats(done: SurvivalStudy) -> None:
    again = study_survival(cohort(), FAST, draws=200)
    np.testing.assert_array_equal(again.proof.risk, done.proof.risk)
    assert again.proof.scores["c_index"].interval == done.proof.scores["c_index"].interval


def test_the_clinical_columns_stand_beside_images(monkeypatch: pytest.MonkeyPatch) -> None:
    base = cohort(30)
    values = base.matrix(["marker", "age"])
    pictures = Cohort(
        tuple(
            replace(s, path=Path(f"{k}.png"), subgroups={"age": f"{values[k, 1]:.3f}"}, values={"event": s.values["event"]})
            for k, s in enumerate(base.samples)
        ), "survival", "pictures",
    )  # fmt: skip

    def image(self: Cohort, index: int) -> Image:
        array = np.random.default_rng(index).normal(0.0, 1.0, (16, 16))
        array[4:12, 4:12] += 3.0 * values[int(self.samples[index].identifier[1:]), 0]
        return Image(array.astype(np.float32), ("y", "x"), Geometry.regular((16, 16)))

    monkeypatch.setattr(Cohort, "image", image)
    monkeypatch.setattr("isocenter.learn.study_survival.scan", lambda *a, **k: type("R", (), {"require": lambda self: None})())
    found = study_survival(pictures, replace(FAST, folds=2), draws=50)
    assert list(found.proofs) == ["none", "clinical", "cox"] and set(found.differences) == {"none", "clinical"}
    assert found.hazards is not None and list(found.hazards) == ["age"]
    assert found.size.events_per_parameter < 1 and "expect the score to fall" in found.size.sentences[1]


def test_scores_agree_with_the_plain_ones_in_one_fold() -> None:
    generator = np.random.default_rng(3)
    risk = generator.normal(size=60)
    time, event = generator.exponential(np.exp(-risk)), generator.random(60) < 0.7
    one, weights = np.zeros(60), np.ones((1, 60))
    assert pair_score(time, event, risk, one)(weights)[0] == pytest.approx(concordance(time, event, risk)[0])
    assert pair_score(time, event, risk, one, 0.5)(weights)[0] == pytest.approx(auc_at(time, event, risk, 0.5))
    apart = pair_score(time, event, np.where(np.arange(60) % 2, risk + 100.0, risk), np.arange(60) % 2)(weights)[0]
    assert apart == pytest.approx(pair_score(time, event, risk, np.arange(60) % 2)(weights)[0]), "folds are never compared"
    sure = np.stack([(time > g).astype(np.float64) for g in (0.2, 0.6)], axis=1)
    assert brier_parts(time, np.ones(60), sure, [0.2, 0.6]).max() == 0.0
    half = brier_parts(time, np.ones(60), np.full((60, 2), 0.5), [0.2, 0.6])
    np.testing.assert_allclose(half, 0.25)
    with pytest.raises(ContentError, match="without an event"):
        judge_survival(time, np.zeros(60), risk, one, one, ())


def test_the_baseline_is_the_nelson_aalen_curve_of_equal_risks() -> None:
    made = fit_baseline(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, True]), np.zeros(4), 0.0, (2.0,))
    assert made.times == (1.0, 3.0, 4.0) and made.hazard == pytest.approx((0.25, 0.75, 1.75))
    chance = Baseline((1.0,), (0.5,), 0.0, ()).survival([0.0, np.log(2.0)], [0.5, 1.0])
    np.testing.assert_allclose(chance, [[1.0, np.exp(-0.5)], [1.0, np.exp(-1.0)]])


def test_a_wide_model_equals_the_plain_ridge_and_takes_more_features_than_cases() -> None:
    one = cohort(40)
    z = one.matrix(["marker", "size", "age"])
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    event = one.matrix(["event"])[:, 0] > 0
    plain = fit_cox(one.labels, event, z, ridge=3.0 / 0.5**2)
    np.testing.assert_allclose(fit_wide(one.labels, event, z, 0.5), plain.coefficients, atol=1e-6)
    wide = np.hstack([z, np.random.default_rng(1).normal(size=(40, 80))])
    slopes = fit_wide(one.labels, event, wide, 1.0)
    assert slopes.shape == (83,) and int(np.abs(slopes).argmax()) == 0


def test_what_cannot_be_learned_is_refused() -> None:
    few = cohort(30)
    quiet = Cohort(
        tuple(replace(s, values={**s.values, "event": float(k < 3)}) for k, s in enumerate(few.samples)), "survival", "q"
    )
    with pytest.raises(ContentError, match="3 events among 30 cases"):
        study_survival(quiet, FAST)
    blank = Cohort(tuple(replace(s, label=0.0) for s in few.samples), "survival", "blank")
    with pytest.raises(ContentError, match="not above 0"):
        study_survival(blank, FAST)
    table = Table(few.matrix(["marker"]), few.labels, few.groups, few.sites, ("marker",))
    event = few.matrix(["event"])[:, 0] > 0
    with pytest.raises(ContentError, match="trained on"):
        prove_risk(table, few.labels, event, [(np.arange(30), np.arange(5))], (), 10.0)
    with pytest.raises(ContentError, match="feature that varies"):
        fit_risk(Table(np.ones((30, 1)), few.labels, few.groups, few.sites, ("x",)), few.labels, event, {"keep": 8, "ridge": 0.1})
    everyone = fit_risk_inside(table, few.labels, np.ones(30, bool), (10.0,))
    assert everyone.model is not None and everyone.risk(table).shape == (30,)
