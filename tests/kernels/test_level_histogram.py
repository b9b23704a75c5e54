"""The volume histogram of values listed one by one is that of the table of all values."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.kernels.level_histogram import volume_histogram, volume_of_sorted


@pytest.mark.parametrize("count", [1, 2, 3, 10, 57, 1000])
@pytest.mark.parametrize("ends", [(None, None), (-2.0, None), (None, 2.0), (-5.0, 9.0)])
@pytest.mark.parametrize("grain", [0.0, 0.1, 1.0, 100.0])
def test_equal_to_the_table(count: int, ends: tuple[float | None, float | None], grain: float) -> None:
    values = np.clip(np.random.default_rng(count).standard_normal(count), -2.0, 2.0)
    values = np.sort(np.round(values / grain) * grain if grain else values).clip(-2.0, 2.0)
    points, counts = np.unique(values, return_counts=True)
    axis = np.union1d(points, [e for e in ends if e is not None])
    table = np.zeros(len(axis), np.int64)
    table[np.searchsorted(axis, points)] = counts
    assert volume_of_sorted(values, *ends) == volume_histogram(axis, table)
