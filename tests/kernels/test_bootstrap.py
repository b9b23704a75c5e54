"""Intervals: their coverage, whole groups, and no certainty from few cases."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.kernels.bootstrap import (
    auc_interval,
    group_weights,
    mean_interval,
    percentile_interval,
    proportion_interval,
    widened,
)


def test_groups_are_drawn_whole() -> None:
    groups = np.array(["a", "a", "b", "c", "c", "c"])
    for weights in group_weights(groups, 100):
        assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3:] == weights[:, 3:4]).all()
        assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_weights_do_not_depend_on_how_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(group_weights(np.arange(7), 50, seed=3)))
    monkeypatch.setattr("isocenter.kernels.bootstrap._AT_ONCE", 70)
    parts = list(group_weights(np.arange(7), 50, seed=3))
    assert len(parts) == 5
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    inside = 0
    for k in range(200):
        interval = mean_interval(generator.normal(5.0, 2.0, 60), draws=400, seed=k)
        assert interval is not None
        inside += interval[0] <= 5.0 <= interval[1]
    assert 180 <= inside <= 198


def test_dependent_cases_widen_the_interval() -> None:
    generator = np.random.default_rng(2)
    patients = np.repeat(np.arange(20), 10)
    values = np.repeat(generator.normal(size=20), 10) + 0.01 * generator.normal(size=200)
    apart, together = mean_interval(values), mean_interval(values, patients)
    assert apart is not None and together is not None
    assert together[1] - together[0] > 2.5 * (apart[1] - apart[0])


def test_nothing_is_said_of_one_group_or_of_undefined_values() -> None:
    assert mean_interval([1.0, 2.0], ["a", "a"]) is None
    assert percentile_interval([np.nan, np.nan, 1.0]) is None
    with pytest.raises(ParameterError):
        list(group_weights([]))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)],
)
def test_wilson_as_published(right: int, n: int, low: float, high: float) -> None:
    """Newcombe. Statistics in Medicine 17 (1998) 857-872, table I, method 3."""
    assert proportion_interval(right, n) == pytest.approx((low, high), abs=6e-5)


def test_perfect_separation_of_few_is_not_certain() -> None:
    few, many = auc_interval(1.0, 5, 5), auc_interval(1.0, 500, 500)
    assert few is not None and many is not None
    assert few[1] == 1.0 and few[0] < 0.75 and many[0] > 0.99
    middle = auc_interval(0.8, 50, 50)
    assert middle is not None and middle[0] < 0.8 < middle[1] and 0.69 < middle[0] < 0.72 and 0.86 < middle[1] < 0.89
    assert auc_interval(0.8, 0, 5) is None


def test_widening_keeps_the_value_inside() -> None:
    assert widened(0.8, (0.7, 0.84), 2.0) == pytest.approx((0.6, 0.88))
    assert widened(0.8, None, 2.0) is None and widened(np.nan, (0.1, 0.2), 2.0) == (0.1, 0.2)
