"""A study as a whole: what it proves, what it refuses, and what it says by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.study import Study, StudyOptions, study, table_of

FAST = StudyOptions(folds=3, primary="logistic", baselines=("majority",), curve=False)


def cohort(n: int = 60, signal: float = 1.5, sites: int = 1, regression: bool = False, seed: int = 0) -> Cohort:
    generator = np.random.default_rng(seed)
    samples = []
    for k in range(n):
        label = k % 2
        values = {f"f{j}": float(v) for j, v in enumerate(generator.normal(size=5))}
        values["f0"] += signal * label
        target: str | float = 20.0 + 10 * values["f0"] + 2 * generator.normal() if regression else ("no", "yes")[label]
        site = f"s{k // 2 % sites}" if sites > 1 else None
        samples.append(Sample(f"c{k}", None, target, f"p{k}", site, {"sex": "FM"[k // 2 % 2]}, values))
    return Cohort(tuple(samples), "regression" if regression else "classification", "phantom")


@pytest.fixture(scope="module")
def done() -> Study:
    return study(cohort(80, 2.0, sites=2), FAST)


def test_it_proves_the_named_model_and_the_floor(done: Study) -> None:
    assert list(done.proofs) == ["majority", "logistic"] and done.primary == "logistic"
    assert float(done.proof.scores["auc_roc"]) > 0.85 and float(done.proofs["majority"].scores["auc_roc"]) == 0.5
    assert done.differences["majority"].better
    assert done.away is not None and done.shortcut is not None and done.shortcut.share < 0.3
    assert {g.attribute for g in done.subgroups} == {"site", "sex"}
    assert done.score_name == "auc_roc" and len(done.proof.tested) == 80


def test_folds_are_of_patients_and_repeat(done: Study) -> None:
    again = study(cohort(80, 2.0, sites=2), FAST)
    assert again.splits.to_json() == done.splits.to_json()
    np.testing.assert_array_equal(again.proof.predicted, done.proof.predicted)


def test_numbers() -> None:
    found = study(cohort(60, regression=True), FAST)
    assert found.score_name == "mae" and float(found.proof.scores["r2"]) > 0.9 and found.differences["majority"].better


def test_cases_without_label_or_image_are_set_aside(tmp_path: Path) -> None:
    samples = [*cohort(40).samples, Sample("blank", None, None, "pb", None, {"sex": "F"}, {f"f{j}": 0.0 for j in range(5)})]
    table, used, aside = table_of(Cohort(tuple(samples), "classification", "x"))
    assert len(table) == 40 and used == tuple(range(40)) and aside == (("blank", "it has no label"),)
    bad = tmp_path / "a.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(ContentError, match="No case"):
        table_of(Cohort((Sample("a", bad, "x", "a"),), "classification", "y", tmp_path))


def test_other_tasks_are_refused_in_one_sentence() -> None:
    samples = tuple(Sample(f"c{k}", None, float(k + 1), f"p{k}", None, {}, {"event": 1.0}) for k in range(4))
    with pytest.raises(ContentError, match="survival"):
        study(Cohort(samples, "survival", "x"), FAST)


def test_a_feature_that_is_the_label_is_refused_unless_accepted() -> None:
    base = cohort(60)
    leak = Cohort(
        tuple(
            Sample(
                s.identifier, None, s.label, s.patient, None, s.subgroups, {**s.values, "code": 1.0 if s.label == "yes" else 0.0}
            )
            for s in base.samples
        ),
        "classification",
        "leaky",
    )
    with pytest.raises(ContentError, match="--accept-leak"):
        study(leak, FAST)
    found = study(leak, StudyOptions(3, 0, "logistic", ("majority",), False, "a test of the machinery", False))
    assert found.leakage.accepted == "a test of the machinery"
