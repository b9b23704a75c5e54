"""denoise.speckle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.speckle import Speckle
from isocenter.testing.phantoms.ultrasound import ultrasound
from tests.ops.denoise._gain import DIMS, Shared, gain


def test_lee_equals_its_formula() -> None:
    array = 100 * np.random.default_rng(0).gamma(16, 1 / 16, (20, 22))
    array[:, 11:] *= 3
    mean = ndimage.uniform_filter(array, 5, mode="nearest")
    variance = ndimage.uniform_filter(array**2, 5, mode="nearest") - mean**2
    signal = np.maximum((variance + mean**2) / (1 + 0.25**2) - mean**2, 0)
    expected = mean + signal / variance * (array - mean)
    # What Lee's filter takes off, as it knows bright speckle for signal more often than dark, is given back.
    expected += ndimage.uniform_filter(array - expected, 5, mode="reflect")
    found = Speckle(method="lee", variation=0.25)(Image(array, ("y", "x"), Geometry.pixels(array.shape))).array
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_fully_developed_speckle_falls_and_a_border_stays() -> None:
    truth = np.full((60, 60), 50.0)
    truth[:, 30:] = 200.0
    array = truth * np.random.default_rng(0).gamma(16, 1 / 16, truth.shape)
    found = np.asarray(Speckle(variation=0.25, iterations=60)(Image(array, ("y", "x"), Geometry.pixels(array.shape))).array)
    for part in (found[5:-5, 4:24], found[5:-5, 36:56]):
        assert part.std() / part.mean() < 0.08
    assert found[:, 33].mean() - found[:, 26].mean() > 120


WON = [("srad", "phantom", 7.3), ("srad", "real", 12.9), ("lee", "phantom", 4.99), ("lee", "real", 11.5)]


@pytest.mark.parametrize("method, which, least", WON)
def test_wins_and_keeps_the_mean(method: str, which: str, least: float, shared: Shared) -> None:
    won, moved = gain(Speckle(method=method), which, shared, "speckle", 0.25)
    assert won >= least
    assert abs(moved) < 1e-5


def test_a_compressed_scan_gets_smoother_inside_the_skull() -> None:
    image = ultrasound().image
    before, after = np.asarray(image.array, float), np.asarray(Speckle()(image).array, float)
    even = ndimage.binary_erosion(np.asarray(ultrasound().truth.array) == 1, iterations=12)
    assert after[even].std() < 0.8 * before[even].std()
    assert after.mean() == pytest.approx(before.mean(), rel=0.005)


def test_values_below_zero_are_refused() -> None:
    with pytest.raises(ContentError, match="down to -1000"):
        Speckle()(Image(np.full((3, 3, 3), -1000.0), DIMS, Geometry.regular((3, 3, 3))))
