"""Curves of short integers by a table are those of floats."""

from __future__ import annotations

import numpy as np
import pytest

import isocenter as iso
from isocenter.kernels.otsu import histogram
from isocenter.kernels.tone import count_levels, look_up, weigh_levels

TYPES = ["int8", "uint8", "int16", "uint16"]


def values(dtype: str) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(0).integers(info.min // 2, info.max, (7, 31), dtype=dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_levels_weigh_what_samples_count(dtype: str) -> None:
    data = values(dtype)
    counts, levels = histogram(data, threads=2)
    assert np.array_equal(counts[counts > 0], np.unique(data, return_counts=True)[1])
    low, high = float(levels[0]), float(levels[-1])
    weighed = weigh_levels(levels.astype(np.float32), counts, low, high, 64)
    assert np.array_equal(weighed, count_levels(data.astype(np.float32), low, high, 64))


@pytest.mark.parametrize("dtype", TYPES)
def test_a_table_is_looked_up_whatever_the_sign(dtype: str) -> None:
    data = values(dtype)
    table = np.arange(int(data.max()) - int(data.min()) + 1, dtype=np.float32)
    assert np.array_equal(look_up(data, int(data.min()), table, 2), data.astype(np.float32) - float(data.min()))


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_equalised_integers_are_equalised_floats(dtype: str) -> None:
    data = values(dtype)
    grid = iso.Geometry.regular(data.shape, (1.0, 1.0))
    equalize = iso.op("enhance.equalize", bins=40)
    one, two = (np.asarray(equalize(iso.Image(a, ("y", "x"), grid)).array) for a in (data, data.astype(np.float32)))
    assert one.dtype == np.float32 and np.array_equal(one, two)
