"""correct.window: DICOM's LINEAR_EXACT."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.ops.correct.window import Window
from isocenter.testing.contracts.inputs import grid


def image(values: list[float]) -> Image:
    return Image(np.asarray(values, np.int16), ("x",), grid((len(values),)), modality="CT", quantity="HU")


def test_window_to_fraction() -> None:
    result = Window(center=40, width=400)(image([-1000, -160, 40, 140, 240, 3000]))
    np.testing.assert_allclose(result.array, [0, 0, 0.5, 0.75, 1, 1], atol=1e-6)
    assert result.quantity == "window fraction" and result.dtype == np.float32


def test_clip_keeps_the_meaning() -> None:
    result = Window(center=-600, width=1500, rescale=False)(image([-2000, -1350, 0, 150, 500]))
    assert result.array.tolist() == [-1350, -1350, 0, 150, 150]
    assert result.quantity == "HU"


@pytest.mark.parametrize("width", [0, -5, float("nan")])
def test_impossible_width(width: float) -> None:
    with pytest.raises(ParameterError, match="width"):
        Window(width=width)
