"""Polygons to masks by the pixel-centre rule."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.kernels.rasterise import fill_polygons


def square(low: float, high: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([(low, low), (low, high), (high, high), (high, low)], float)


def test_centres_inside_belong_and_others_do_not() -> None:
    mask = fill_polygons([square(1.5, 4.5)], (7, 7))
    expected = np.zeros((7, 7), bool)
    expected[2:5, 2:5] = True
    assert np.array_equal(mask, expected)


def test_just_missing_a_centre_excludes_it() -> None:
    assert fill_polygons([square(1.99, 3.99)], (6, 6)).sum() == 4  # centres 2 and 3
    assert fill_polygons([square(2.01, 3.99)], (6, 6)).sum() == 1  # centre 3


def test_regions_that_share_an_edge_share_no_sample_and_leave_none_out() -> None:
    left = np.array([(1, 1), (1, 3), (5, 3), (5, 1)], float)
    right = np.array([(1, 3), (1, 6), (5, 6), (5, 3)], float)
    both = np.array([(1, 1), (1, 6), (5, 6), (5, 1)], float)
    a, b = fill_polygons([left], (8, 8)), fill_polygons([right], (8, 8))
    assert not (a & b).any() and np.array_equal(a | b, fill_polygons([both], (8, 8)))


def test_a_polygon_within_another_is_a_hole_and_one_within_that_an_island() -> None:
    mask = fill_polygons([square(0.5, 8.5), square(2.5, 6.5), square(3.5, 5.5)], (10, 10))
    assert mask.sum() == 64 - 16 + 4
    assert not mask[3, 3] and mask[4, 4]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shift", [0, 2])
def test_direction_and_first_point_do_not_matter(reverse: bool, shift: int) -> None:
    polygon = np.array([(1.2, 1.1), (2.5, 7.7), (8.3, 6.1), (6.2, 0.4), (4.4, 3.3)])
    changed = np.roll(polygon[::-1] if reverse else polygon, shift, axis=0)
    assert np.array_equal(fill_polygons([changed], (10, 9)), fill_polygons([polygon], (10, 9)))


def test_equals_the_crossing_number_of_every_centre() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 23))
        radius = rng.uniform(2, 9, 23)
        polygon = np.stack([10 + radius * np.sin(angles), 11 + radius * np.cos(angles)], axis=1)
        mask = fill_polygons([polygon], (21, 23))
        for row in range(21):
            for column in range(23):
                crossings = 0
                for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                    if min(a[0], b[0]) <= row < max(a[0], b[0]):
                        crossings += a[1] + (row - a[0]) / (b[0] - a[0]) * (b[1] - a[1]) <= column
                assert mask[row, column] == bool(crossings % 2)


def test_disc_has_its_area() -> None:
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    mask = fill_polygons([np.stack([100.3 + 60.2 * np.sin(angle), 100.6 + 60.2 * np.cos(angle)], axis=1)], (201, 201))
    assert mask.sum() == pytest.approx(np.pi * 60.2**2, rel=2e-3)


def test_polygons_may_leave_the_plane() -> None:
    assert fill_polygons([square(-50, 50)], (4, 5)).all()
    assert not fill_polygons([square(20, 30)], (4, 5)).any()
    assert not fill_polygons([square(-30, -20)], (4, 5)).any()


def test_degenerate_polygons_enclose_nothing() -> None:
    assert not fill_polygons([np.array([(1.0, 1.0), (3.0, 3.0)]), np.zeros((0, 2)), np.full((5, 2), 2.0)], (5, 5)).any()
