"""Tolerances say by how much, and never call NaN close."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.testing.tolerances import assert_close, assert_same_grid, relative_error


def test_relative_to_the_range() -> None:
    assert relative_error([0.0, 101.0], [0.0, 100.0]) == pytest.approx(0.01)
    assert relative_error([5.0], [5.0]) == 0.0
    assert relative_error([np.nan, 1.0], [np.nan, 1.0]) == 0.0
    assert relative_error([np.nan, 1.0], [0.0, 1.0]) == float("inf")
    assert relative_error([1.0], [1.0, 2.0]) == float("inf")


def test_assertions() -> None:
    assert_close([1.0, 2.0], [1.0, 2.0 + 1e-9])
    with pytest.raises(AssertionError, match=r"differ by 0\.5 of their range"):
        assert_close([1.0, 2.5], [1.0, 2.0])
    grid = Geometry.regular((3, 4, 5), 1.0)
    assert_same_grid(grid, grid.crop((0, 0, 0), (3, 4, 5)))
    with pytest.raises(AssertionError, match="1 mm apart"):
        assert_same_grid(grid, grid.crop((0, 0, 1), (3, 4, 5)))
