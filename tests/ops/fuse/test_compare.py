"""fuse.compare: every sample told once, both ways round, and what cannot be compared is refused."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.fuse.compare import Compare

GRID = Geometry.regular((2, 4), (3.0, 1.0))
ROWS = (Segment(1, "liver"), Segment(2, "lesion"))


def labels(values: list[list[int]], rows: tuple[Segment, ...] = ROWS, grid: Geometry = GRID) -> LabelMap:
    return LabelMap(np.array(values, np.uint8), ("y", "x"), grid, rows)


FIRST = labels([[0, 1, 1, 2], [0, 0, 2, 2]])
SECOND = labels([[0, 1, 2, 2], [1, 0, 0, 2]])


def test_every_sample_is_told_once() -> None:
    result = Compare()(FIRST, SECOND)
    assert isinstance(result, LabelMap)
    assert np.asarray(result.array).tolist() == [[0, 1, 4, 1], [3, 0, 2, 1]]
    assert [row.name for row in result.segments] == ["both", "only first", "only second", "other label"]
    assert result.provenance.steps[-1].notes == (
        "fuse.compare: samples in both 3, only first 1, only second 1, other label 1; 3 differ.",
    )


def test_the_other_way_round_swaps_first_and_second() -> None:
    forth, back = (np.asarray(Compare()(*pair).array) for pair in ((FIRST, SECOND), (SECOND, FIRST)))
    assert np.array_equal(back, np.array([0, 1, 3, 2, 4])[forth])


def test_one_label_by_name_and_one_that_is_not_there() -> None:
    assert np.asarray(Compare(label="lesion")(FIRST, SECOND).array).tolist() == [[0, 0, 3, 1], [0, 0, 2, 1]]
    assert not np.asarray(Compare(label="spleen")(FIRST, SECOND).array).any()


def test_values_of_two_meanings_other_grids_and_three_maps_are_refused() -> None:
    with pytest.raises(ContentError, match="label 1 is 'liver' in the first map and 'spleen'"):
        Compare()(FIRST, labels([[0] * 4] * 2, (Segment(1, "spleen"), Segment(2, "lesion"))))
    with pytest.raises(GridMismatchError):
        Compare()(FIRST, labels([[0] * 4] * 2, grid=Geometry.regular((2, 4), (3.0, 1.5))))
    with pytest.raises(ParameterError, match="given 3 label maps: expected two"):
        Compare()(FIRST, SECOND, FIRST)
