"""Runs of masks: components, islands and holes as SciPy tells them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.kernels.runs import fill, keep, reaching, runs_of

SHAPES = [(1, 1, 1), (3, 5, 8), (4, 7, 9), (6, 9, 67), (1, 12, 30)]


def mask(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return (ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 0.7) > 0).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("connectivity", "rank"), [(6, 1), (18, 2), (26, 3)])
def test_components_are_those_of_scipy(shape: tuple[int, ...], connectivity: int, rank: int) -> None:
    data = mask(shape)
    labels, count = ndimage.label(data, ndimage.generate_binary_structure(3, rank))
    runs = runs_of(data, connectivity)
    assert runs.count == count
    assert np.array_equal(runs.sizes, np.bincount(labels.ravel(), minlength=count + 1)[1:])
    wanted = runs.sizes >= 4
    keep(data, runs, wanted)
    assert np.array_equal(data.astype(bool), np.append(False, wanted)[labels])


@pytest.mark.parametrize("connectivity", [4, 8])
def test_slices_can_stay_apart(connectivity: int) -> None:
    data = mask((4, 9, 20), 3)
    structure = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    assert runs_of(data, connectivity).count == sum(ndimage.label(part, structure)[1] for part in data)


@pytest.mark.parametrize("shape", [s for s in SHAPES if min(s) > 1])
@pytest.mark.parametrize("planar", [False, True])
def test_holes_are_those_of_scipy(shape: tuple[int, ...], planar: bool) -> None:
    data = mask(shape, 5)
    expected = np.stack([ndimage.binary_fill_holes(p) for p in data]) if planar else ndimage.binary_fill_holes(data)
    fill(data, planar)
    assert np.array_equal(data.astype(bool), expected)


def test_a_component_reaches_a_value_that_one_of_its_samples_has() -> None:
    data = np.array([[[1, 1, 0, 1, 0, 1]]], np.uint8)
    values = np.array([[[0, 9, 99, 5, 0, 6]]], np.int16)
    assert reaching(runs_of(data, 6), values, 5.0).tolist() == [True, False, True]


def test_a_mask_without_runs() -> None:
    data = np.zeros((2, 3, 4), np.uint8)
    runs = runs_of(data, 26)
    assert runs.count == 0 and runs.sizes.size == 0
    fill(data)
    assert not data.any()
