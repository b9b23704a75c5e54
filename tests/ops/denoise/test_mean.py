"""denoise.mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.mean import Mean
from tests.ops.denoise._gain import Shared, gain


@pytest.mark.parametrize("radius, size", [(1, 3), ((0, 1, 3), (1, 3, 7)), (0, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
def test_equals_scipy(radius: int | tuple[int, ...], size: int | tuple[int, ...], dtype: str) -> None:
    array = np.random.default_rng(0).integers(0, 255, (7, 9, 11)).astype(dtype)
    result = Mean(radius=radius)(Image(array, ("z", "y", "x"), Geometry.regular(array.shape)))
    expected = ndimage.uniform_filter(array.astype(float), size, mode="nearest")
    np.testing.assert_allclose(result.array, expected, rtol=2e-6)


@pytest.mark.parametrize("which, least", [("phantom", 6.9), ("real", 11.4)])
def test_wins_with_heavy_noise_and_keeps_the_mean(which: str, least: float, shared: Shared) -> None:
    won, moved = gain(Mean(), which, shared, strength=0.2)
    assert won >= least
    assert abs(moved) < 1e-4


def test_refusals() -> None:
    image = Image(np.array([1.0, np.nan, 2.0]), ("x",), Geometry.regular((3,)))
    with pytest.raises(ContentError, match="1 of 3 samples that are not finite"):
        Mean()(image)
    with pytest.raises(ParameterError, match="radius"):
        Mean(radius=-1)
    with pytest.raises(ParameterError, match="2 values for 1"):
        Mean(radius=(1, 1))(image.replace(array=np.zeros(3)))
