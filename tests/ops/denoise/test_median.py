"""denoise.median: per-axis radius, channels and time, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.denoise.median import Median
from isocenter.testing.contracts.inputs import grid
from tests.ops.denoise._gain import Shared, gain


@pytest.mark.parametrize("radius, size", [(1, 3), ((0, 1, 2), (1, 3, 5)), (0, 1)])
def test_equals_scipy_and_keeps_the_type(radius: int | tuple[int, ...], size: int | tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(-1000, 2000, (7, 9, 11)).astype(np.int16)
    image = Image(array, ("z", "y", "x"), grid(array.shape), quantity="HU")
    result = Median(radius=radius)(image)
    np.testing.assert_array_equal(result.array, ndimage.median_filter(array, size=size, mode="nearest"))
    assert result.dtype == np.int16 and result.quantity == "HU" and result.geometry == image.geometry


def test_a_speck_goes_and_an_edge_stays() -> None:
    array = np.zeros((9, 9), np.float32)
    array[:, 5:] = 100.0
    expected = array.copy()
    array[4, 2] = 500.0
    np.testing.assert_array_equal(Median()(Image(array, ("y", "x"), Geometry.pixels((9, 9)))).array, expected)


def test_colour_is_filtered_channel_by_channel() -> None:
    array = np.random.default_rng(1).integers(0, 255, (3, 8, 8)).astype(np.uint8)
    result = Median()(Image(array, ("c", "y", "x"), Geometry.pixels((8, 8)), channels=("r", "g", "b")))
    for k in range(3):
        np.testing.assert_array_equal(result.array[k], ndimage.median_filter(array[k], size=3, mode="nearest"))


@pytest.mark.parametrize("radius", [-1, (1, -1), (), 1.5, "wide"])
def test_impossible_radius(radius: object) -> None:
    with pytest.raises(ParameterError, match="radius"):
        Median(radius=radius)


def test_refusals() -> None:
    with pytest.raises(ParameterError, match="2 values for 3 spatial axes"):
        Median(radius=(1, 1))(Image(np.zeros((3, 3, 3)), ("z", "y", "x"), grid((3, 3, 3))))
    with pytest.raises(ContentError, match="label map"):
        Median()(LabelMap(np.zeros((3, 3), np.uint8), ("y", "x"), grid((3, 3))))


WON = [("all", "phantom", 10.9), ("all", "real", 12.0), ("extremes", "phantom", 16.2), ("extremes", "real", 19.6)]


@pytest.mark.parametrize("only, which, least", WON)
def test_wins_over_salt_and_pepper(only: str, which: str, least: float, shared: Shared) -> None:
    won, moved = gain(Median(only=only), which, shared, "salt and pepper", 0.05)
    assert won >= least
    # The plain median takes thin things (the skull of the coarse phantom) along with the specks.
    assert abs(moved) < (0.0005 if only == "extremes" else 0.03)


def test_lone_extremes_go_and_plateaus_stay() -> None:
    array = np.full((12, 12), 50.0, np.float32)
    array[6:, 6:] = 100.0
    expected = array.copy()
    array[2, 2], array[3, 8] = 0.0, 100.0
    image = Image(array, ("y", "x"), Geometry.pixels((12, 12)))
    np.testing.assert_array_equal(Median(only="extremes")(image).array, expected)
