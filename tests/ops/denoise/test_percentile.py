"""denoise.percentile."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.median import Median
from isocenter.ops.denoise.percentile import Percentile
from tests.ops.denoise._gain import Shared, gain


@pytest.mark.parametrize("percentile", [0, 25, 50, 90, 100])
@pytest.mark.parametrize("radius", [1, (1, 2, 0), 3])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_equals_scipy(percentile: float, radius: int | tuple[int, ...], dtype: str) -> None:
    array = np.random.default_rng(0).integers(-500, 900, (8, 9, 11)).astype(dtype)
    size = [2 * r + 1 for r in (radius if isinstance(radius, tuple) else (radius,) * 3)]
    rank = round(percentile / 100 * (np.prod(size) - 1))
    result = Percentile(percentile=percentile, radius=radius)(Image(array, ("z", "y", "x"), Geometry.regular(array.shape)))
    np.testing.assert_array_equal(result.array, ndimage.rank_filter(array, rank, size, mode="nearest"))
    assert result.dtype == array.dtype


def test_fifty_is_the_median_and_bool_stays() -> None:
    array = np.random.default_rng(1).random((12, 13)) > 0.5
    image = Image(array, ("y", "x"), Geometry.pixels(array.shape))
    np.testing.assert_array_equal(Percentile()(image).array, Median()(image).array)
    assert Percentile(percentile=0)(image).dtype == np.bool_


@pytest.mark.parametrize(
    "which, percentile, least", [("phantom", 50, 13.4), ("phantom", 40, 7.9), ("real", 50, 7.2), ("real", 40, 6.9)]
)
def test_wins_against_bright_specks(which: str, percentile: float, least: float, shared: Shared) -> None:
    assert gain(Percentile(percentile=percentile), which, shared, "bright specks")[0] >= least


def test_impossible_percentile() -> None:
    with pytest.raises(ParameterError, match="percentile"):
        Percentile(percentile=101)
