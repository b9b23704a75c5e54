"""enhance.sharpen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.sharpen import Sharpen


def test_unsharp_equals_its_formula_in_mm() -> None:
    array = np.random.default_rng(0).normal(100, 20, (9, 12, 14))
    spacing = (2.0, 1.0, 0.5)
    smooth = ndimage.gaussian_filter(array, [1.5 / s for s in spacing], mode="nearest")
    found = Sharpen(sigma=1.5, amount=0.8)(Image(array, ("z", "y", "x"), Geometry.regular(array.shape, spacing))).array
    np.testing.assert_allclose(found, array + 0.8 * (array - smooth), atol=1e-9)


def test_laplacian_equals_its_formula_inside() -> None:
    array = np.random.default_rng(0).normal(100, 20, (16, 20))
    smooth = ndimage.gaussian_filter(array, [1.0, 2.0], mode="nearest")
    bend = sum(ndimage.correlate1d(smooth, [1, -2, 1], axis=k) / s**2 for k, s in enumerate((2.0, 1.0)))
    found = Sharpen(method="laplacian", sigma=2.0)(Image(array, ("y", "x"), Geometry.regular(array.shape, (2.0, 1.0)))).array
    np.testing.assert_allclose(np.asarray(found)[1:-1, 1:-1], (array - 2.0 * bend)[1:-1, 1:-1], atol=1e-9)


@pytest.mark.parametrize("method", ["unsharp", "laplacian"])
def test_a_blurred_edge_gets_steeper_and_the_mean_stays(method: str) -> None:
    array = np.zeros((40, 40))
    array[:, 20:] = 100.0
    blurred = ndimage.gaussian_filter(array, 2.0, mode="nearest")
    found = np.asarray(Sharpen(method=method, sigma=2.0)(Image(blurred, ("y", "x"), Geometry.regular((40, 40)))).array)
    assert np.abs(np.diff(found, axis=1)).max() > 1.15 * np.abs(np.diff(blurred, axis=1)).max()
    assert found.mean() == pytest.approx(blurred.mean(), rel=1e-6)
