"""Phantoms: the truth is the formula, the same seed is the same image, and left is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ParameterError
from isocenter.testing.phantoms.brain_mr import brain_mr
from isocenter.testing.phantoms.cells import Stain, cells
from isocenter.testing.phantoms.chest_ct import Nodule, chest_ct
from isocenter.testing.phantoms.fundus import fundus
from isocenter.testing.phantoms.pet import DIAMETERS, HALF_LIFE, pet
from isocenter.testing.phantoms.ultrasound import ultrasound
from isocenter.testing.phantoms.vessel_tree import vessel_tree
from isocenter.testing.phantoms.xray_chest import xray_chest

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


@pytest.mark.parametrize("name", ["head", "intracranial", "ventricles", "lesion"])
def test_brain_volume_is_the_formula(name: str) -> None:
    phantom = brain_mr(lesion=((32.0, -22.0, 18.0), 24.0))
    measured = phantom.region(name).sum() * phantom.image.geometry.voxel_size
    assert measured == pytest.approx(phantom.volumes[name], rel=0.02)


def test_brain_tissues_and_side() -> None:
    phantom = brain_mr(noise=0.0)
    clean = np.asarray(phantom.clean.array)
    white, grey, fluid = (np.median(clean[phantom.region(n)]) for n in ("white matter", "grey matter", "ventricles"))
    assert white > 1.3 * grey > 1.3 * 1.3 * fluid
    assert phantom.image.geometry.to_world(np.argwhere(phantom.region("lesion")))[:, 0].mean() == pytest.approx(32.0, abs=0.5)
    assert len(brain_mr(lesion=None).lesion) == 0


def test_brain_bias_is_what_separates_clean_from_image() -> None:
    phantom = brain_mr(bias=0.3, noise=0.0)
    field = np.asarray(phantom.bias.array)
    head = phantom.region("head")
    assert field[head].mean() == pytest.approx(1.0, abs=1e-3)
    assert field[head].max() / field[head].min() == pytest.approx(1.3 / 0.7, rel=1e-3)
    np.testing.assert_allclose(np.asarray(phantom.image.array), np.asarray(phantom.clean.array) * field, atol=0.51)


def test_vessel_rod_has_the_volume_of_the_formula() -> None:
    phantom = vessel_tree((80, 60, 60), (0.5, 0.5, 0.5), generations=0, radius=4.0, length=20.0, noise=0.0)
    measured = phantom.truth.mask().sum() * phantom.image.geometry.voxel_size
    assert measured == pytest.approx(phantom.branches[0].volume, rel=0.02)


def test_vessel_tree_branches_and_follows_murray() -> None:
    phantom = vessel_tree(generations=3)
    assert len(phantom.branches) == 2**4 - 1
    radii = phantom.centreline.values
    assert radii is not None and radii.max() == pytest.approx(4.0)
    inside = phantom.image.geometry.to_index(phantom.centreline.positions)
    kept = ((inside > 1) & (inside < 62)).all(axis=1)
    assert phantom.truth.mask()[tuple(np.rint(inside[kept]).astype(int).T)].all()
    for branch in phantom.branches:
        children = [b.radius for b in phantom.branches if b.start == branch.end]
        if children:
            assert sum(r**3 for r in children) == pytest.approx(branch.radius**3)


def test_cells_count_touch_and_lie_apart() -> None:
    phantom = cells(count=30, touching=5)
    labels = np.asarray(phantom.truth.array)
    assert phantom.truth.present == tuple(range(31)) and len(phantom.touching) == 5
    components, number = ndimage.label(labels > 0, ndimage.generate_binary_structure(2, 2))
    assert number == 25  # each touching pair is one component
    for one, other in phantom.touching:
        assert components[labels == one][0] == components[labels == other][0]


def test_cells_areas_are_the_ellipses() -> None:
    phantom = cells(count=20, touching=0, diameter=28.0)
    formula = np.pi * phantom.ellipses[:, 2] * phantom.ellipses[:, 3]
    np.testing.assert_allclose(phantom.areas, formula, rtol=0.02)


@pytest.mark.parametrize(("stain", "dims"), [("fluorescence", ("y", "x")), ("hematoxylin_eosin", ("c", "y", "x"))])
def test_cells_stains(stain: Stain, dims: tuple[str, ...]) -> None:
    phantom = cells(stain=stain)
    array = np.asarray(phantom.image.array).astype(float)
    inside = phantom.truth.mask()
    assert phantom.image.dims == dims and phantom.image.dtype == np.uint8 and phantom.image.geometry.unit == "px"
    if stain == "fluorescence":
        assert np.median(array[inside]) > 3 * np.median(array[~inside])
    else:
        red, _, blue = (array[k] for k in range(3))
        assert np.median(red[inside]) < 0.7 * np.median(red[~inside]) and np.median((blue - red)[inside]) > 30


@pytest.mark.parametrize(("eye", "sign"), [("right", 1.0), ("left", -1.0)])
def test_fundus_disc_is_nasal_and_masks_are_circles(eye: Any, sign: float) -> None:
    phantom = fundus(eye=eye)
    truth = {row.name: mask for row, mask in zip(phantom.truth.segments, np.asarray(phantom.truth.array), strict=True)}
    for name, radius in (("field of view", phantom.field[2]), ("optic disc", phantom.disc[2])):
        assert truth[name].sum() == pytest.approx(np.pi * radius**2, rel=0.02)
    assert np.sign(np.argwhere(truth["optic disc"])[:, 1].mean() - 127.5) == sign
    assert (
        not (truth["vessels"] & ~truth["field of view"]).any()
        and 0.05 < truth["vessels"].sum() / truth["field of view"].sum() < 0.3
    )
    green = np.asarray(phantom.image.array)[1].astype(float)
    around = (
        ndimage.binary_dilation(truth["vessels"], iterations=4)
        & ~ndimage.binary_dilation(truth["vessels"])
        & truth["field of view"]
    )
    assert green[truth["vessels"]].mean() < green[around].mean() - 10  # vessels are darkest in green


@pytest.mark.parametrize("kind", ["head", "cyst"])
def test_ultrasound_ellipse(kind: Any) -> None:
    phantom = ultrasound(kind=kind)
    mask = phantom.truth.mask()
    assert mask.sum() * phantom.image.geometry.voxel_size == pytest.approx(phantom.area, rel=0.01)
    a, b = phantom.axes
    h = ((a - b) / (a + b)) ** 2
    assert phantom.circumference == pytest.approx(np.pi * (a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h))), rel=1e-4)
    offset = (np.argwhere(mask) - phantom.center) * phantom.image.geometry.spacing
    axis = np.linalg.eigh(np.cov(offset.T))[1][:, -1]
    assert np.degrees(np.arctan2(axis[0], axis[1])) % 180 == pytest.approx(phantom.angle, abs=1.0)


def test_ultrasound_speckle_is_fully_developed() -> None:
    phantom = ultrasound(axes=(10.0, 8.0), seed=3, dynamic_range=80.0)
    decibel = np.asarray(phantom.image.array)[:60].astype(float) / 255.0 * 80.0
    # 20 log10 of a Rayleigh variable has a standard deviation of 5.57 dB, whatever its mean.
    assert decibel.std() == pytest.approx(5.57, abs=0.35)


def test_pet_volumes_uptake_and_units() -> None:
    phantom = pet(resolution=0.0, noise=0.0, spacing=(2.0, 2.0, 2.0), shape=(40, 90, 90))
    for k, diameter in enumerate(DIAMETERS):
        if diameter < 17.0:
            continue  # too few samples for a volume
        measured = phantom.truth.mask(f"hot spot {k + 1}").sum() * phantom.image.geometry.voxel_size
        assert measured == pytest.approx(np.pi / 6 * diameter**3, rel=0.03)
    assert float(np.asarray(phantom.image.array).max()) == pytest.approx(8.0)
    # SUV x dose / weight, by hand: 3.7e8 Bq, one hour of F-18, 75 kg.
    expected = 8.0 * 3.7e8 * np.exp(-np.log(2) * 3600 / HALF_LIFE) / 75_000
    assert float(np.asarray(phantom.activity.array).max()) == pytest.approx(expected, rel=1e-6)
    assert phantom.activity.quantity == "Bq/ml" and phantom.image.quantity == "SUVbw"


def test_pet_and_ct_show_the_same_places() -> None:
    phantom = pet()
    assert phantom.image.geometry.frame == phantom.ct.geometry.frame and phantom.image.shape != phantom.ct.shape
    for k in range(2, 6):
        center = phantom.spheres.positions[k]
        for truth in (phantom.truth, phantom.ct_truth):
            where = truth.geometry.to_world(np.argwhere(truth.mask(f"hot spot {k + 1}")))
            np.testing.assert_allclose(where.mean(axis=0), center, atol=0.8)
    assert phantom.spheres.positions[5][0] > 50.0  # the largest is on the patient's left


def test_pet_misalignment_moves_what_the_ct_shows() -> None:
    still, moved = pet(), pet(misalignment=(6.0, 0.0, 0.0))
    places = [p.ct_truth.geometry.to_world(np.argwhere(p.ct_truth.mask("hot spot 6"))).mean(axis=0) for p in (still, moved)]
    np.testing.assert_allclose(places[1] - places[0], (6.0, 0.0, 0.0), atol=1e-6)
    np.testing.assert_allclose(still.ct.geometry.affine[:, :3], moved.ct.geometry.affine[:, :3])


def test_xray_fields_side_and_polarity() -> None:
    phantom, inverted = xray_chest(), xray_chest(inverted=True)
    for name, sign in (("right lung", -1.0), ("left lung", 1.0)):
        mask = phantom.truth.mask(name)
        assert np.sign(phantom.image.geometry.to_world(np.argwhere(mask))[:, 0].mean()) == sign
        array = np.asarray(phantom.image.array)
        assert array[mask].mean() < array[phantom.truth.mask("heart")].mean()
    assert np.argwhere(phantom.truth.mask("right lung"))[:, 1].mean() < 128  # left of the picture
    np.testing.assert_array_equal(np.asarray(phantom.image.array) + np.asarray(inverted.image.array), 4095)
    assert phantom.image.geometry.orientation == "IL" and xray_chest(calibrated=False).image.geometry.unit == "px"


def test_xray_lung_field_area() -> None:
    phantom = xray_chest(heart=0.5)
    # The right field: an ellipse of 56 x 122 mm about L = -80, of which all beyond L = -30 is kept.
    t = (80.0 - 30.0) / 56.0
    kept = np.pi * 56 * 122 * (1 - (np.arccos(t) - t * np.sqrt(1 - t * t)) / np.pi)
    measured = phantom.truth.mask("right lung").sum() * phantom.image.geometry.voxel_size
    assert measured == pytest.approx(kept, rel=0.01)


@pytest.mark.parametrize("make", [brain_mr, vessel_tree, cells, fundus, ultrasound, pet, xray_chest], ids=lambda f: f.__name__)
def test_every_phantom_is_the_same_twice(make: Any) -> None:
    first, again, other = make(seed=1), make(seed=1), make(seed=2)
    assert first.image.digest == again.image.digest and first.truth.digest == again.truth.digest
    assert first.image.digest != other.image.digest
    assert first.image.provenance.sources[0].format == "phantom"


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (brain_mr, {"bias": 1.5}),
        (vessel_tree, {"generations": 20}),
        (cells, {"count": 4000}),
        (cells, {"count": 3, "touching": 2}),
        (cells, {"stain": "gram"}),
        (fundus, {"eye": "third"}),
        (ultrasound, {"kind": "bone"}),
        (ultrasound, {"axes": (3.0, 5.0)}),
        (pet, {"diameters": ()}),
        (xray_chest, {"heart": 4.0}),
    ],
)
def test_phantoms_refuse_impossible_parameters(make: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="expected"):
        make(**wrong)
