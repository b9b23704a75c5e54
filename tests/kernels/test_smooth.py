"""Gaussian smoothing: equal to SciPy to rounding, to the bit on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.kernels.smooth import gaussian, gaussian_weights


@pytest.mark.parametrize("dtype, room", [("float32", 2e-6), ("float64", 1e-13), ("int16", 2e-3)])
@pytest.mark.parametrize("sigma", [(1.0, 2.0, 0.7), (0.0, 5.0, 0.0), (3.0, 3.0, 3.0)])
def test_equals_scipy(dtype: str, room: float, sigma: tuple[float, float, float]) -> None:
    array = (np.random.default_rng(0).standard_normal((9, 12, 17)) * (1000 if dtype == "int16" else 1)).astype(dtype)
    expected = ndimage.gaussian_filter(array.astype(np.float64), sigma, mode="nearest", truncate=4.0)
    found = gaussian(array, sigma)
    assert found.dtype == (np.float64 if dtype == "float64" else np.float32)
    np.testing.assert_allclose(found, expected, atol=room)
    np.testing.assert_array_equal(found, gaussian(array, sigma, threads=2))


def test_one_axis_and_the_input_stays() -> None:
    array = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    before = array.copy()
    np.testing.assert_allclose(
        gaussian(array, (2.0,)), ndimage.gaussian_filter1d(array.astype(float), 2.0, mode="nearest"), atol=1e-6
    )
    same = gaussian(array, (0.0,))
    np.testing.assert_array_equal(array, before)
    assert not np.shares_memory(same, array)


def test_weights_sum_to_one() -> None:
    for sigma in (0.05, 0.3, 1.0, 7.7):
        half = gaussian_weights(sigma)
        assert 2 * half.sum() - half[0] == pytest.approx(1.0, abs=1e-14)
