"""The slice stack as text."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.view.stack import stack_picture
from tests.view.samples import ORDERS, marked, stored


def test_positions_run_from_superior_to_inferior() -> None:
    text = stack_picture(Geometry.regular((60, 128, 160), (5.0, 2.2, 2.2), (0, 0, -100)))
    lines = text.splitlines()
    assert lines[0].strip() == "superior"
    assert "S 195.0 mm" in lines[1]
    assert lines[1].endswith("slice 60")
    assert "54 more, 5 mm apart" in text
    assert "I 100.0 mm" in lines[7]
    assert lines[7].endswith("slice 1")
    assert "60 slices of 128 x 160 samples (2.2 x 2.2 mm), 5 mm apart" in text


def test_a_stack_stored_from_the_head_down_is_drawn_the_same_way_up() -> None:
    text = stack_picture(Geometry.regular((4, 8, 8), (5.0, 1.0, 1.0)).flip(0)).splitlines()
    assert text[1].endswith("slice 1")
    assert "S 15.0 mm" in text[1]


def test_a_tilted_gantry_leans_and_says_by_how_much() -> None:
    affine = Geometry.regular((20, 64, 64), (3.0, 1.0, 1.0)).affine.copy()
    affine[1, 0] = 3.0 * np.tan(np.deg2rad(15))
    text = stack_picture(Geometry((20, 64, 64), affine))
    assert "sheared by 15.00 degrees" in text
    assert "3 mm apart" in text
    starts = [line.index("\u2501") for line in text.splitlines() if "\u2501" in line]
    assert starts == sorted(starts) or starts == sorted(starts, reverse=True)
    assert len(set(starts)) > 3


@pytest.mark.parametrize("order", ORDERS[::5])
def test_any_order_has_a_picture_of_short_lines(order: tuple[tuple[int, ...], tuple[bool, ...]]) -> None:
    text = stack_picture(stored(marked(), *order).geometry)
    assert all(len(line) <= 78 for line in text.splitlines())


def test_flat_images_and_photographs() -> None:
    assert "no pixel size" in stack_picture(Geometry.pixels((10, 20)))
    assert stack_picture(Geometry.regular((10, 20), 0.5)) == "10 x 20 samples of 0.5 x 0.5 mm, 5 x 10 mm in all"
    assert "slice 1" in stack_picture(Geometry.regular((1, 5, 5), 2.0))
