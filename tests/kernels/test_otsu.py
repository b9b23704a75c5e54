"""Otsu: equal to scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from isocenter.core.errors import ContentError
from isocenter.kernels.otsu import histogram, otsu


def two_classes(dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(-600, 80, 4000), rng.normal(60, 50, 2500)])
    if dtype.startswith("u"):
        values = (values + 1000) / (10 if dtype == "uint8" else 1)
    return np.clip(values, 0 if dtype.startswith("u") else None, 255 if dtype == "uint8" else None).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("seed", range(5))
def test_equals_skimage(dtype: str, seed: int) -> None:
    values = two_classes(dtype, seed).reshape(65, 100)
    expected = threshold_otsu(values)
    assert otsu(values) == pytest.approx(float(expected), rel=1e-6)
    assert otsu(values, threads=1) == otsu(values, threads=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_counts_equal_numpy(dtype: str) -> None:
    values = np.random.default_rng(0).standard_normal(5000).astype(dtype)
    values[:300] = np.linspace(values.min(), values.max(), 300)
    counts, _ = histogram(values, bins=64)
    expected, _ = np.histogram(values.astype(np.float64), bins=64)
    np.testing.assert_array_equal(counts, expected)


def test_region_and_constant_and_nothing() -> None:
    values = two_classes("int16")
    region = np.zeros(values.shape, bool)
    region[:4000] = True
    assert otsu(values, region) == otsu(values[:4000])
    assert otsu(np.full(10, 7)) == 7.0
    assert otsu(np.full(10, 7.5)) == 7.5
    with pytest.raises(ContentError, match="No samples"):
        otsu(values, np.zeros(values.shape, bool))
    with pytest.raises(ContentError, match="not finite"):
        otsu(np.array([1.0, np.nan]))


def test_wide_integers_are_binned() -> None:
    values = np.array([0, 1, 2, 10**9, 10**9 + 5], dtype=np.int64)
    assert 2 < otsu(values) < 10**9
