"""enhance.match_histogram against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.exposure import match_histograms

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.match_histogram import MatchHistogram


def image(array: np.ndarray, dims: str = "zyx") -> Image:
    spatial = array.shape[len(dims) - sum(d in "zyx" for d in dims) :]
    return Image(array, tuple(dims), Geometry.regular(spatial))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_close_to_scikit_image(dtype: str) -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(100, 30, (20, 30, 40)).astype(dtype), rng.gamma(3.0, 50.0, (25, 20, 30)).astype(dtype)
    found = np.asarray(MatchHistogram()(image(one), image(two)).array)
    expected = match_histograms(one, two)
    inner = (one > np.quantile(one, 0.002)) & (one < np.quantile(one, 0.998))  # single values at the ends fall either way
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.01 * np.ptp(two))
    np.testing.assert_allclose(
        np.quantile(found, np.linspace(0.01, 0.99, 50)), np.quantile(two, np.linspace(0.01, 0.99, 50)), rtol=0.01
    )


def test_itself_is_the_identity_with_holes_in_the_histogram() -> None:
    array = np.concatenate([np.zeros(500), np.random.default_rng(0).normal(400, 3, 500), [1e4]]).astype(np.float32)
    found = MatchHistogram()(image(array, "x"), image(array, "x")).array
    np.testing.assert_allclose(found, array, atol=1e-3)


def test_channels_each_by_their_own() -> None:
    rng = np.random.default_rng(0)
    one = np.stack([rng.normal(m, 10, (30, 30)) for m in (50, 100, 150)])
    two = np.stack([rng.normal(m, 5, (20, 20)) for m in (200, 80, 10)])
    found = np.asarray(MatchHistogram()(image(one, "cyx"), image(two, "cyx")).array)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), two.mean(axis=(1, 2)), atol=0.5)
    with pytest.raises(ContentError, match="3 channels"):
        MatchHistogram()(image(one, "cyx"), image(two[:2], "cyx"))


def test_constant_image_and_nan() -> None:
    rng = np.random.default_rng(0)
    two = image(rng.normal(50, 5, (8, 8, 8)))
    assert np.unique(np.asarray(MatchHistogram()(image(np.full((3, 3, 3), 7.0)), two).array)).size == 1
    one = rng.normal(100, 30, (8, 8, 8))
    one[2, 2, 2] = np.nan
    assert np.isnan(np.asarray(MatchHistogram()(image(one), two).array)).sum() == 1
