"""denoise.total_variation against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.restoration import denoise_tv_chambolle

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.total_variation import TotalVariation
from tests.ops.denoise._gain import DIMS, Shared, gain


@pytest.mark.parametrize("shape", [(12, 14, 16), (40, 41), (60,)])
def test_equals_scikit_image(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(0, 50, shape)
    array[: shape[0] // 2] += 400
    # One more there: it gives back the image of before its last step.
    expected = denoise_tv_chambolle(array, weight=40.0, eps=0.0, max_num_iter=21)
    image = Image(array.astype(np.float32), DIMS[3 - len(shape) :], Geometry.regular(shape))
    np.testing.assert_allclose(TotalVariation(weight=40.0, iterations=20)(image).array, expected, atol=1e-3)


def test_larger_spacing_counts_as_smaller_slopes() -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(0, 50, (16, 16, 16))
    far, near = (
        TotalVariation(weight=20.0)(Image(array, DIMS, Geometry.regular(array.shape, (s, 1.0, 1.0)))) for s in (8.0, 1.0)
    )
    along = [np.abs(np.diff(np.asarray(v.array), axis=0)).mean() for v in (far, near)]
    assert along[0] > 1.5 * along[1]


@pytest.mark.parametrize("which, least", [("phantom", 7.5), ("real", 5.7)])
def test_wins_and_keeps_the_mean(which: str, least: float, shared: Shared) -> None:
    won, moved = gain(TotalVariation(), which, shared)
    assert won >= least
    assert abs(moved) < 1e-5
