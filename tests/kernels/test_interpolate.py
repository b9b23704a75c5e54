"""The interpolator: against SciPy, in one to three axes, bit-equal on two threads, and deaf to what has no weight."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.kernels.interpolate import Method, Sampler, sample_affine, sample_points, snapped

ORDER: dict[Method, int] = {"nearest": 0, "linear": 1, "cubic": 3}
SHAPES = [(23,), (9, 13), (7, 8, 9), (1, 8, 9), (7, 1, 9), (7, 8, 1)]


def values(shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    return (np.random.default_rng(len(shape)).standard_normal(shape) * 100).astype(dtype)


def inner_map(shape: tuple[int, ...], turned: bool) -> np.ndarray:
    """Return a map of a 6-sample grid into the inside of an array, away from ties."""
    n = len(shape)
    step = np.diag([(s - 1) / 7.3 for s in shape])
    if turned:
        step = step + 0.013 * (np.asarray(shape) > 1)[:, None] * np.ones((n, n))
    return np.column_stack([step, [0.0317 * (s - 1) for s in shape]])


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_equals_scipy(method: Method, shape: tuple[int, ...], turned: bool, dtype: str) -> None:
    array, matrix = values(shape, dtype), inner_map(shape, turned)
    size = (6,) * len(shape)
    expected = ndimage.affine_transform(
        array.astype(np.float64), matrix[:, :-1], matrix[:, -1], size, order=ORDER[method], mode="mirror"
    )
    found = sample_affine(array, matrix, size, method)
    np.testing.assert_allclose(found, expected, atol=1e-10 if dtype == "float64" else 2e-4)
    np.testing.assert_array_equal(found, sample_affine(array, matrix, size, method, threads=2))
    index = np.moveaxis(np.indices(size), 0, -1) @ matrix[:, :-1].T + matrix[:, -1]
    np.testing.assert_allclose(sample_points(array, index, method), found, atol=1e-9 if dtype == "float64" else 2e-4)


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic", "label"])
@pytest.mark.parametrize("turned", [False, True])
def test_half_a_sample_beyond_the_last_belongs_to_the_image(method: Method, turned: bool) -> None:
    array = np.full((4, 5), 7, np.uint8)
    matrix = np.array([[1.0, 1e-4 if turned else 0.0, -1.0], [0.0, 1.0, -1.0]]) * 0.5
    found = sample_affine(array, matrix, (11, 13), method, fill=3)
    index = np.moveaxis(np.indices((11, 13)), 0, -1) @ matrix[:, :2].T + matrix[:, 2]
    inside = ((index >= -0.5 - 1e-6) & (index <= np.array([3.5, 4.5]) + 1e-6)).all(axis=-1)
    np.testing.assert_allclose(found, np.where(inside, 7, 3), atol=1e-5)
    np.testing.assert_allclose(sample_affine(array, matrix, (11, 13), method, fill=None), 7, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turned", [False, True])
def test_a_label_is_the_one_with_the_largest_linear_share(shape: tuple[int, ...], turned: bool) -> None:
    array = ndimage.zoom(np.random.default_rng(5).integers(0, 4, [-(-n // 2) for n in shape]), 2, order=0).astype(np.uint8)
    array = np.ascontiguousarray(array[tuple(slice(n) for n in shape)])
    matrix, size = inner_map(shape, turned), (9,) * len(shape)  # the last samples lie beyond the array
    shares = [sample_affine((array == k).astype(np.float64), matrix, size, fill=None) for k in range(4)]
    np.testing.assert_array_equal(sample_affine(array, matrix, size, "label", None), np.argmax(shares, axis=0))


@pytest.mark.parametrize("shift", [0.0, 1e-13])
@pytest.mark.parametrize("turned", [False, True])
def test_infinities_stay_where_they_are(shift: float, turned: bool) -> None:
    array = values((5, 6, 7), "float32")
    array[2, 3, 3] = np.inf
    array[4, 0, 0] = np.nan
    matrix = np.column_stack([np.eye(3), np.full(3, shift)])
    expected = array
    if turned:
        matrix[:, :3] = np.eye(3)[:, [2, 0, 1]]
        expected = np.transpose(array, (2, 0, 1))
    np.testing.assert_array_equal(sample_affine(array, matrix, expected.shape), expected)


def test_types_and_empty_sets() -> None:
    assert sample_affine(np.array([True, False, True]), np.array([[1.0, 0.0]]), (3,), "nearest").dtype == np.bool_
    big = np.array([2**60 + 1, 5], np.int64)
    assert sample_affine(big, np.array([[1.0, 0.0]]), (2,), "nearest").tolist() == big.tolist()
    assert sample_affine(np.arange(4, dtype=">i2"), np.array([[1.0, 0.5]]), (3,)).tolist() == [0.5, 1.5, 2.5]
    assert Sampler(np.zeros((3, 3)))(np.zeros((0, 2))).shape == (0,)


def test_snapping_takes_off_rounding_noise_alone() -> None:
    assert snapped(np.array([1 + 1e-12, 0.3, -1e-15])).tolist() == [1.0, 0.3, 0.0]
