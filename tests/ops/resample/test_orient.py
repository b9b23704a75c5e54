"""resample.orient: axes turn, no sample moves in the patient."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.resample.orient import Orient
from isocenter.testing.contracts.inputs import grid

SHAPE = (9, 12, 14)


def image(dtype: str = "int16") -> Image:
    values = np.random.default_rng(0).integers(0, 1000, SHAPE).astype(dtype)
    return Image(values, ("z", "y", "x"), grid(SHAPE, (2.5, 1.25, 0.75)), quantity="HU")


@pytest.mark.parametrize("code", ["SPL", "RAS", "LPS", "ILA", "PSR"])
def test_orient_moves_no_sample_in_the_patient(code: str) -> None:
    before = image()
    after = Orient(code=code)(before)
    assert after.geometry.orientation == code
    for index in ((0, 0, 0), (3, 5, 7), (8, 11, 13)):
        there = np.rint(after.geometry.to_index(before.geometry.to_world(index))).astype(int)
        assert after.array[tuple(there)] == before.array[index]
    back = Orient(code=before.geometry.orientation)(after)
    np.testing.assert_array_equal(back.array, before.array)
    assert back.geometry.matches(before.geometry, 1e-9)


def test_left_is_left() -> None:
    axial = Geometry.regular((2, 3, 4), 1.0)
    values = axial.to_world(np.moveaxis(np.indices(axial.shape), 0, -1))[..., 0]  # grows to the patient's left
    after = Orient(code="SPR")(Image(values, ("z", "y", "x"), axial))
    assert (np.diff(after.array, axis=2) < 0).all()


def test_orient_of_a_plane() -> None:
    plane = Geometry.regular((3, 4), 1.0)
    assert plane.orientation == "PL"
    assert Orient(code="RAS")(Image(np.zeros((3, 4)), ("y", "x"), plane)).geometry.orientation == "RA"


@pytest.mark.parametrize("code", ["SP", "SSL", "XYZ", "SPLA"])
def test_impossible_codes(code: str) -> None:
    with pytest.raises(ParameterError, match="three letters"):
        Orient(code=code)
