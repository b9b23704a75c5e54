"""What a step changed: values and places."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.view.difference import difference, diverging
from isocenter.view.histogram import _edges, histogram
from tests.view.samples import HOSTILE, ORDERS, centre_of, decoded, marked, stored


def test_a_histogram_has_one_axis_per_quantity() -> None:
    image = marked()
    one = decoded(histogram({"before": image, "after": image.replace(array=np.asarray(image.array) + 5)}))
    two = decoded(histogram({"before": image, "after": image.replace(quantity="probability")}))
    assert two.shape[0] > 1.5 * one.shape[0]


def test_equal_input_gives_equal_bytes() -> None:
    image = marked()
    assert histogram({"before": image}) == histogram({"before": stored(image, *ORDERS[17])})
    assert difference(image, image) == difference(image, image)


def test_whole_numbers_make_no_comb() -> None:
    edges = _edges(-1000.0, 1500.0, True)
    assert np.unique(np.diff(edges)).size == 1
    values = np.arange(-1000, 1501)
    counts = np.histogram(values, edges)[0]
    assert set(counts[:-1]) == {int(np.diff(edges)[0])}
    assert counts.sum() == values.size


@pytest.mark.parametrize(
    "values", [np.full((2, 3), np.nan), np.zeros((2, 3)), np.array([[1.0, np.inf, 2.0]]), np.array([[True, False]])]
)
def test_odd_values_have_a_histogram(values: np.ndarray) -> None:
    image = Image(values, ("y", "x"), Geometry.pixels(values.shape))
    assert histogram({"before": image, "after": image})


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_drawn_as_text(text: str) -> None:
    image = Image(np.arange(12.0).reshape(3, 4), ("y", "x"), Geometry.pixels((3, 4)), quantity=text)
    assert histogram({text: image}, title=text)
    assert difference(image, image, title=text)


def test_too_many_images_are_refused() -> None:
    with pytest.raises(ParameterError, match="1 to 6"):
        histogram({})


def test_the_difference_shows_where_and_which_way() -> None:
    before = marked()
    values = np.array(before.array).astype(np.float32)
    values[:, 5:10, 28:36] += 100.0  # in front, on the patient's left
    values[:, 38:43, 5:12] -= 100.0  # at the back, on the right
    after = before.replace(array=values)
    pixels = decoded(difference(before.replace(array=np.asarray(before.array, np.float32)), after)).astype(int)
    third = pixels[30:-80, pixels.shape[1] * 2 // 3 + 8 :]
    red, blue = third[..., 0] > third[..., 2] + 60, third[..., 2] > third[..., 0] + 60
    assert centre_of(red)[1] > 0.6
    assert centre_of(red)[0] < 0.4
    assert centre_of(blue)[1] < 0.4
    assert centre_of(blue)[0] > 0.6


def test_the_difference_may_lie_on_another_grid_or_have_no_difference() -> None:
    before = marked()
    finer = Geometry.regular((30, 60, 60), (2.0, 0.8, 0.8), origin=before.geometry.origin)
    after = Image(np.zeros((30, 60, 60), np.float32), ("z", "y", "x"), finer, modality="CT", quantity="HU")
    assert decoded(difference(before, after)).shape[1] > 600
    other = before.replace(quantity="probability")
    assert decoded(difference(before, other)).shape[1] < decoded(difference(before, before)).shape[1]
    flat = Image(np.zeros((8, 8)), ("y", "x"), Geometry.pixels((8, 8)))
    with pytest.raises(ContentError, match="one world"):
        difference(flat, Image(np.zeros((4, 4)), ("y", "x"), Geometry.pixels((4, 4))))
    with pytest.raises(ContentError, match="one world"):
        difference(before, Image(np.zeros((4, 4)), ("y", "x"), Geometry.pixels((4, 4))))


def test_diverging_colours() -> None:
    low, zero, high = diverging(np.array([-1.0, 0.0, 1.0])).astype(int)
    assert zero.min() > 240
    assert low[2] > low[0] + 80
    assert high[0] > high[2] + 80
