"""Proofs do not flatter: shuffled labels, patients on both sides, one class, and what is chosen where."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from isocenter.core.errors import ContentError
from isocenter.learn.prove import fit_inside, inner_folds, learning_curve, prove
from isocenter.learn.recipe import Recipe, Table
from isocenter.learn.shortcut import shortcut

Folds = list[tuple[np.ndarray, np.ndarray]]


def table(n: int = 120, signal: float = 1.5, seed: int = 0, images: int = 1) -> Table:
    generator = np.random.default_rng(seed)
    y = np.repeat(np.arange(n) % 2, images)
    patients = np.repeat(np.arange(n), images)
    own = np.repeat(generator.normal(size=(n, 8)), images, axis=0)
    x = own + 0.05 * generator.normal(size=own.shape)
    x[:, 0] += signal * y
    return Table(x, y, patients.astype(str), np.full(y.size, ""), tuple(f"f{k}" for k in range(8)), ("no", "yes"))


def folds(data: Table, count: int = 4, seed: int = 0) -> Folds:
    generator = np.random.default_rng(seed)
    order = generator.permutation(np.unique(data.groups))
    of = dict(zip(data.groups, data.target, strict=True))
    patients = np.array(sorted(order, key=lambda g: of[g])) if data.classes else order  # each class spread over all folds
    tests = [np.flatnonzero(np.isin(data.groups, patients[k::count])) for k in range(count)]
    return [(np.setdiff1d(np.arange(len(data)), t), t) for t in tests]


def test_shuffled_labels_give_an_area_of_one_half() -> None:
    inside = 0
    for seed in range(20):
        data = table(seed=seed)
        target = np.random.default_rng(seed + 100).permutation(data.target)
        shuffled = Table(data.values, target, data.groups, data.sites, data.names, data.classes)
        interval = (
            prove(shuffled, folds(shuffled, seed=seed), Recipe("logistic", {"strength": 1.0}, keep=4, seed=seed), draws=400)
            .scores["auc_roc"]
            .interval
        )
        assert interval is not None
        inside += interval[0] <= 0.5 <= interval[1]
    assert inside >= 19


def test_a_patient_on_both_sides_is_refused() -> None:
    data = table(40, images=2)
    with pytest.raises(ContentError, match=r"patient '\d+' whom it was trained on"):
        prove(data, [(np.arange(0, 80, 2), np.arange(1, 80, 2))], Recipe("logistic"))


def test_training_cases_are_no_test() -> None:
    data = table(40)
    with pytest.raises(ContentError, match="proves nothing"):
        prove(data, [(np.arange(40), np.arange(40))], Recipe("logistic"))
    with pytest.raises(ContentError, match="another fold tests"):
        prove(data, [(np.arange(20), np.arange(20, 40)), (np.arange(20), np.arange(20, 40))], Recipe("logistic"))
    with pytest.raises(ContentError, match="No fold"):
        prove(data, [], Recipe("logistic"))


def test_every_case_is_predicted_once_by_a_model_that_did_not_see_it() -> None:
    data = table(60, images=2)
    parts = folds(data)
    proof = prove(data, parts, Recipe("svm", seed=1), draws=100)
    np.testing.assert_array_equal(proof.tested, np.arange(120))
    for k, (_, test) in enumerate(parts):
        assert (proof.fold[test] == k).all()
        np.testing.assert_array_equal(proof.models[k].predict(data.values[test], data.sites[test]), proof.predicted[test])
    assert float(proof.scores["auc_roc"]) > 0.75


def test_settings_threshold_and_calibration_see_training_cases_only() -> None:
    data = table()
    inside = data.take(range(80))
    model = fit_inside(inside, Recipe("svm", seed=3))
    changed = Table(
        np.concatenate([data.values[:80], data.values[80:] * 50]), data.target, data.groups, data.sites, data.names, data.classes
    )
    again = fit_inside(changed.take(range(80)), Recipe("svm", seed=3))
    assert again.threshold == model.threshold and again.settings == model.settings and again.calibrator == model.calibrator
    assert model.calibrator is not None and 0 < model.threshold < 1


def test_inner_folds_keep_patients_whole() -> None:
    data = table(30, images=3)
    for train, test in inner_folds(data):
        assert not set(data.groups[train]) & set(data.groups[test])
    few = data.take(np.flatnonzero((data.target == 0) | (data.groups == "1")))
    assert inner_folds(few) == []
    assert fit_inside(few, Recipe("svm")).calibrator is None


def test_more_data_helps_until_it_does_not() -> None:
    data = table(160, signal=1.0)
    curve = learning_curve(data, folds(data), Recipe("logistic"), (0.1, 0.5, 1.0), draws=50)
    assert [n for n, _ in curve] == sorted(n for n, _ in curve)
    assert float(curve[0][1]["auc_roc"]) < float(curve[-1][1]["auc_roc"])


def test_a_score_that_is_mostly_the_site_is_called_so() -> None:
    generator = np.random.default_rng(0)
    n = 240
    site = np.arange(n) % 4
    y = 30 + 12 * site + 3 * generator.normal(size=n)
    # Each site's scanner leaves its mark on the features; age itself leaves almost none.
    x = np.eye(4)[site] @ generator.normal(size=(4, 10)) * 2 + generator.normal(size=(n, 10))
    data = Table(x, y, np.arange(n).astype(str), site.astype(str), tuple(f"f{k}" for k in range(10)))
    parts = folds(data)
    by_site = [(np.flatnonzero(site != k), np.flatnonzero(site == k)) for k in range(4)]
    found = shortcut(data, prove(data, parts, Recipe("svm"), draws=100), parts, {}, by_site, draws=50)
    assert found is not None
    result, away = found
    assert result.share > 0.9 and "mostly site" in result.sentence and "expect that figure elsewhere" in result.sentence
    assert away is not None and float(away.scores["mae"]) > 2 * result.model.value


def test_an_honest_score_is_not_called_a_shortcut() -> None:
    data = table(160, signal=2.0)
    site = (np.arange(160) // 2 % 3).astype(str)
    sited = Table(data.values, data.target, data.groups, site, data.names, data.classes)
    parts = folds(sited)
    found = shortcut(sited, prove(sited, parts, Recipe("logistic"), draws=100), parts, {"sex": site}, draws=50)
    assert found is not None and found[0].share < 0.3 and "mostly" not in found[0].sentence


def test_few_cases_and_rare_attributes_do_not_end_the_run() -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(60, 10, 14)
    x = np.column_stack([y + generator.normal(0, 30, 14), generator.normal(size=14)])
    data = Table(x, y, np.arange(14).astype(str), np.full(14, ""), ("a", "b"))
    parts = [(np.flatnonzero(np.arange(14) % 3 != k), np.flatnonzero(np.arange(14) % 3 == k)) for k in range(3)]
    curve = learning_curve(data, parts, Recipe("logistic"), draws=20)
    assert curve[0][0] == 2 and all(np.isfinite(float(scores["mae"])) for _, scores in curve)
    rare = np.where(np.arange(14) == 0, "yes", "no")  # alike in the training part of the fold that tests the first case
    found = shortcut(
        data, prove(data, parts, Recipe("svm"), draws=20), parts, {"smoker": rare, "sex": np.full(14, "F")}, draws=20
    )
    assert found is not None and "smoker alone" in found[0].sentence and "site" not in found[0].sentence
    assert shortcut(data, prove(data, parts, Recipe("svm"), draws=20), parts, {"sex": np.full(14, "F")}, draws=20) is None


def test_a_model_worse_than_guessing_is_not_said_to_gain() -> None:
    generator = np.random.default_rng(3)
    y = generator.normal(60, 10, 30)
    data = Table(
        generator.normal(size=(30, 40)), y, np.arange(30).astype(str), np.full(30, ""), tuple(f"f{k}" for k in range(40))
    )
    parts = folds(data)
    found = shortcut(data, prove(data, parts, Recipe("svm"), draws=20), parts, {"sex": np.arange(30) % 2}, draws=20)
    assert found is not None and found[0].model.value >= found[0].floor
    assert found[0].sentence.endswith("the model gains nothing over guessing.")


@pytest.mark.parametrize(("name", "least"), [("svm", 0.97), ("elm", 0.96)])
def test_breast_cells_in_ten_folds(name: str, least: float) -> None:
    cells = load_breast_cancer()
    n = cells.target.size
    data = Table(
        cells.data,
        1 - cells.target,
        np.arange(n).astype(str),
        np.full(n, ""),
        tuple(cells.feature_names),
        ("benign", "malignant"),
    )
    proof = prove(data, folds(data, 10), Recipe(name), rule="half", draws=100)
    assert float(proof.scores["accuracy"]) >= least
