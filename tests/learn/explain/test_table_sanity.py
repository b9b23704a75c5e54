"""Random weights of table models: they change what the model says, and an explanation that does not follow is told."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.learn.explain.table_sanity import randomised_table, sanity_of_table
from isocenter.learn.package.models import TableModel
from isocenter.learn.prove import FoldModel
from isocenter.learn.recipe import Recipe, Table

NAMES = ("a", "b", "c", "d")


def model_of(learner: str) -> tuple[TableModel, Table]:
    x = np.random.default_rng(0).normal(size=(60, 4))
    table = Table(x, (x[:, 0] + 0.8 * x[:, 1] > 0).astype(int), np.arange(60).astype(str), np.full(60, ""), NAMES, ("no", "yes"))
    settings = {"trees": 20} if learner == "forest" else {}
    return TableModel((FoldModel(Recipe(learner, settings).fit(table), None, 0.5, {}),), NAMES, "table"), table


@pytest.mark.parametrize("learner", ["logistic", "svm", "forest", "boosting", "neighbours", "elm", "dbn"])
def test_random_weights_say_something_else(learner: str) -> None:
    model, table = model_of(learner)
    said = model.predict(table.values, table.sites)[:, 1]
    other = randomised_table(model, 1)
    assert other is not None
    changed = other.predict(table.values, table.sites)[:, 1]
    assert np.isfinite(changed).all() and abs(np.corrcoef(said, changed)[0, 1]) < 0.9
    assert np.array_equal(model.predict(table.values, table.sites)[:, 1], said), "the model itself stays as it is"
    again = randomised_table(model, 1)
    assert again is not None and np.array_equal(again.predict(table.values, table.sites)[:, 1], changed)


def test_an_explanation_that_ignores_the_weights_fails() -> None:
    model, table = model_of("logistic")
    blind = sanity_of_table(lambda _: table.values, model, signed=True)
    assert blind is not None and not blind.passed and blind.value == pytest.approx(1.0)
    assert "must not be read as its reason" in blind.sentence
    seeing = sanity_of_table(lambda m: m.predict(table.values, table.sites)[:, 1], model, signed=True)
    assert seeing is not None and seeing.passed


def test_a_model_without_weights_cannot_be_checked() -> None:
    assert randomised_table(model_of("majority")[0], 1) is None
    assert sanity_of_table(lambda m: np.zeros(3), model_of("majority")[0]) is None
