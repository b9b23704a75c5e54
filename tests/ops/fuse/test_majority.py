"""fuse.majority: most votes win, ties go to background, and values must mean the same to all readers."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.fuse.majority import Majority

GRID = Geometry.regular((6,), (1.0,))


def reader(values: list[int], *names: str) -> LabelMap:
    rows = tuple(Segment(k, n) for k, n in enumerate(names or ("liver", "lesion", "vein"), start=1))
    return LabelMap(np.array(values, np.uint8), ("x",), GRID, rows)


def test_most_votes_win_and_ties_are_settled() -> None:
    fused = Majority()(reader([0, 1, 1, 2, 3, 0]), reader([0, 1, 2, 2, 1, 1]), reader([1, 0, 2, 0, 2, 3]))
    assert fused.array.tolist() == [0, 1, 2, 2, 1, 0]
    assert Majority()(reader([1, 1, 0, 0, 0, 0]), reader([1, 0, 0, 0, 0, 0])).array.tolist() == [1, 0, 0, 0, 0, 0]
    assert "3 readers disagree in 6 of 6" in fused.provenance.steps[-1].notes[0]


def test_tables_are_joined_and_contradictions_refused() -> None:
    fused = Majority()(reader([1, 0, 0, 0, 0, 0], "liver"), reader([1, 2, 0, 0, 0, 0], "liver", "cyst"))
    assert isinstance(fused, LabelMap)
    assert [s.name for s in fused.segments] == ["liver", "cyst"]
    with pytest.raises(ContentError, match="label 1 is 'liver' to one reader and 'spleen' to reader 2"):
        Majority()(reader([1, 0, 0, 0, 0, 0], "liver"), reader([1, 0, 0, 0, 0, 0], "spleen"))


def test_images_are_no_readers() -> None:
    image = Image(np.zeros(6, np.float32), ("x",), GRID)
    with pytest.raises(ContentError, match="input 2 is Image: expected label maps"):
        Majority()(reader([0] * 6), image)
