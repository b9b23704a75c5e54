"""Pointing game and shares: by hand, with the cases that are no hit."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.kernels.bootstrap import proportion_interval
from isocenter.learn.explain.localisation import localisation, overlap_at_area, points_inside, share_inside

GRID = Geometry.regular((6, 8), (2.0, 1.0))
MASK = np.zeros((6, 8), np.uint8)
MASK[1:3, 2:4] = 1


def _map(values: np.ndarray) -> Image:
    return Image(values.astype(np.float32), ("y", "x"), GRID, quantity="attribution")


def _mask(values: np.ndarray = MASK, grid: Geometry = GRID) -> LabelMap:
    return LabelMap(values, ("y", "x"), grid, (Segment(1, "finding"), Segment(2, "other")))


def _peak(row: int, column: int) -> np.ndarray:
    values = np.zeros((6, 8))
    values[row, column] = 1.0
    return values


def test_a_hit_is_a_hit_and_a_map_without_idea_is_none() -> None:
    inside = MASK == 1
    assert points_inside(_peak(1, 2), inside, (2.0, 1.0))
    assert not points_inside(_peak(4, 2), inside, (2.0, 1.0))
    assert points_inside(_peak(4, 2), inside, (2.0, 1.0), tolerance=4.0)
    assert not points_inside(_peak(4, 2), inside, (2.0, 1.0), tolerance=3.9)
    assert not points_inside(np.ones((6, 8)), inside, (2.0, 1.0))
    assert not points_inside(-np.ones((6, 8)), inside, (2.0, 1.0))
    assert share_inside(-np.ones((6, 8)), inside) == 0.0


def test_scores_with_n_and_intervals() -> None:
    spread = np.full((6, 8), 0.5)
    spread[1, 2] = 1.0
    empty = np.zeros((6, 8), np.uint8)
    scores = localisation(
        [_map(_peak(1, 2)), _map(_peak(5, 5)), _map(spread), _map(spread)],
        [_mask(), _mask(), _mask(), _mask(empty)],
        groups=["a", "a", "b", "c"],
    )
    assert float(scores["pointing_game"]) == pytest.approx(2 / 3) and scores["pointing_game"].n == 3
    assert scores["pointing_game"].interval == proportion_interval(2 / 3 * 2, 2)
    assert float(scores["share_inside"]) == pytest.approx((1.0 + 0.0 + 2.5 / 24.5) / 3)
    assert float(scores["area_share"]) == pytest.approx(4 / 48)
    assert float(scores["enrichment"]) == pytest.approx(float(scores["share_inside"]) * 12)
    low, high = scores["share_inside"].interval or (np.nan, np.nan)
    assert low < float(scores["share_inside"]) < high


def test_one_label_of_several() -> None:
    both = MASK.copy()
    both[5, 5] = 2
    assert float(localisation([_map(_peak(5, 5))], [_mask(both)], label=1)["pointing_game"]) == 0.0
    assert float(localisation([_map(_peak(5, 5))], [_mask(both)])["pointing_game"]) == 1.0


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(GridMismatchError, match="map 1"):
        localisation([_map(_peak(1, 2))], [_mask(grid=Geometry.regular((6, 8), 1.0))])
    with pytest.raises(ContentError, match="All 1 masks are empty"):
        localisation([_map(_peak(1, 2))], [_mask(np.zeros((6, 8), np.uint8))])
    with pytest.raises(ParameterError, match="expected one for each"):
        localisation([_map(_peak(1, 2))], [])


def test_overlap_counts_as_many_of_the_largest_as_the_mask_has() -> None:
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:3] = True
    values = np.where(mask, 5.0, 1.0)
    assert overlap_at_area(values, mask) == 1.0
    assert overlap_at_area(-values, mask) == 0.0, "what speaks against is never among the largest"
    half = np.where(mask, 5.0, 1.0)
    half[1, 1:3], half[0, :2] = 1.0, 9.0
    # Two samples outside are larger, two inside are the next two.
    assert overlap_at_area(half, mask) == pytest.approx(0.5)
    assert overlap_at_area(np.ones((4, 5)), mask) == pytest.approx(4 / 20), "a map without any idea: the share that is marked"
