"""evaluate.psnr against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.evaluate.psnr import Psnr
from tests.ops.evaluate._pairs import pair


@pytest.mark.parametrize("given", [None, 400.0])
def test_equals_scikit_image(given: float | None) -> None:
    one, two = pair()
    span = given or float(np.ptp(np.asarray(two.array)))
    expected = peak_signal_noise_ratio(np.asarray(two.array, float), np.asarray(one.array, float), data_range=span)
    score = Psnr(value_range=given)(one, two)["psnr"]
    assert float(score) == pytest.approx(expected, rel=1e-6) and score.unit == "dB"


def test_half_the_error_is_six_decibel_more_and_identity_ends_the_scale() -> None:
    scores = [float(Psnr()(*pair(noise=n))["psnr"]) for n in (20.0, 10.0, 0.0)]
    assert scores[1] - scores[0] == pytest.approx(6.02, abs=0.01)
    assert scores[2] == 150.0


def test_a_constant_truth_needs_a_range() -> None:
    grid = Geometry.pixels((2, 2))
    zero, one = (Image(np.full((2, 2), v, np.uint8), ("y", "x"), grid) for v in (0, 1))
    with pytest.raises(ContentError, match="value_range"):
        Psnr()(one, zero)
    assert float(Psnr(value_range=255)(one, zero)["psnr"]) == pytest.approx(20 * np.log10(255))
