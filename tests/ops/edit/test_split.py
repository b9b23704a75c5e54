"""edit.split: pieces get values of their own, the largest keeps its name."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.edit.split import Split


def row(values: list[int]) -> LabelMap:
    rows = (Segment(1, "lesion"), Segment(2, "vein"))
    return LabelMap(np.array([values], np.uint8), ("y", "x"), Geometry.regular((1, len(values)), (1.0, 1.0)), rows)


def test_pieces_by_size() -> None:
    parted = Split()(row([1, 0, 1, 1, 1, 2, 2, 0, 1, 1]))
    assert parted.array.tolist() == [[4, 0, 1, 1, 1, 2, 2, 0, 3, 3]]
    assert [(s.value, s.name) for s in parted.segments] == [(1, "lesion"), (2, "vein"), (3, "lesion 2"), (4, "lesion 3")]
    assert np.array_equal(Split(label=2)(row([1, 0, 2, 2])).array, [[1, 0, 2, 2]])


def test_more_pieces_than_values_are_refused() -> None:
    with pytest.raises(ParameterError, match="does not fit"):
        Split()(row([1, 0] * 300))
