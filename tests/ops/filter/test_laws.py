"""filter.laws: the reference maps 3.a, the features 4.A, pooling and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.ops.filter.laws import Laws
from tests.ops.filter.maps import (
    PLANE,
    Shared,
    require_continued,
    require_features,
    require_map,
    require_slicewise,
    require_turning,
    volume,
)


@pytest.mark.parametrize(
    "name, operation",
    [
        ("3_a_1", Laws(kernel="E5L5S5", boundary="zero")),
        ("3_a_2", Laws(kernel="E5L5S5", rotation_invariant=True, pooling="max", boundary="zero")),
        ("3_a_3", Laws(kernel="E5L5S5", rotation_invariant=True, pooling="max", energy=7, boundary="zero")),
    ],
)
def test_reference_map(shared: Shared, name: str, operation: Laws) -> None:
    require_map(shared, name, "impulse", operation, 0.001)


def test_reference_features(shared: Shared) -> None:
    require_features(shared, "4.A", Laws(kernel="L5E5", rotation_invariant=True, pooling="max", energy=7, axes=PLANE))


def test_edges_slices_and_turns() -> None:
    require_continued(lambda b: Laws(kernel="E3W5R5", rotation_invariant=True, boundary=b), 2)
    require_slicewise(Laws(kernel="L5S5", axes=PLANE, energy=2))
    require_turning(Laws(kernel="E3W5R5", rotation_invariant=True, energy=1))


def test_the_first_part_acts_along_x() -> None:
    ramp = np.zeros((9, 9, 9))
    ramp[:, :, 5:] = 1.0
    along = np.asarray(Laws(kernel="E3L3L3")(volume(ramp)).array)
    across = np.asarray(Laws(kernel="L3L3E3")(volume(ramp)).array)
    # E3 is -1 0 1 over the root of 2 as a convolution: a step up gives a negative answer.
    assert along[4, 4, 4] == pytest.approx(-((4.0 / np.sqrt(6.0)) ** 2) / np.sqrt(2.0)) and np.abs(across).max() < 1e-12


def test_refusals() -> None:
    with pytest.raises(ParameterError, match="expected one of L3"):
        Laws(kernel="L5Q5")
    with pytest.raises(ParameterError, match="2 parts for 3 filtered axes"):
        Laws(kernel="L5S5")(volume(np.zeros((3, 3, 3))))
