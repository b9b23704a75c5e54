"""Averages of learners."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from isocenter.learn.estimators.ensemble import Average, probabilities_of


def test_the_mean_of_its_members() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 4))
    y = np.array(["a", "b"])[(x[:, 0] > 0).astype(int)]
    average = Average((SVC(), LogisticRegression())).fit(x, y)
    p = average.predict_proba(x)
    np.testing.assert_allclose(p, (probabilities_of(average.members[0], x) + average.members[1].predict_proba(x)) / 2)
    assert (average.predict(x) == y).mean() > 0.95
    numbers = Average((Ridge(1.0), Ridge(100.0))).fit(x, x[:, 1])
    np.testing.assert_allclose(numbers.predict(x), (numbers.members[0].predict(x) + numbers.members[1].predict(x)) / 2)


def test_decisions_become_probabilities() -> None:
    x = np.linspace(-2, 2, 30)[:, None]
    for y in ((x[:, 0] > 0).astype(int), np.digitize(x[:, 0], [-0.7, 0.7])):
        model = SVC().fit(x, y)
        p = probabilities_of(model, x)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        np.testing.assert_array_equal(p.argmax(axis=1), model.predict(x))
