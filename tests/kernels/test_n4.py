"""kernels.n4 and kernels.lattice: splines that are what they say, and a known gain that is found as well as SimpleITK finds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.interpolate import BSpline

from isocenter.kernels.lattice import basis, gains, refine
from isocenter.kernels.n4 import bias_lattice

SETTINGS: dict[str, Any] = {"factors": (2, 2, 2), "spans": (1, 1, 1), "levels": 3, "iterations": 30, "convergence": 1e-3}


def dense(lattice: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the function of a lattice by SciPy's splines."""
    for axis, n in enumerate(shape):
        spans = lattice.shape[axis] - 3
        along = BSpline(np.arange(-3, spans + 4), np.eye(spans + 3), 3)(np.linspace(0, spans, n))
        lattice = np.moveaxis(np.tensordot(along, lattice, (1, axis)), 0, axis)
    return lattice


@pytest.mark.parametrize("size", [0.01, 0.5, 4.0])
@pytest.mark.parametrize("threads", [1, 2])
def test_gains_are_the_exponential_of_the_spline(size: float, threads: int) -> None:
    lattice = np.random.default_rng(0).normal(0, size, (4, 5, 7))
    np.testing.assert_allclose(gains(lattice, (9, 10, 31), threads), np.exp(dense(lattice, (9, 10, 31))), rtol=2e-5)
    np.testing.assert_array_equal(gains(lattice, (9, 10, 31), threads), gains(lattice, (9, 10, 31), 1))


def test_refinement_changes_the_lattice_and_not_the_function() -> None:
    lattice = np.random.default_rng(1).normal(size=(4, 5, 4))
    fine = refine(lattice, (9, 10, 1))
    assert fine.shape == (5, 7, 4)
    np.testing.assert_allclose(dense(fine, (9, 10, 5)), dense(lattice, (9, 10, 5)), atol=1e-12)


def test_weights_sum_to_one_up_to_the_last_sample() -> None:
    first, weights = basis(np.arange(17), 17, 4)
    assert first.max() == 3
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


@pytest.fixture(scope="module")
def head() -> tuple[np.ndarray, np.ndarray]:
    """Return three tissues under a field of +-30 %, and which is where."""
    z, y, x = np.ogrid[-1:1:48j, -1:1:48j, -1:1:48j]
    radius = z**2 + y**2 + x**2 + 0.12 * np.sin(9 * z) * np.sin(11 * y) * np.sin(10 * x)
    tissue = (radius < 0.9).astype(np.uint8) + (radius < 0.6) + (radius < 0.3)
    field = 1 + 0.3 * np.tanh(1.2 * x + 0.8 * y * z - 0.7 * z)
    noise = np.random.default_rng(0).normal(0, 6, tissue.shape)
    return np.maximum(np.array([0, 200, 500, 800])[tissue] * field + noise, 0).astype(np.float32), tissue


def variation(values: np.ndarray, tissue: np.ndarray) -> np.ndarray:
    return np.array([values[tissue == k].std() / values[tissue == k].mean() for k in (1, 2, 3)])


def test_the_field_is_taken_out_as_well_as_by_simpleitk(head: tuple[np.ndarray, np.ndarray]) -> None:
    values, tissue = head
    ours = values / gains(bias_lattice(values, tissue > 0, **SETTINGS), values.shape)
    image, region = sitk.GetImageFromArray(values), sitk.GetImageFromArray((tissue > 0).astype(np.uint8))
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetNumberOfThreads(1)
    n4.SetMaximumNumberOfIterations([30] * 3)
    n4.Execute(sitk.Shrink(image, [2] * 3), sitk.Shrink(region, [2] * 3))
    theirs = values / np.exp(sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)))
    assert (variation(ours, tissue) < 0.5 * variation(values, tissue)).all()
    assert (variation(ours, tissue) <= 1.02 * variation(theirs, tissue)).all()


def test_nothing_counted_and_nothing_varied_give_no_field() -> None:
    values = np.full((6, 7, 8), 3.0, np.float32)
    for region in (np.zeros(values.shape, bool), np.ones(values.shape, bool)):
        np.testing.assert_array_equal(gains(bias_lattice(values, region, **SETTINGS), values.shape), 1.0)
