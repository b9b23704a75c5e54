"""Subgroups: all of them, with their n, and a warning where they are small."""

from __future__ import annotations

import numpy as np

from isocenter.learn.evaluate.regression import evaluate_regression
from isocenter.learn.evaluate.subgroups import by_subgroup


def test_each_value_has_its_scores() -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(size=60)
    p = y + generator.normal(size=60) * np.where(np.arange(60) < 30, 0.1, 2.0)
    attributes = {
        "sex": np.array(["F"] * 30 + ["M"] * 29 + [""]),
        "age": np.linspace(20, 80, 60).astype(str),
        "site": np.array(["a"] * 55 + ["b"] * 5),
    }
    rows = by_subgroup(attributes, np.arange(60), lambda i: evaluate_regression(y[i], p[i], draws=50))
    found = {(r.attribute, r.value): r for r in rows}
    assert sum(r.n for r in rows if r.attribute == "sex") == 60
    female, male = found["sex", "F"].scores, found["sex", "M"].scores
    assert female is not None and male is not None and float(female["mae"]) < float(male["mae"])
    assert found["sex", "(not given)"].scores is None and "One case alone" in found["sex", "(not given)"].note
    assert "too few" in found["site", "b"].note
    assert len([r for r in rows if r.attribute == "age"]) == 3
