"""Images written as DICOM series: valid, exact where they can be, in place to a thousandth of a mm, the same twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from isocenter.core.errors import ContentError, GeometryError, WriteError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io.dicom.encode import stored
from isocenter.io.dicom.write_series import PetAcquisition, WrittenSeries, write_series
from isocenter.testing.phantoms.brain_mr import brain_mr
from isocenter.testing.phantoms.cells import cells
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.testing.phantoms.pet import pet
from isocenter.testing.phantoms.ultrasound import ultrasound
from isocenter.testing.phantoms.xray_chest import xray_chest
from tests.io.dicom.validation import errors, needs_validator

CHEST: dict[str, Any] = {"shape": (8, 40, 44), "spacing": (30.0, 9.0, 8.5)}
HEAD: dict[str, Any] = {"shape": (6, 40, 36), "spacing": (30.0, 5.5, 5.5)}


def _pet() -> Image:
    return pet((6, 40, 44), (10.0, 8.0, 8.0), ct_shape=(6, 8, 8), ct_spacing=(10.0, 40.0, 40.0)).image


def _activity() -> Image:
    return pet((6, 40, 44), (10.0, 8.0, 8.0), ct_shape=(6, 8, 8), ct_spacing=(10.0, 40.0, 40.0)).activity


def _cine() -> Image:
    one = ultrasound((60, 81)).image
    return Image(np.stack([np.asarray(one.array)] * 3), ("t", "y", "x"), one.geometry, modality="US", times=(0.0, 0.05, 0.1))


def _dynamic() -> Image:
    one = brain_mr(**HEAD).image
    array = np.stack([np.asarray(one.array), np.asarray(one.array) + 7])
    return Image(array, ("t", "z", "y", "x"), one.geometry, modality="MR", times=(0.0, 2.5))


CASES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "ct": (lambda: chest_ct(**CHEST).image, {"body_part": "chest", "description": "phantom"}, "CT"),
    "ct-tilted": (lambda: chest_ct(**CHEST, tilt=17.0).image, {}, "CT"),
    "ct-prone": (lambda: chest_ct(**CHEST, prone=True).image, {"patient_position": "HFP"}, "CT"),
    "mr": (lambda: brain_mr(**HEAD).image, {"body_part": "BRAIN"}, "MR"),
    "mr-float": (lambda: brain_mr(**HEAD).clean, {}, "MR"),
    "mr-dynamic": (_dynamic, {}, "MR"),
    "pet-suv": (_pet, {"body_part": "CHEST"}, "PT"),
    "pet-activity": (_activity, {"pet": PetAcquisition()}, "PT"),
    "us": (lambda: ultrasound((60, 81)).image, {}, "US"),
    "us-cine": (_cine, {}, "US"),
    "dx": (lambda: xray_chest((64, 65), (6.0, 6.0)).image, {"body_part": "CHEST"}, "DX"),
    "dx-inverted": (lambda: xray_chest((64, 65), (6.0, 6.0), inverted=True).image, {"inverted": True}, "DX"),
    "photograph": (lambda: xray_chest((64, 65), (6.0, 6.0), calibrated=False).image, {}, "DX"),
    "colour": (lambda: cells((91, 97), count=5, touching=1, stain="hematoxylin_eosin").image, {}, "SM"),
}


def _write(name: str, folder: Path) -> tuple[Image, WrittenSeries, list[Any]]:
    make, options, _ = CASES[name]
    image = make()
    written = write_series(image, folder, **options)
    return image, written, [pydicom.dcmread(path) for path in written.paths]


@needs_validator
@pytest.mark.parametrize("name", CASES)
def test_every_kind_is_valid(name: str, tmp_path: Path) -> None:
    _, written, _ = _write(name, tmp_path)
    assert errors(written.paths[0]) == [] and errors(written.paths[-1]) == []


@pytest.mark.parametrize("name", CASES)
def test_samples_come_back(name: str, tmp_path: Path) -> None:
    image, _, files = _write(name, tmp_path)
    array = np.asarray(image.array, dtype=np.float64)
    found = np.stack([f.pixel_array * float(f.get("RescaleSlope", 1)) + float(f.get("RescaleIntercept", 0)) for f in files])
    if name == "colour":
        np.testing.assert_array_equal(np.moveaxis(found[0], -1, 0), array)
    elif image.dtype.kind == "f":
        # Half a step of 16 bits, of the whole range or (PET) of each slice's own.
        steps = array.max(axis=(1, 2), keepdims=True) / 32767 if image.modality == "PT" else np.ptp(array) / 65535
        assert (np.abs(found.reshape(array.shape) - array) <= 0.5001 * steps).all()
    else:
        np.testing.assert_array_equal(found.reshape(array.shape), array)
    assert {f.Modality for f in files} == {CASES[name][2]}


@pytest.mark.parametrize("name", [k for k in CASES if k.startswith(("ct", "mr", "pet"))])
def test_every_sample_is_in_its_place(name: str, tmp_path: Path) -> None:
    image, _, files = _write(name, tmp_path)
    geometry = image.geometry
    for k, f in enumerate(files):
        z = k % geometry.shape[0]
        place = np.array([float(v) for v in f.ImagePositionPatient])
        right, down = np.array(f.ImageOrientationPatient[:3], float), np.array(f.ImageOrientationPatient[3:], float)
        for y, x in ((0, 0), (0, geometry.shape[2] - 1), (geometry.shape[1] - 1, geometry.shape[2] - 1)):
            world = place + right * float(f.PixelSpacing[1]) * x + down * float(f.PixelSpacing[0]) * y
            np.testing.assert_allclose(world, geometry.to_world((z, y, x)), atol=1e-6)
    assert {f.FrameOfReferenceUID for f in files} == {geometry.frame}


@pytest.mark.parametrize("name", CASES)
def test_twice_is_bit_equal(name: str, tmp_path: Path) -> None:
    _, first, _ = _write(name, tmp_path / "first")
    _, again, _ = _write(name, tmp_path / "again")
    assert [p.read_bytes() for p in first.paths] == [p.read_bytes() for p in again.paths]
    assert first.identity == again.identity


def test_uids_tell_files_series_and_images_apart(tmp_path: Path) -> None:
    image = chest_ct(**CHEST).image
    one = write_series(image, tmp_path / "1")
    two = write_series(image, tmp_path / "2", series_number=2)
    other = write_series(chest_ct(**CHEST, seed=9).image, tmp_path / "3")
    assert len({*one.identity["SOPInstanceUIDs"], *two.identity["SOPInstanceUIDs"], *other.identity["SOPInstanceUIDs"]}) == 24
    assert one.identity["StudyInstanceUID"] == two.identity["StudyInstanceUID"] != other.identity["StudyInstanceUID"]


def test_pet_and_ct_of_one_frame_share_a_study(tmp_path: Path) -> None:
    phantom = pet((6, 20, 20), (10.0, 16.0, 16.0), ct_shape=(6, 20, 20), ct_spacing=(10.0, 16.0, 16.0))
    a, b = write_series(phantom.image, tmp_path / "pet"), write_series(phantom.ct, tmp_path / "ct", series_number=2)
    assert a.identity["StudyInstanceUID"] == b.identity["StudyInstanceUID"]
    assert a.identity["SeriesInstanceUID"] != b.identity["SeriesInstanceUID"]


def test_pet_says_what_suv_needs(tmp_path: Path) -> None:
    phantom = pet((6, 40, 44), (10.0, 8.0, 8.0), resolution=0.0, noise=0.0)
    acquisition = PetAcquisition(phantom.dose, phantom.weight, int(phantom.delay))
    files = [pydicom.dcmread(p) for p in write_series(phantom.activity, tmp_path, pet=acquisition).paths]
    top = 0.0
    for f in files:
        tracer = f.RadiopharmaceuticalInformationSequence[0]
        waited = (
            float(f.SeriesTime[:2]) * 3600
            + float(f.SeriesTime[2:4]) * 60
            - (float(tracer.RadiopharmaceuticalStartTime[:2]) * 3600 + float(tracer.RadiopharmaceuticalStartTime[2:4]) * 60)
        )
        left = float(tracer.RadionuclideTotalDose) * 2 ** (-waited / float(tracer.RadionuclideHalfLife))
        suv = f.pixel_array * float(f.RescaleSlope) * float(f.PatientWeight) * 1000 / left
        top = max(top, float(suv.max()))
    assert top == pytest.approx(phantom.uptake, rel=1e-4)
    assert len({f.RescaleSlope for f in files}) > 1 and {f.Units for f in files} == {"BQML"}


def test_identity_is_repeated_within_the_limits_of_its_types(tmp_path: Path) -> None:
    identity = {
        "PatientName": "Müller^Jürgen=山田^太郎" + "x" * 100,
        "PatientID": "7\\8\n9" + "0" * 100,
        "PatientSex": "female",
        "PatientBirthDate": "yesterday",
        "AccessionNumber": "A" * 40,
        "StudyDate": "20240229",
        "StudyTime": "235959.5",
    }
    written = write_series(chest_ct(**CHEST).image, tmp_path, identity=identity)
    f = pydicom.dcmread(written.paths[0])
    assert str(f.PatientName).startswith("Müller^Jürgen=山田^太郎x") and len(f.PatientID) <= 64 and "\\" not in f.PatientID
    assert f.PatientSex == "" and f.PatientBirthDate == "" and f.AccessionNumber == "A" * 16
    assert (f.StudyDate, f.StudyTime, f.ContentDate) == ("20240229", "235959.5", "20240229")


@needs_validator
def test_a_hostile_identity_is_valid_all_the_same(tmp_path: Path) -> None:
    identity = {
        "PatientName": "=^^^^^^a\x1b[31m",
        "PatientID": "\\\\",
        "StudyDate": "99999999",
        "StudyTime": "noon",
        "PatientAge": "old",
    }
    assert errors(write_series(chest_ct(**CHEST).image, tmp_path, identity=identity).paths[0]) == []


@pytest.mark.parametrize(
    ("values", "modality"),
    [
        (np.array([[-1024, 3071]], np.int16), "CT"),
        (np.array([[-2000, 3071]], np.int16), "CT"),
        (np.array([[0, 65535]], np.uint16), "MR"),
        (np.array([[-5.0, 40.0]], np.float32), "MR"),
        (np.array([[True, False]]), "SC"),
        (np.array([[0, 255]], np.uint8), "US"),
    ],
)
def test_whole_numbers_are_stored_exactly(values: np.ndarray[Any, Any], modality: str) -> None:
    kept = stored(values, modality)
    np.testing.assert_array_equal(kept.array.astype(float) * float(kept.slope) + float(kept.intercept), values.astype(float))
    assert kept.slope == "1"


@pytest.mark.parametrize("values", [(0.1, 0.7), (-1e-9, 1e-9), (1e30, 3e30), (-1e-40, 0.0), (5.5, 5.5)])
def test_any_range_of_floats_is_stored(values: tuple[float, float]) -> None:
    data = np.array([values])
    kept = stored(data, "MR")
    back = kept.array * float(kept.slope) + float(kept.intercept)
    span = max(abs(values[1] - values[0]), abs(values[0]) * 1e-9)
    assert np.abs(back - data).max() <= span / 65535 + 1e-300


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    grid = Geometry.regular((2, 3, 4), 1.0)
    bad = Image(np.full((2, 3, 4), np.nan), ("z", "y", "x"), grid, modality="MR")
    with pytest.raises(ContentError, match="not finite"):
        write_series(bad, tmp_path / "nan")
    with pytest.raises(ContentError, match="PET"):
        write_series(bad.replace(array=np.ones((2, 3, 4)), modality="PT", quantity="counts"), tmp_path / "pet")
    with pytest.raises(ContentError, match="label map"):
        write_series(chest_ct(**CHEST).truth, tmp_path / "labels")
    sheared = np.array(grid.affine)
    sheared[0, 1] = 0.3
    with pytest.raises(GeometryError, match="right angles"):
        write_series(Image(np.ones((2, 3, 4)), ("z", "y", "x"), Geometry((2, 3, 4), sheared), modality="CT"), tmp_path / "shear")
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError):
        write_series(chest_ct(**CHEST).image, tmp_path / "file")
