"""enhance.equalize against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.exposure import equalize_hist

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.equalize import Equalize


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_close_to_scikit_image(dtype: str) -> None:
    array = (300 * np.random.default_rng(0).gamma(2.0, 1.0, (20, 30, 40)) - 1000).astype(dtype)
    found = np.asarray(Equalize()(Image(array, ("z", "y", "x"), Geometry.regular(array.shape))).array)
    np.testing.assert_allclose(found, equalize_hist(array, 1024), atol=0.012)  # its curve stands half a bin aside
    assert np.histogram(found, 10, (0, 1))[0] / found.size == pytest.approx(0.1, abs=0.01)


def test_order_is_kept_and_nan_stays() -> None:
    array = np.random.default_rng(0).normal(size=500)
    array[7] = np.nan
    found = np.asarray(Equalize()(Image(array, ("x",), Geometry.regular((500,)))).array)
    assert np.isnan(found[7]) and np.isfinite(np.delete(found, 7)).all()
    order = np.argsort(array[np.isfinite(array)], kind="stable")
    assert (np.diff(np.delete(found, 7)[order]) >= 0).all()


def test_one_value_becomes_zero() -> None:
    image = Image(np.full((3, 3), 7, np.uint8), ("y", "x"), Geometry.pixels((3, 3)))
    assert not np.asarray(Equalize()(image).array).any()
