"""Balls laid over packed rows, against distances."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.kernels.balls import ball_rows, dilate_words, pack_rows, unpack_rows
from isocenter.kernels.labels import close, closing, dilate, distance_inside, distance_to, erode

SHAPES = [(7,), (9, 130), (5, 6, 64), (12, 11, 70), (3, 4, 1)]


def mask(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).random(shape) < 0.05


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [0.4, 1.0, 2.5, 9.0])
@pytest.mark.parametrize("steps", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7)])
def test_a_ball_takes_in_what_is_within_its_radius(shape: tuple[int, ...], radius: float, steps: tuple[float, ...]) -> None:
    data, spacing = mask(shape), steps[-len(shape) :]
    assert np.array_equal(dilate(data, radius, spacing), distance_to(data, spacing) <= radius * (1 + 1e-5) + 1e-6)
    assert np.array_equal(erode(~data, radius, spacing), distance_inside(~data, spacing) > radius * (1 + 1e-5) + 1e-6)


def test_threads_change_nothing() -> None:
    data = mask((20, 30, 100))
    assert np.array_equal(dilate(data, 3.0, (1.0, 1.0, 1.0), 1), dilate(data, 3.0, (1.0, 1.0, 1.0), 2))


def test_packing_and_unpacking_give_the_mask_back() -> None:
    data = mask((3, 5, 71))
    for margin in ((0, 0, 0), (1, 2, 3)):
        back = np.zeros_like(data)
        unpack_rows(pack_rows(data, margin), back, margin)
        assert np.array_equal(back, data)


def test_the_widest_row_of_a_ball_comes_last_and_rows_beyond_the_volume_are_left_out() -> None:
    rows = ball_rows(2.0, (1.0, 1.0, 0.5), (1, 9, 9))
    assert rows[-1].tolist() == [4, 0, 0] and set(rows[:, 1].tolist()) == {0}
    words = dilate_words(pack_rows(np.ones((1, 1, 1), bool)), 1, ball_rows(5.0, (1.0, 1.0, 1.0), (1, 1, 1)))
    assert words.tolist() == [[[1]]]


def test_closing_in_place_is_closing() -> None:
    data = mask((10, 20, 40))
    own = data.copy()
    close(own, 2.0, (1.0, 0.8, 0.8))
    assert np.array_equal(own, closing(data, 2.0, (1.0, 0.8, 0.8))) and own.sum() > data.sum()
