"""Masks: against SciPy and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ParameterError
from isocenter.kernels import labels as k


def blobs(shape: tuple[int, ...], seed: int = 0, level: float = 0.6) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.2)
    return noise > np.quantile(noise, level)


def brute_distance(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    outside = np.argwhere(~mask) * np.asarray(spacing)
    result = np.zeros(mask.shape)
    for index in np.argwhere(mask):
        result[tuple(index)] = np.sqrt(((outside - index * np.asarray(spacing)) ** 2).sum(axis=1)).min()
    return result


@pytest.mark.parametrize("shape", [(40,), (20, 24), (12, 14, 16)])
@pytest.mark.parametrize("connectivity", [6, 18, 26, None])
def test_components_equal_scipy(shape: tuple[int, ...], connectivity: int | None) -> None:
    mask = blobs(shape)
    order = {6: 1, 18: 2, 26: 3, None: 3}[connectivity]
    structure = ndimage.generate_binary_structure(len(shape), min(order, len(shape)))
    expected, count = ndimage.label(mask, structure)
    found, n = k.components(mask, connectivity)
    assert n == count
    np.testing.assert_array_equal(found, expected)  # both number by first sample


def test_components_of_nothing_and_of_read_only_views() -> None:
    empty = np.zeros((4, 5, 6), bool)
    empty.setflags(write=False)
    assert k.components(empty)[1] == 0
    full = np.ones((4, 5, 6), bool)[:, ::-1]
    full.setflags(write=False)
    assert k.components(full)[1] == 1
    with pytest.raises(ParameterError, match="neighbour count"):
        k.components(full, 7)
    with pytest.raises(ParameterError, match="one to three axes"):
        k.components(np.ones((1, 1, 1, 1), bool))


def test_largest_and_islands() -> None:
    mask = np.zeros((1, 20), bool)
    mask[0, [0, 1, 4, 5, 6, 10, 13, 14, 15]] = True
    assert np.flatnonzero(k.keep_largest(mask)[0]).tolist() == [4, 5, 6]  # of equal ones the first
    assert np.flatnonzero(k.keep_largest(mask, 2)[0]).tolist() == [4, 5, 6, 13, 14, 15]
    assert np.flatnonzero(k.remove_islands(mask, 2)[0]).tolist() == [0, 1, 4, 5, 6, 13, 14, 15]
    assert not k.keep_largest(np.zeros((3, 3), bool)).any()


@pytest.mark.parametrize("shape", [(30,), (24, 26), (12, 13, 14), (1, 9, 9), (9, 9, 1)])
def test_fill_holes_equals_scipy(shape: tuple[int, ...]) -> None:
    mask = blobs(shape, 3, 0.35)
    expected = ndimage.binary_fill_holes(mask)
    np.testing.assert_array_equal(k.fill_holes(mask), expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_fill_holes_in_slices(axis: int) -> None:
    mask = blobs((9, 10, 11), 5, 0.35)
    expected = np.stack([ndimage.binary_fill_holes(s) for s in np.moveaxis(mask, axis, 0)])
    np.testing.assert_array_equal(k.fill_holes(mask, axis=axis), np.moveaxis(expected, 0, axis))


@pytest.mark.parametrize(("shape", "spacing"), [((20,), (2.5,)), ((11, 12), (0.7, 3.0)), ((7, 8, 9), (3.0, 1.0, 0.5))])
def test_distance_is_the_definition(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    mask = blobs(shape, 1, 0.4)
    np.testing.assert_allclose(k.distance_inside(mask, spacing), brute_distance(mask, spacing), rtol=1e-5)
    np.testing.assert_allclose(k.distance_to(mask, spacing), brute_distance(~mask, spacing), rtol=1e-5)
    one = k.distance_to(mask, spacing, threads=1)
    np.testing.assert_array_equal(one, k.distance_to(mask, spacing, threads=2))


def test_distance_of_an_empty_mask_is_infinite_and_spacing_must_fit() -> None:
    assert np.isinf(k.distance_to(np.zeros((4, 4), bool), (1.0, 1.0))).all()
    with pytest.raises(ParameterError, match="one per axis"):
        k.distance_to(np.zeros((4, 4), bool), (1.0,))


def ball(radius: float, spacing: tuple[float, ...]) -> np.ndarray:
    reach = [int(np.floor(radius / s + 1e-6)) for s in spacing]
    grid = np.meshgrid(*[np.arange(-r, r + 1) * s for r, s in zip(reach, spacing, strict=True)], indexing="ij")
    return sum(g**2 for g in grid) <= radius**2 + 1e-9


@pytest.mark.parametrize("radius", [1.0, 2.0, 3.3])
def test_dilation_and_erosion_take_a_ball_in_mm(radius: float) -> None:
    spacing, mask = (3.0, 1.0, 0.8), blobs((9, 14, 15), 2, 0.7)
    structure = ball(radius, spacing)
    np.testing.assert_array_equal(k.dilate(mask, radius, spacing), ndimage.binary_dilation(mask, structure))
    np.testing.assert_array_equal(k.erode(mask, radius, spacing), ndimage.binary_erosion(mask, structure, border_value=1))


@pytest.mark.parametrize("radius", [0.0, 1.5, 4.0])
def test_opening_only_removes_and_closing_only_adds(radius: float) -> None:
    spacing, mask = (2.0, 1.0, 1.0), blobs((10, 15, 15), 4, 0.6)
    opened, closed = k.opening(mask, radius, spacing), k.closing(mask, radius, spacing)
    assert not (opened & ~mask).any()
    assert not (mask & ~closed).any()
    np.testing.assert_array_equal(k.opening(opened, radius, spacing), opened)
    np.testing.assert_array_equal(k.closing(closed, radius, spacing), closed)


def test_closing_joins_a_gap_but_not_to_the_edge() -> None:
    mask = np.zeros((1, 20), bool)
    mask[0, [2, 3, 6, 7]] = True
    closed = k.closing(mask, 1.5, (1.0, 1.0))
    assert np.flatnonzero(closed[0]).tolist() == [2, 3, 6, 7] or closed[0, 4:6].all()
    mask = np.zeros((20, 20), bool)
    mask[2:18, 2:8] = mask[2:18, 9:15] = True
    closed = k.closing(mask, 2.0, (1.0, 1.0))
    assert closed[5:15, 8].all()
    assert not closed[:2].any()
    assert not closed[:, :2].any()


def test_boundary_is_what_erosion_takes_away() -> None:
    mask = blobs((9, 10, 11), 6, 0.4)
    np.testing.assert_array_equal(k.boundary(mask), mask & ~ndimage.binary_erosion(mask))


def test_bounding_box() -> None:
    mask = np.zeros((5, 6, 7), bool)
    mask[1:3, 2, 4:6] = True
    assert k.bounding_box(mask) == (slice(1, 3), slice(2, 3), slice(4, 6))
    assert k.bounding_box(mask, 2) == (slice(0, 5), slice(0, 5), slice(2, 7))
    assert k.bounding_box(np.zeros((3, 3), bool)) is None
