"""enhance.tophat against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.tophat import Tophat


@pytest.mark.parametrize("radius, size", [(2, (5, 5, 5)), ((0, 1, 3), (1, 3, 7))])
def test_equals_scipy(radius: int | tuple[int, ...], size: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(0, 100, (8, 10, 12))
    image = Image(array, ("z", "y", "x"), Geometry.regular(array.shape))
    white, black = (f(array, size, mode="nearest") for f in (ndimage.white_tophat, ndimage.black_tophat))
    np.testing.assert_allclose(Tophat(radius=radius)(image).array, white)
    np.testing.assert_allclose(Tophat(radius=radius, of="dark")(image).array, black)
    np.testing.assert_allclose(Tophat(radius=radius, of="contrast")(image).array, array + white - black)


def test_small_bright_things_stay_and_the_slope_goes() -> None:
    array = np.tile(np.linspace(0, 1000, 80), (80, 1))
    array[40:43, 40:43] += 50
    found = np.asarray(Tophat(radius=4)(Image(array, ("y", "x"), Geometry.pixels(array.shape))).array)
    assert found[41, 41] > 45 and np.median(found) < 1
    with pytest.raises(ParameterError, match="radius"):
        Tophat(radius=-2)
