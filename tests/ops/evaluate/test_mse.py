"""evaluate.mse against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import mean_squared_error

from isocenter.core.errors import ContentError, GeometryError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.evaluate.mse import Mse
from tests.ops.evaluate._pairs import pair


def test_equals_scikit_image() -> None:
    one, two = pair()
    image, truth = np.asarray(one.array, float), np.asarray(two.array, float)
    score = Mse()(one, two)["mse"]
    assert float(score) == pytest.approx(mean_squared_error(truth, image), rel=1e-9)
    assert score.unit == "HU^2" and score.n == image.size


def test_integers_do_not_wrap_and_nan_is_left_out() -> None:
    grid = Geometry.pixels((2, 2))
    one = Image(np.array([[0, 255], [10, 10]], np.uint8), ("y", "x"), grid)
    two = Image(np.array([[255, 0], [10, 10]], np.uint8), ("y", "x"), grid)
    expected = 255.0**2 / 2
    assert float(Mse()(one, two)["mse"]) == pytest.approx(expected)
    holed = Image(np.array([[np.nan, 1.0], [1.0, 3.0]]), ("y", "x"), grid)
    ones = Image(np.ones((2, 2)), ("y", "x"), grid)
    score = Mse()(holed, ones)["mse"]
    assert score.n == 3 and float(score) == pytest.approx(4 / 3)
    with pytest.raises(ContentError, match="finite in both"):
        Mse()(Image(np.full((2, 2), np.nan), ("y", "x"), grid), ones)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(GeometryError):
        Mse()(pair()[0], pair((15, 17, 18))[1])
