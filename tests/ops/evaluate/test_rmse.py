"""evaluate.rmse against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import mean_squared_error

from isocenter.core.errors import ContentError, GeometryError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.evaluate.rmse import Rmse
from tests.ops.evaluate._pairs import pair


def test_equals_scikit_image() -> None:
    one, two = pair()
    image, truth = np.asarray(one.array, float), np.asarray(two.array, float)
    score = Rmse()(one, two)["rmse"]
    assert float(score) == pytest.approx(np.sqrt(mean_squared_error(truth, image)), rel=1e-9)
    assert score.unit == "HU" and score.n == image.size


def test_integers_do_not_wrap_and_nan_is_left_out() -> None:
    grid = Geometry.pixels((2, 2))
    one = Image(np.array([[0, 255], [10, 10]], np.uint8), ("y", "x"), grid)
    two = Image(np.array([[255, 0], [10, 10]], np.uint8), ("y", "x"), grid)
    expected = 255.0**2 / 2
    assert float(Rmse()(one, two)["rmse"]) == pytest.approx(expected**0.5)
    holed = Image(np.array([[np.nan, 1.0], [1.0, 3.0]]), ("y", "x"), grid)
    ones = Image(np.ones((2, 2)), ("y", "x"), grid)
    score = Rmse()(holed, ones)["rmse"]
    assert score.n == 3 and float(score) == pytest.approx((4 / 3) ** 0.5)
    with pytest.raises(ContentError, match="finite in both"):
        Rmse()(Image(np.full((2, 2), np.nan), ("y", "x"), grid), ones)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(GeometryError):
        Rmse()(pair()[0], pair((15, 17, 18))[1])
