"""The median: equal to SciPy bit for bit, for every type and window."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.kernels import median as kernel
from isocenter.kernels.median import median_filter, selection_network


def values(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return (rng.standard_normal(shape) * 300).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(max(limits.min, -2000), min(limits.max, 3000), shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("radius", [(1, 1, 1), (0, 1, 2), (2, 2, 2), (3, 3, 3)])
def test_equals_scipy(dtype: str, radius: tuple[int, int, int]) -> None:
    array = values((9, 11, 13), dtype)
    expected = ndimage.median_filter(array, size=[2 * r + 1 for r in radius], mode="nearest")
    found = median_filter(array, radius)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(median_filter(array, radius, threads=2), expected)


@pytest.mark.parametrize(
    "shape, radius", [((300,), (4,)), ((300,), (90,)), ((40, 150), (1, 1)), ((40, 50), (7, 7)), ((1, 1, 5), (2, 2, 2))]
)
def test_other_dimensions_and_long_rows(shape: tuple[int, ...], radius: tuple[int, ...]) -> None:
    array = values(shape, "float32")
    expected = ndimage.median_filter(array, size=[2 * r + 1 for r in radius], mode="nearest")
    np.testing.assert_array_equal(median_filter(array, radius), expected)


def test_more_values_than_levels() -> None:
    array = values((46, 48, 50), "float32")
    assert len(np.unique(array)) > kernel._LEVELS
    expected = ndimage.median_filter(array, size=7, mode="nearest")[:8, :8, :8]
    np.testing.assert_array_equal(median_filter(array, (3, 3, 3), threads=2)[:8, :8, :8], expected)


def test_special_values_keep_their_order() -> None:
    array = np.array([-np.inf, -5.0, -0.5, 0.0, 2.0, np.inf, np.nan, np.nan], np.float32)
    found = median_filter(array, (1,))
    np.testing.assert_array_equal(found, np.array([-np.inf, -5, -0.5, 0, 2, np.inf, np.nan, np.nan], np.float32))
    integers = np.array([-(2**62), 2**62, 0, 5, -7], np.int64)
    np.testing.assert_array_equal(median_filter(integers, (1,)), ndimage.median_filter(integers, size=3, mode="nearest"))
    assert median_filter(np.array([True, False, True, True]), (1,)).tolist() == [True, True, True, True]
    assert median_filter(np.array([1.5, 9.0, 2.5], np.float16), (1,)).tolist() == [1.5, 2.5, 2.5]


def test_values_without_order_are_refused() -> None:
    with pytest.raises(ContentError, match="no order"):
        median_filter(np.zeros(4, complex), (1,))


@pytest.mark.parametrize("count", [1, 3, 5, 9, 15, 25, 27, 45])
def test_network_puts_the_middle_in_place(count: int) -> None:
    network = selection_network(count)
    lanes = np.random.default_rng(count).integers(0, 9, (count, 500))
    expected = np.sort(lanes, axis=0)[count // 2]
    for low, high, use in network:
        a, b = lanes[low].copy(), lanes[high].copy()
        if use & 1:
            lanes[low] = np.minimum(a, b)
        if use & 2:
            lanes[high] = np.maximum(a, b)
    np.testing.assert_array_equal(lanes[count // 2], expected)
