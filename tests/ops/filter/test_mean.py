"""filter.mean: the reference maps 1.a, the features 1.A and 2.A, and the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.ops.filter.mean import Mean
from tests.ops.filter.maps import PLANE, Shared, require_continued, require_features, require_map, require_slicewise, volume


@pytest.mark.parametrize(
    "name, boundary, measured", [("1_a_1", "zero", 0.001), ("1_a_2", "nearest", 0.001), ("1_a_3", "periodic", 0.1)]
)
def test_reference_map(shared: Shared, name: str, boundary: Any, measured: float) -> None:
    require_map(shared, name, "checkerboard", Mean(support=15, boundary=boundary), measured)


def test_reference_features(shared: Shared) -> None:
    require_features(shared, "1.A", None)
    require_features(shared, "2.A", Mean(support=5, axes=PLANE))


def test_edges_and_slices() -> None:
    require_continued(lambda b: Mean(support=5, boundary=b), 2)
    require_slicewise(Mean(support=3, axes=PLANE))


def test_refusals() -> None:
    with pytest.raises(ParameterError, match="odd number"):
        Mean(support=4)
    with pytest.raises(ParameterError, match="spatial axes z y x"):
        Mean(axes=("y", "y"))(volume(np.zeros((3, 3, 3))))
