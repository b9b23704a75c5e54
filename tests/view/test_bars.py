"""Bars of features: equal input gives equal bytes, what is left out is told, and the sign has its colour."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Picture

from isocenter.core.errors import ParameterError
from isocenter.view.bars import feature_bars

ROWS = [("width = 1.2", 0.4, None, None), ("height = 0.1", -0.2, None, None), ("contrast", 0.01, None, None)]


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Picture.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_what_speaks_for_is_orange_to_the_right_and_against_blue_to_the_left() -> None:
    png = feature_bars(ROWS, "Shares", "share")
    assert png == feature_bars(ROWS, "Shares", "share")
    seen = pixels(png)
    warm = np.argwhere((seen[..., 0] > 200) & (seen[..., 2] < 60))
    cold = np.argwhere((seen[..., 2] > 180) & (seen[..., 0] < 80))
    assert len(warm) and len(cold) and warm[:, 1].mean() > cold[:, 1].mean() and warm[:, 0].mean() < cold[:, 0].mean()


def test_intervals_are_drawn_and_what_is_left_out_makes_room_for_a_line() -> None:
    with_ends = feature_bars([("a", 0.4, 0.1, 0.7), ("b", 0.1, -0.1, 0.3)], "Worth", "rise", signed=False)
    without = feature_bars([("a", 0.4, None, None), ("b", 0.1, None, None)], "Worth", "rise", signed=False)
    bars = [(np.abs(pixels(png) - (11, 110, 117)).max(axis=2) < 12).sum() for png in (with_ends, without)]
    assert 0 < bars[0] < bars[1], "the ends reach beyond the bars, which become shorter for it"
    assert pixels(feature_bars(ROWS * 10, "Many", "share", most=3)).shape == pixels(feature_bars(ROWS, "Many", "share")).shape
    with pytest.raises(ParameterError, match="0 bars"):
        feature_bars([], "None", "share")
