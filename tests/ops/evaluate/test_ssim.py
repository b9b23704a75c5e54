"""evaluate.ssim against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.ops.evaluate.ssim import Ssim
from tests.ops.evaluate._pairs import pair


@pytest.mark.parametrize("shape, sigma", [((15, 17, 19), 1.5), ((40, 31), 1.5), ((20, 20, 21), 0.8)])
def test_equals_scikit_image(shape: tuple[int, ...], sigma: float) -> None:
    one, two = pair(shape)
    expected = structural_similarity(
        np.asarray(one.array, float),
        np.asarray(two.array, float),
        gaussian_weights=True,
        sigma=sigma,
        use_sample_covariance=False,
        data_range=float(np.ptp(np.asarray(two.array))),
        win_size=2 * int(3.5 * sigma + 0.5) + 1,
    )
    assert float(Ssim(sigma_samples=sigma)(one, two)["ssim"]) == pytest.approx(expected, abs=2e-6)


def test_identity_small_images_and_time_points() -> None:
    one, two = pair((5, 6))
    assert float(Ssim()(two, two)["ssim"]) == 1.0
    assert 0.3 < float(Ssim()(one, two)["ssim"]) < 1.0
    noisy, truth = pair((12, 12))
    series = [Image(np.stack([np.asarray(v.array)] * 2), ("t", "y", "x"), v.geometry) for v in (noisy, truth)]
    assert float(Ssim()(*series)["ssim"]) == pytest.approx(float(Ssim()(noisy, truth)["ssim"]))


def test_not_finite_is_refused() -> None:
    one, two = pair((8, 8))
    holed = np.array(one.array)
    holed[3, 3] = np.nan
    with pytest.raises(ContentError, match="not finite"):
        Ssim()(one.replace(array=holed), two)
