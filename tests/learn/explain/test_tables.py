"""Importance and Shapley values of tables: against closed forms and brute force, inside held-out cases, by patient."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError, UnknownNameError
from isocenter.learn.explain.nearest import nearest_cases, network_features
from isocenter.learn.explain.permutation import permutation_importance
from isocenter.learn.explain.shapley import shapley, shapley_linear, shapley_of
from isocenter.learn.prove import prove
from isocenter.learn.recipe import Recipe, Table
from tests.learn.explain.conftest import phantom, trained


def _table(classes: bool, patients: int = 60) -> Table:
    """Return two cases of each patient: the target follows `first`, and `second` half as much; `noise` is none of it."""
    generator = np.random.default_rng(5)
    own = np.repeat(generator.normal(size=(patients, 4)), 2, axis=0)
    values = own + 0.05 * generator.normal(size=own.shape)
    line = 2.0 * own[:, 0] + own[:, 1]
    target: Any = (line + 0.3 * np.repeat(generator.normal(size=patients), 2) > 0).astype(np.int64) if classes else line
    groups = np.repeat([f"p{k:02d}" for k in range(patients)], 2)
    names = ("first", "second", "noise", "more noise")
    return Table(values, target, groups, np.full(len(values), ""), names, ("no", "yes") if classes else ())


def _folds(table: Table, count: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    part = np.array([int(g[1:]) % count for g in table.groups])
    return [(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(count)]


@pytest.mark.parametrize("classes", [True, False])
def test_importance_finds_what_the_target_follows(classes: bool) -> None:
    table = _table(classes)
    proof = prove(table, _folds(table), Recipe("logistic", {"strength": 1.0}), draws=200)
    found = permutation_importance(table, proof, repeats=5, draws=500)
    assert [one.name for one in found[:2]] == ["first", "second"]
    assert found[0].shown and found[1].shown and not any(one.shown for one in found[2:])
    assert all(one.score.n == len(table) for one in found)
    assert found == permutation_importance(table, proof, repeats=5, draws=500)


def test_features_that_repeat_each_other_are_worth_more_together() -> None:
    table = _table(True)
    twin = Table(
        np.column_stack([table.values, table.values[:, 0]]),
        table.target, table.groups, table.sites, (*table.names, "twin"), table.classes,
    )  # fmt: skip
    proof = prove(twin, _folds(twin), Recipe("forest", {"trees": 40}), draws=200)
    alone = {one.name: float(one.score) for one in permutation_importance(twin, proof, repeats=4, draws=200)}
    both = permutation_importance(twin, proof, features={"both": ("first", "twin")}, repeats=4, draws=200)[0]
    assert float(both.score) > alone["first"] + 0.5 * alone["twin"] and both.shown
    with pytest.raises(UnknownNameError, match="Did you mean 'first'"):
        permutation_importance(twin, proof, features={"group": ("firts",)})


def test_linear_values_are_exact_and_agree_with_sampling() -> None:
    generator = np.random.default_rng(0)
    w, cases, background = generator.normal(size=12), generator.normal(size=(3, 12)), generator.normal(size=(20, 12))
    exact = shapley_linear(w, 0.7, cases, background)
    np.testing.assert_allclose(exact.base + exact.values.sum(1), cases @ w + 0.7)
    drawn = shapley(lambda rows: rows @ w + 0.7, cases, background)
    np.testing.assert_allclose(drawn.values, exact.values, atol=1e-10)
    assert drawn.converged and drawn.base == pytest.approx(exact.base) and drawn.error.max() < 1e-10


def _crooked(rows: np.ndarray) -> np.ndarray:
    return np.tanh(rows[:, 0] * rows[:, 1]) + np.maximum(rows[:, 2], rows[:, 3]) + rows[:, 1] ** 2


def test_sets_are_summed_as_all_orders_would() -> None:
    generator = np.random.default_rng(1)
    case, background = generator.normal(size=4), generator.normal(size=(6, 4))
    expected = np.zeros(4)
    for order in permutations(range(4)):
        rows = background.copy()
        before = _crooked(rows).mean()
        for k in order:
            rows[:, k] = case[k]
            after = _crooked(rows).mean()
            expected[k] += (after - before) / 24
            before = after
    found = shapley(_crooked, case[None], background)
    np.testing.assert_allclose(found.values[0], expected, atol=1e-12)


def test_sampling_adds_up_exactly_and_states_its_error() -> None:
    generator = np.random.default_rng(2)
    cases, background = generator.normal(size=(4, 14)), generator.normal(size=(15, 14))
    # Features 4 to 13 do not enter: their values are 0, and those of the others are what four features give.
    found = shapley(_crooked, cases, background, tolerance=0.02)
    np.testing.assert_allclose(found.base + found.values.sum(1), _crooked(cases), atol=1e-10)
    exact = shapley(_crooked, cases[:, :4], background[:, :4])
    assert found.converged and np.abs(found.values[:, 4:]).max() < 1e-12
    assert (np.abs(found.values[:, :4] - exact.values) <= 5 * found.error[:, :4] + 1e-12).all()
    assert found.evaluations > 1000
    hasty = shapley(_crooked, cases[:1], background, tolerance=1e-6, most=4)
    assert not hasty.converged
    np.testing.assert_allclose(hasty.base + hasty.values.sum(1), _crooked(cases[:1]), atol=1e-10)


@pytest.mark.parametrize(("classes", "learner"), [(True, "forest"), (True, "logistic"), (False, "svm")])
def test_a_fitted_recipe_is_shared_out_to_its_features(classes: bool, learner: str) -> None:
    table = _table(classes)
    train, test = _folds(table)[0]
    settings = {"trees": 30} if learner == "forest" else {}
    fitted = Recipe(learner, settings, keep=3).fit(table.take(train))
    held = table.take(test[:6])
    found = shapley_of(fitted, held, table.take(train[::4]), target=1)
    predicted = fitted.predict(held.values, held.sites)
    np.testing.assert_allclose(found.base + found.values.sum(1), predicted[:, 1] if classes else predicted, atol=1e-9)
    unused = np.setdiff1d(np.arange(4), fitted.kept)
    assert (found.values[:, unused] == 0).all()
    assert np.abs(found.values).mean(0).argmax() == 0


def test_values_of_unlike_shapes_are_refused() -> None:
    with pytest.raises(ParameterError, match="expected the same features"):
        shapley(_crooked, np.ones((2, 4)), np.ones((3, 5)))


def _resembling(**more: Any) -> Callable[[], Any]:
    generator = np.random.default_rng(3)
    a = generator.normal(size=(40, 5))
    b = np.vstack([a[7] + 0.01, np.full(5, 9.0)])
    names = [f"t{k:02d}" for k in range(40)]
    return lambda: nearest_cases(a, b, training_cases=names, held_out_cases=["near", "far"], labels=["x", "y"] * 20, **more)


def test_nearest_cases_are_found_and_the_stranger_is_called_one() -> None:
    near, far = _resembling(count=3)()
    assert near.neighbours[0].case == "t07" and near.neighbours[0].label == "y" and near.usual > 0.9
    assert len(near.neighbours) == 3 and near.neighbours[0].distance < near.neighbours[1].distance
    assert far.usual == 0.0 and "Warning" in far.sentence and "Warning" not in near.sentence


def test_a_patient_on_both_sides_is_refused() -> None:
    with pytest.raises(ContentError, match="Patient 'p1' is in training and held out"):
        _resembling(training_patients=["p1"] * 40, held_out_patients=["p1", "p2"])()


def test_features_of_a_network_bring_like_cases_together() -> None:
    model = trained(2)
    training = [phantom(k, 2, k % 4 < 2)[0] for k in range(16)]
    held = [phantom(200, 2, True)[0], phantom(201, 2, False)[0]]
    labels = ["square" if k % 4 < 2 else "empty" for k in range(16)]
    found = nearest_cases(
        network_features(model, training), network_features(model, held),
        training_cases=[str(k) for k in range(16)], held_out_cases=["a", "b"], labels=labels, count=3,
    )  # fmt: skip
    assert [{n.label for n in one.neighbours} for one in found] == [{"square"}, {"empty"}]
