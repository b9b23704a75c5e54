"""The extreme learning machine: real cells, determinism, both kinds of nodes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from isocenter.core.errors import ContentError, ParameterError
from isocenter.learn.estimators.elm import ExtremeLearningMachine


def cells() -> tuple[np.ndarray, np.ndarray]:
    data = load_breast_cancer()
    return (data.data - data.data.mean(axis=0)) / data.data.std(axis=0), data.target


@pytest.mark.parametrize("kind", ["gaussian", "sigmoid"])
def test_half_of_the_cells_teach_the_other_half(kind: str) -> None:
    x, y = cells()
    model = ExtremeLearningMachine(200, kind, seed=1, ridge=0.1).fit(x[::2], y[::2])  # type: ignore[arg-type]  # parametrised
    p = model.predict_proba(x[1::2])
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert (model.predict(x[1::2]) == y[1::2]).mean() > 0.94
    again = ExtremeLearningMachine(200, kind, seed=1, ridge=0.1).fit(x[::2], y[::2])  # type: ignore[arg-type]  # parametrised
    np.testing.assert_array_equal(again.predict_proba(x[1::2]), p)


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(ContentError):
        ExtremeLearningMachine().fit(np.zeros((4, 2)), [1, 1, 1, 1])
    with pytest.raises(ParameterError):
        ExtremeLearningMachine(kind="cubic").fit(np.zeros((4, 2)), [0, 1, 0, 1])  # type: ignore[arg-type]  # the error itself
