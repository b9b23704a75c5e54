"""Splines along one axis, against SciPy's coefficients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.kernels.spline_lines import spline_axis

PICK = np.array([0.0, 0.0, 0.0, 1.0])


@pytest.mark.parametrize("size", [2, 3, 17, 90])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_coefficients_are_those_of_scipy(size: int, axis: int, dtype: str) -> None:
    shape = [5, 20, 150]
    shape[axis] = size
    array = (np.random.default_rng(size).standard_normal(shape) * 100).astype(dtype)
    places, weights = np.repeat(np.arange(size)[:, None], 4, axis=1), np.tile(PICK, (size, 1))
    kind = np.dtype(np.float32 if dtype == "int16" else dtype)
    found = spline_axis(array, axis, places, weights, kind, threads=2)
    expected = ndimage.spline_filter1d(array.astype(np.float64), 3, axis=axis, output=np.float64, mode="mirror")
    np.testing.assert_allclose(found, expected, atol=1e-9 if dtype == "float64" else 1e-3)
    np.testing.assert_array_equal(found, spline_axis(array, axis, places, weights, kind))
