"""edit.polygon: corners in mm on one slice of any axis."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.ops.edit.polygon import Polygon
from tests.ops.edit.drawn import at, labels, replayed


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_fills_a_rectangle_on_one_slice(axis: int) -> None:
    corners = [(1.5, 1.5), (1.5, 6.5), (4.5, 6.5), (4.5, 1.5)]
    points = tuple(at(*np.insert(np.array(c), axis, 3)) for c in corners)
    drawn = Polygon(points=points, axis=axis, label=4, name_of_label="cyst")(labels(fill=False))
    expected = np.zeros(drawn.shape, np.uint8)
    where = [slice(2, 5), slice(2, 7)]
    where.insert(axis, slice(3, 4))
    expected[tuple(where)] = 4
    assert np.array_equal(drawn.array, expected)
    assert drawn.segments[-1].name == "cyst"
    assert replayed(labels(fill=False), drawn).digest == drawn.digest
    cleared = Polygon(points=points, axis=axis, label=4, action="clear")(drawn)
    assert not cleared.array.any()


def test_corners_on_several_slices_or_too_few_are_refused() -> None:
    with pytest.raises(ParameterError, match="slices 1 to 4 of axis 0"):
        Polygon(points=(at(1, 1, 1), at(4, 1, 5), at(1, 5, 5)))(labels())
    with pytest.raises(ParameterError, match="three or more corners"):
        Polygon(points=(at(1, 1, 1), at(1, 1, 5)))(labels())
