"""The deep belief network learns, and gives the same twice."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from isocenter.learn.estimators.dbn import DeepBeliefNetwork


def test_digits() -> None:
    x, y = load_digits(return_X_y=True)
    model = DeepBeliefNetwork((48,), epochs=8, seed=3).fit(x[:600], y[:600])
    p = model.predict_proba(x[600:900])
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert (model.predict(x[600:900]) == y[600:900]).mean() > 0.88
    np.testing.assert_array_equal(DeepBeliefNetwork((48,), epochs=8, seed=3).fit(x[:600], y[:600]).predict_proba(x[600:900]), p)
