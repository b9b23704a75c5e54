"""Phantoms: the truth is the formula, the same seed is the same image, and left is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.testing.phantoms.chest_ct import Nodule, chest_ct

TINY: dict[str, Any] = {"shape": (24, 48, 48), "spacing": (12.5, 7.5, 7.5)}


@pytest.mark.parametrize("name", ["right lung", "left lung"])
def test_chest_lung_volume_is_the_ellipsoid(name: str) -> None:
    plain = chest_ct(organs=False, nodules=())
    measured = plain.region(name).sum() * plain.image.geometry.voxel_size
    assert measured == pytest.approx(plain.volumes[name], rel=0.01)


@pytest.mark.parametrize("tilt", [0.0, 18.0])
def test_chest_body_area_is_the_ellipse(tilt: float) -> None:
    plain = chest_ct(organs=False, tilt=tilt, table=False)
    geometry = plain.image.geometry
    measured = plain.region("body").sum() * geometry.voxel_size / (geometry.shape[0] * geometry.spacing[0])
    assert measured == pytest.approx(plain.volumes["body per mm"], rel=0.01)


@pytest.mark.parametrize(("center", "diameter"), [((-90.0, 0.0, 20.0), 12.0), ((91.3, 7.7, -40.2), 20.0)])
def test_chest_nodule_volume_and_place(center: tuple[float, float, float], diameter: float) -> None:
    phantom = chest_ct((40, 40, 40), (0.8, 0.8, 0.8), nodules=(Nodule(center, diameter),), center=center, noise=0.0)
    mask = phantom.truth.mask("nodule 1")
    geometry = phantom.image.geometry
    assert mask.sum() * geometry.voxel_size == pytest.approx(phantom.volumes["nodule 1"], rel=0.02)
    np.testing.assert_allclose(geometry.to_world(np.argwhere(mask)).mean(axis=0), center, atol=0.1)
    assert phantom.nodules.values is not None and phantom.nodules.values[0] == diameter
    assert np.asarray(phantom.image.array)[mask].mean() == pytest.approx(40.0, abs=60.0)  # its edge is blended


@pytest.mark.parametrize("options", [{}, {"prone": True}, {"tilt": -12.0}])
def test_chest_right_is_the_patients_right(options: dict[str, Any]) -> None:
    phantom = chest_ct(**TINY, **options)
    geometry = phantom.image.geometry
    for name, sign in (("right lung", -1.0), ("left lung", 1.0)):
        world = geometry.to_world(np.argwhere(phantom.region(name)))
        assert np.sign(world[:, 0].mean()) == sign
    assert geometry.to_world(np.argwhere(phantom.region("heart")))[:, 0].mean() > 10.0
    assert geometry.to_world(np.argwhere(phantom.region("bone")))[:, 1].mean() > 0.0  # the spine is posterior


def test_chest_is_the_same_twice_and_another_with_another_seed() -> None:
    first, again, other = (chest_ct(**TINY, seed=seed) for seed in (4, 4, 5))
    assert first.image.digest == again.image.digest and first.truth.digest == again.truth.digest
    assert first.image.digest != other.image.digest


def test_chest_values_are_hounsfield() -> None:
    phantom = chest_ct(contrast=True)
    array = np.asarray(phantom.image.array)
    assert array.dtype == np.int16 and phantom.image.quantity == "HU" and phantom.image.modality == "CT"
    assert -1010 < np.median(array[:, :8, :8]) < -990
    assert np.median(array[phantom.region("right lung")]) == pytest.approx(-850, abs=15)
    assert np.median(array[phantom.region("heart")]) == pytest.approx(250, abs=10)
    assert np.median(array[phantom.truth.mask("airway")]) < -800


def test_chest_tilt_shears_the_grid_and_moves_nothing() -> None:
    phantom = chest_ct(tilt=15.0)
    assert phantom.image.geometry.shear == pytest.approx(15.0)
    for k, center in enumerate(phantom.nodules.positions):
        where = phantom.image.geometry.to_world(np.argwhere(phantom.truth.mask(f"nodule {k + 1}")))
        np.testing.assert_allclose(where.mean(axis=0), center, atol=1.5)


@pytest.mark.parametrize(("prone", "sign"), [(False, 1.0), (True, -1.0)])
def test_chest_effusion_lies_where_the_patient_lies(prone: bool, sign: float) -> None:
    phantom = chest_ct(**TINY, effusion=0.3, prone=prone)
    world = phantom.image.geometry.to_world(np.argwhere(phantom.region("effusion")))
    assert world[:, 1].mean() * sign > 20.0 and world[:, 0].min() > 0.0


def test_chest_tumour_reaches_the_wall() -> None:
    phantom = chest_ct(tumour=True)
    mask = phantom.region("tumour")
    assert mask.sum() * phantom.image.geometry.voxel_size > 40_000
    world = phantom.image.geometry.to_world(np.argwhere(mask))
    assert world[:, 0].max() < -80.0 and world[:, 0].min() < -135.0


@pytest.mark.parametrize("wrong", [{"effusion": 2.0}, {"size": 9.0}, {"tilt": 80.0}, {"shape": (4, 4)}, {"noise": -1.0}])
def test_chest_refuses_impossible_parameters(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="expected"):
        chest_ct(**wrong)
