"""PNG bytes: true to the pixels, small, and nothing but pixels."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.view.png import encode
from tests.view.samples import chunks, decoded


def test_few_colours_are_exact() -> None:
    pixels = np.random.default_rng(0).integers(0, 6, (31, 47, 3), dtype=np.uint8) * 50
    assert np.array_equal(decoded(encode(pixels)), pixels)


def test_a_grey_picture_is_exact() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (60, 47), dtype=np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=-1)
    assert np.array_equal(decoded(encode(pixels)), pixels)


def test_lines_on_greys_cost_one_bit() -> None:
    random = np.random.default_rng(0)
    pixels = np.repeat(random.integers(0, 256, (200, 200), dtype=np.uint8)[..., None], 3, axis=-1)
    pixels[::20] = random.integers(0, 256, (10, 200, 3), dtype=np.uint8) // 2 + np.array([120, 0, 0], np.uint8)
    png = encode(pixels)
    assert list(chunks(png)) == ["IHDR", "PLTE", "IDAT", "IEND"]
    grey = np.ptp(pixels, axis=-1) == 0
    assert np.abs(decoded(png).astype(int) - pixels)[grey].max() <= 2


def test_a_colour_photograph_stays_true_colour() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    png = encode(pixels)
    assert list(chunks(png)) == ["IHDR", "IDAT", "IEND"]
    assert np.abs(decoded(png).astype(int) - pixels).max() <= 1


def test_a_smooth_picture_is_filtered() -> None:
    ramp = np.add.outer(np.arange(300), np.arange(300)) // 3
    pixels = np.repeat((ramp % 256).astype(np.uint8)[..., None], 3, axis=-1)
    png = encode(pixels)
    assert len(png) < 0.05 * pixels[..., 0].size
    assert np.array_equal(decoded(png), pixels)


@pytest.mark.parametrize("bad", [np.zeros((3, 3), np.uint8), np.zeros((3, 3, 3), np.float32), np.zeros((0, 3, 3), np.uint8)])
def test_what_is_no_picture_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="uint8"):
        encode(bad)
