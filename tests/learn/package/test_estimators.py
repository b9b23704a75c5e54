"""Every learner as arrays predicts what the learner predicted."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.learn.estimators.catalogue import LEARNERS
from isocenter.learn.estimators.ensemble import probabilities_of
from isocenter.learn.package.estimators import from_arrays, to_arrays
from isocenter.learn.recipe import one_thread

CASES = [
    (name, task, classes)
    for name, one in LEARNERS.items()
    for task, classes in (("classification", 2), ("classification", 3), ("regression", 0))
    if task in one.tasks
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("name", "task", "classes"), CASES)
def test_arrays_predict_what_the_learner_predicted(name: str, task: str, classes: int) -> None:
    generator = np.random.default_rng(7)
    x = generator.normal(size=(90, 6))
    y = np.argsort(np.argsort(x[:, 0] + 0.5 * generator.normal(size=90))) * classes // 90 if classes else x[:, 0] - x[:, 1] ** 2
    settings = {"forest": {"trees": 20}, "elm": {"nodes": 30}}.get(name, {})
    with one_thread():
        model = LEARNERS[name].make(task, 0, 6, **settings).fit(x[:70], y[:70])
        description, arrays = to_arrays(model)
        back = from_arrays(description, arrays)
        seen = np.concatenate([x[60:], 3.0 * x[:5]])  # cases it was fitted on, new ones, and some far off
        expected = probabilities_of(model, seen) if classes else model.predict(seen)
        found = probabilities_of(back, seen) if classes else back.predict(seen)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert all(value.dtype.kind in "fi" for value in arrays.values())
    again, same = to_arrays(back)
    assert again == description and all(np.array_equal(same[k], v) for k, v in arrays.items())


def test_arrays_that_do_not_fit_are_refused() -> None:
    x = np.arange(12.0).reshape(6, 2)
    description, arrays = to_arrays(LEARNERS["logistic"].make("classification", 0, 2).fit(x, [0, 0, 0, 1, 1, 1]))
    with pytest.raises(FormatError, match="do not fit"):
        from_arrays(description, {**arrays, "slopes": arrays["slopes"][:1]})
    with pytest.raises(FormatError, match="do not fit"):
        from_arrays({"form": "pickle", "kind": "linear"}, arrays)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="cannot be packaged"):
        to_arrays(object())
