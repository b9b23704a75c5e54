"""What is fitted inside a fold, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.learn.recipe import Recipe, Table


def table(n: int = 80, features: int = 10) -> Table:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(n, features))
    y = (x[:, 0] > 0).astype(int)
    return Table(x, y, np.arange(n).astype(str), np.full(n, ""), tuple(f"f{k}" for k in range(features)), ("a", "b"))


def test_nothing_is_learned_from_cases_that_are_predicted() -> None:
    data = table()
    model = Recipe("svm").fit(data.take(range(50)))
    together = model.predict(data.values[50:], data.sites[50:])
    one = model.predict(data.values[60:61], data.sites[60:61])
    np.testing.assert_allclose(together[10], one[0], atol=1e-12)


def test_gaps_are_filled_with_training_medians() -> None:
    data = table()
    x = data.values.copy()
    x[::7, 3] = np.nan
    x[:, 5] = np.nan
    holed = Table(x, data.target, data.groups, data.sites, data.names, data.classes)
    model = Recipe("logistic").fit(holed)
    assert model.middle[3] == np.nanmedian(x[:, 3]) and 5 not in model.kept
    assert np.isfinite(model.predict(x, data.sites)).all()


def test_features_that_repeat_a_kept_one_are_passed_over() -> None:
    data = table()
    x = np.concatenate([data.values, data.values[:, :1] * 2 + 1e-3 * data.values[:, 1:2]], axis=1)
    more = Table(x, data.target, data.groups, data.sites, (*data.names, "copy"), data.classes)
    kept = Recipe("logistic", keep=4).fit(more).kept
    assert kept.size == 4 and (0 in kept) != (10 in kept)


def test_a_skewed_target_is_learned_as_a_logarithm() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 3))
    y = np.exp(3 + x[:, 0] + 0.1 * generator.normal(size=200))
    data = Table(x, y, np.arange(200).astype(str), np.full(200, ""), ("a", "b", "c"))
    model = Recipe("logistic").fit(data.take(range(150)))
    assert model.logarithm and np.abs(np.log(model.predict(x[150:], data.sites[150:]) / y[150:])).mean() < 0.15
    shifted = Table(x, x[:, 0] + 50, data.groups, data.sites, data.names)
    assert not Recipe("logistic").fit(shifted).logarithm


def test_refusals() -> None:
    data = table()
    with pytest.raises(ContentError, match="one class"):
        Recipe("svm").fit(data.take(np.flatnonzero(data.target == 0)))
    with pytest.raises(ContentError, match="No feature varies"):
        Recipe("svm").fit(Table(np.ones((80, 2)), data.target, data.groups, data.sites, ("a", "b"), data.classes))
    with pytest.raises(ContentError, match="10 columns"):
        Recipe("svm").fit(data).predict(np.zeros((1, 3)), [""])
    with pytest.raises(ContentError):
        Table(np.zeros((2, 1)), np.zeros(3), np.array(["", ""]), np.array(["", ""]), ("a",))
