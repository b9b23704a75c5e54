"""enhance.gamma."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.exposure import adjust_gamma

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.gamma import Gamma


def image(array: np.ndarray) -> Image:
    return Image(array, ("x",), Geometry.pixels(array.shape))


def test_equals_scikit_image_on_unit_range() -> None:
    array = np.linspace(0, 1, 50)
    np.testing.assert_allclose(Gamma(gamma=2.2)(image(array)).array, adjust_gamma(array, 2.2), atol=1e-12)


def test_ends_stay_and_a_range_clips() -> None:
    array = np.linspace(-1000.0, 500.0, 31)
    found = np.asarray(Gamma(gamma=0.5)(image(array)).array)
    assert (found[0], found[-1]) == (-1000.0, 500.0)
    assert (found[1:-1] > array[1:-1]).all()
    clipped = np.asarray(Gamma(gamma=1.0, low=-100.0, high=300.0)(image(array)).array)
    np.testing.assert_allclose(clipped, np.clip(array, -100, 300))


def test_constant_and_impossible_ranges() -> None:
    assert np.asarray(Gamma()(image(np.full(5, 7.0))).array).tolist() == [7.0] * 5
    with pytest.raises(ParameterError, match="low below high"):
        Gamma(low=3.0, high=3.0)
