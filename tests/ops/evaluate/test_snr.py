"""evaluate.snr: known signal over known noise."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.evaluate.snr import Snr
from isocenter.testing.contracts.inputs import grid


def bright_cube() -> tuple[Image, LabelMap]:
    inside = np.zeros((24, 24, 24), np.uint8)
    inside[6:18, 6:18, 6:18] = 1
    array = 200.0 * inside + 10 * np.random.default_rng(0).standard_normal(inside.shape)
    return Image(array, ("z", "y", "x"), grid(inside.shape)), LabelMap(inside, ("z", "y", "x"), grid(inside.shape))


def test_signal_over_noise_with_and_without_a_region() -> None:
    image, region = bright_cube()
    for scores in (Snr()(image), Snr()(image, region)):
        assert float(scores["snr"]) == pytest.approx(20.0, rel=0.1)
        assert float(scores["snr_db"]) == pytest.approx(20 * np.log10(float(scores["snr"])))


def test_refusals() -> None:
    image, region = bright_cube()
    with pytest.raises(ContentError, match="no noise"):
        Snr()(image.replace(array=np.ones((24, 24, 24))))
    with pytest.raises(ContentError, match="empty region"):
        Snr()(image, region.replace(array=np.zeros((24, 24, 24), np.uint8)))
