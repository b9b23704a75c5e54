"""evaluate.contrast: two levels, their unit, and none."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.evaluate.contrast import Contrast


def _image(array: np.ndarray) -> Image:
    return Image(array, ("y", "x"), Geometry.regular(array.shape), quantity="HU")


def test_two_levels_and_their_unit() -> None:
    array = np.where(np.arange(100).reshape(10, 10) % 3 == 0, 30.0, 10.0)
    score = Contrast()(_image(array))["contrast"]
    assert float(score) == pytest.approx(20.0) and score.unit == "HU"
    array[0, 1] = np.nan  # left out
    assert float(Contrast()(_image(array))["contrast"]) == pytest.approx(20.0)


def test_only_the_region_counts() -> None:
    array = np.zeros((10, 10))
    array[:, 5:], array[:, 8:] = 10.0, 90.0
    region = np.zeros((10, 10), np.uint8)
    region[:, :8] = 1
    assert float(
        Contrast()(_image(array), LabelMap(region, ("y", "x"), Geometry.regular((10, 10))))["contrast"]
    ) == pytest.approx(10.0)


def test_an_even_image_has_none_and_an_empty_one_is_refused() -> None:
    assert float(Contrast()(_image(np.ones((3, 3))))["contrast"]) == 0.0
    with pytest.raises(ContentError, match="no finite sample"):
        Contrast()(_image(np.full((3, 3), np.nan)))
