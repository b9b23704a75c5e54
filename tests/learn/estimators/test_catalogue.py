"""Every learner of the catalogue, by the same questions."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError, UnknownNameError
from isocenter.learn.estimators.catalogue import LEARNERS, learner
from isocenter.learn.recipe import Recipe, Table


def table(regression: bool = False, n: int = 90) -> Table:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(n, 6))
    score = x[:, 0] + 0.8 * x[:, 1]
    target = 50 + 10 * score if regression else (score + 0.3 * generator.normal(size=n) > 0).astype(int)
    return Table(x, target, np.arange(n).astype(str), np.full(n, ""), tuple("abcdef"), () if regression else ("no", "yes"))


@pytest.mark.parametrize("name", LEARNERS)
def test_it_learns_and_repeats(name: str) -> None:
    for task in LEARNERS[name].tasks:
        data = table(task == "regression")
        model = Recipe(name, dict(LEARNERS[name].settings[0]), seed=2).fit(data.take(range(60)))
        found = model.predict(data.values[60:], data.sites[60:])
        again = Recipe(name, dict(LEARNERS[name].settings[0]), seed=2).fit(data.take(range(60)))
        np.testing.assert_array_equal(again.predict(data.values[60:], data.sites[60:]), found)
        if task == "regression":
            error, floor = np.abs(found - data.target[60:]).mean(), np.abs(data.target[60:] - np.median(data.target)).mean()
            assert found.shape == (30,) and (error < 0.9 * floor or name == "majority")
        else:
            np.testing.assert_allclose(found.sum(axis=1), 1.0)
            assert ((found[:, 1] > 0.5) == data.target[60:]).mean() > 0.75 or name == "majority"


def test_every_learner_says_what_it_is() -> None:
    assert next(iter(LEARNERS)) == "majority", "the floor comes first"
    for name, one in LEARNERS.items():
        assert one.name == name and one.summary.endswith(".") and one.settings


def test_unknown_names_and_tasks() -> None:
    with pytest.raises(UnknownNameError, match="forest"):
        learner("forrest")
    with pytest.raises(ParameterError, match="classification"):
        Recipe("elm").fit(table(regression=True))
