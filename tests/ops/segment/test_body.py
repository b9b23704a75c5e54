"""segment.body on phantoms of known truth and on crops of real chests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.errors import ContentError, GeometryError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.segment.body import Body
from isocenter.testing.phantoms.chest_ct import chest_ct
from tests.ops.features.test_intensity import volume


def dice(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    return 2.0 * float((first & second).sum()) / max(float(first.sum() + second.sum()), 1.0)


@pytest.mark.parametrize(
    "options",
    [{}, {"prone": True}, {"tilt": 15.0}, {"noise": 60.0}, {"effusion": 0.3, "contrast": True}, {"table": False}],
    ids=str,
)
def test_the_patient_without_the_table(options: dict[str, Any]) -> None:
    phantom = chest_ct(**options)
    found = np.asarray(Body()(phantom.image).array) > 0
    truth = phantom.region("body")
    assert dice(found, truth) >= 0.985
    assert found.sum() == pytest.approx(truth.sum(), rel=0.03)


def test_the_answer_does_not_depend_on_how_the_volume_is_stored() -> None:
    image = chest_ct((40, 96, 96), (6.0, 3.8, 3.8)).image
    found = np.asarray(Body()(image).array)
    array = np.ascontiguousarray(np.asarray(image.array).transpose(2, 0, 1)[:, ::-1])
    affine = image.geometry.affine[:, [2, 0, 1, 3]].copy()
    affine[:3, 3] += affine[:3, 1] * (array.shape[1] - 1)
    affine[:3, 1] *= -1
    turned = Body()(Image(array, ("z", "y", "x"), Geometry(array.shape, affine), modality="CT", quantity="HU"))
    assert np.array_equal(np.asarray(turned.array), found.transpose(2, 0, 1)[:, ::-1])


def test_room_air_alone_is_no_body_and_says_so() -> None:
    air = np.full((12, 40, 40), -1000, np.int16)
    found = Body()(Image(air, ("z", "y", "x"), Geometry.regular(air.shape, 3.0), modality="CT", quantity="HU"))
    assert not np.asarray(found.array).any()
    assert "No body" in found.provenance.steps[-1].notes[0]


def test_refuses_what_is_not_calibrated() -> None:
    array = np.zeros((4, 8, 8), np.int16)
    with pytest.raises(ContentError, match="HU"):
        Body()(Image(array, ("z", "y", "x"), Geometry.regular(array.shape), quantity="a.u."))
    with pytest.raises((ContentError, GeometryError), match="mm"):
        Body()(Image(array, ("z", "y", "x"), Geometry.pixels(array.shape), quantity="HU"))


def test_a_cropped_real_chest(shared: Callable[[str], Path]) -> None:
    array, grid = volume(shared("data/ibsi/1_ct_phantom/image/phantom.nii.gz"))
    result = Body()(Image(array.astype(np.float32), ("z", "y", "x"), grid, modality="CT", quantity="HU"))
    found = np.asarray(result.array) > 0
    assert found[30, 100, 100] and found[45, 60, 80]  # the tumour, and the lung in front of it
    assert not found[:, 20:60, 0:3].any()  # blankets beside the patient
    assert 0.75 < found.mean() < 0.84
