"""Stacks: sound ones read, broken ones refused with slice and mm, repairs recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from isocenter.io.inventory import Repair
from tests.io.dicom.samples import PYDICOM, ct_slice, inspect, read, save

Shared = Callable[[str], Path]

#: Folder -> kind of refusal and what the sentence says (file, position, gap).
REFUSED = {
    "missing_slice": ("geometry", ("003.dcm", "005.dcm", "gap is 2.00 mm where 1.00 mm", "--repair interpolate")),
    "dup_position": ("geometry", ("003.dcm", "004.dcm", "3.00 mm", "--repair")),
    "nonuniform": ("geometry", ("004.dcm", "gap is 1.40 mm where 1.00 mm", "--repair")),
    "mixed_orientation": ("geometry", ("004.dcm", "007.dcm", "3.00 mm apart")),
    "mixed_size": ("geometry", ("004.dcm", "4.00 mm", "16 x 8")),
    "mixed_spacing": ("geometry", ("004.dcm", "4.00 mm", "2 x 2 mm")),
    "mixed_frame_of_reference": ("geometry", ("004.dcm", "4.00 mm", "FrameOfReferenceUID")),
    "mixed_patient": ("content", ("000.dcm", "004.dcm", "different patients")),
    "dup_sop_same": ("content", ("000.dcm", "001.dcm", "SOPInstanceUID")),
    "one_corrupt": ("format", ("004.dcm", "128 bytes where 58")),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_broken_series_are_refused_with_slice_and_distance(shared: Shared, name: str) -> None:
    kind, says = REFUSED[name]
    items, refusals = inspect(shared(f"hostile/series/{name}"))
    assert not items
    assert refusals[0].kind == kind
    for text in says:
        assert text in refusals[0].reason


@pytest.mark.parametrize("name", ["00_control", "00_control_reversed"])
def test_sound_series_are_sorted_by_position(shared: Shared, name: str) -> None:
    image = read(shared(f"hostile/series/{name}"))
    assert image.shape == (8, 8, 8) and image.geometry.spacing == (1.0, 1.0, 1.0)
    assert image.geometry.origin == (0.0, 0.0, 0.0) and image.geometry.orientation == "SPL"


def test_reversed_control_holds_the_same_samples_in_world_order(shared: Shared) -> None:
    a, b = (read(shared(f"hostile/series/00_control{end}")) for end in ("", "_reversed"))
    assert np.array_equal(a.array, b.array) or np.array_equal(a.array, b.array[::-1])


def test_gantry_tilt_keeps_the_sheared_grid_and_says_so(shared: Shared) -> None:
    items, refusals = inspect(shared("hostile/series/gantry_tilt"))
    assert not refusals
    image = items[0].load()
    assert np.allclose(image.geometry.affine[:3, 0], (0.0, 0.3, 1.0))
    assert "16.70 degrees" in items[0].problems[0].text and "2.10 mm" in items[0].problems[0].consequence
    assert any("16.70 degrees" in note for note in image.provenance.notes)


def test_each_slice_is_rescaled_with_its_own_line(shared: Shared) -> None:
    image = read(shared("hostile/series/mixed_rescale"))
    control = read(shared("hostile/series/00_control"))
    assert image.quantity == "HU" and image.dtype == np.int16
    other = [z for z in range(8) if z != 4]
    assert image.array[4].max() < 0 and np.array_equal(np.sign(image.array[other]), np.sign(control.array[other].astype(int)))


@pytest.mark.parametrize(("repair", "kind"), [("nearest", np.int16), ("interpolate", np.float32)])
def test_missing_slice_is_filled_only_when_asked(tmp_path: Path, repair: Repair, kind: type) -> None:
    save([ct_slice(float(z)) for z in (0, 1, 2, 4, 5, 6)], tmp_path)
    items, refusals = inspect(tmp_path)
    assert not items and "gap is 2.00 mm" in refusals[0].reason
    image = read(tmp_path, repair)
    assert image.shape == (7, 6, 5) and image.geometry.spacing[0] == 1.0 and image.dtype == kind
    assert image.array[3, 0, 0] == (30 - 1024 if repair == "interpolate" else pytest.approx(30 - 1024, abs=10))
    assert image.array[4, 0, 0] == 40 - 1024
    assert any(f"repair {repair}" in note for note in image.provenance.notes)


def test_uneven_slices_are_resampled_when_asked(shared: Shared) -> None:
    items, refusals = inspect(shared("hostile/series/nonuniform"), "interpolate")
    assert not refusals
    image = items[0].load()
    assert image.geometry.spacing[0] == pytest.approx(1.0) and image.shape[0] == 8
    assert image.dtype == np.float32 and "repair interpolate" in items[0].problems[-1].text


@pytest.mark.parametrize(("repair", "value"), [("nearest", 10), ("interpolate", 15)])
def test_duplicates_are_resolved_only_when_asked(tmp_path: Path, repair: Repair, value: int) -> None:
    twin = ct_slice(1.0, np.full((6, 5), 20, np.uint16), SOPInstanceUID="1.2.3.99", InstanceNumber=11)
    save([ct_slice(0.0), ct_slice(1.0), twin, ct_slice(2.0)], tmp_path)
    items, refusals = inspect(tmp_path)
    assert not items and "one position" in refusals[0].reason
    image = read(tmp_path, repair)
    assert image.shape == (3, 6, 5) and image.array[1, 0, 0] == value - 1024
    assert any(f"repair {repair}" in note for note in image.provenance.notes)


def test_volumes_of_several_times_are_never_averaged_as_duplicates(tmp_path: Path) -> None:
    slices = [
        ct_slice(float(z), TriggerTime=500.0 * t, SOPInstanceUID=f"1.2.{t}.{z}")
        for t in range(3)
        for z in range(4)
        if (t, z) != (1, 2)
    ]
    items, refusals = inspect(save(slices, tmp_path), "interpolate")
    assert not items and "2 slice(s) lie at 2.00 mm" in refusals[0].reason and "3 are usual" in refusals[0].reason


def test_volumes_that_nothing_orders_are_refused(tmp_path: Path) -> None:
    slices = [ct_slice(float(z), SOPInstanceUID=f"1.2.{t}.{z}", InstanceNumber=1) for t in range(2) for z in range(3)]
    items, refusals = inspect(save(slices, tmp_path), "nearest")
    assert not items and "nothing in their headers orders them" in refusals[0].reason


def test_identical_copies_of_a_file_are_left_out_and_mentioned(tmp_path: Path) -> None:
    save([ct_slice(float(z)) for z in range(3)], tmp_path / "a")
    save([ct_slice(1.0)], tmp_path / "b")
    items, refusals = inspect(tmp_path)
    assert not refusals and items[0].spec.geometry is not None and items[0].spec.geometry.shape == (3, 6, 5)
    assert any("copy" in p.text for p in items[0].problems)


def test_slices_shifted_sideways_are_refused(tmp_path: Path) -> None:
    save([ct_slice(float(z), ImagePositionPatient=[3.0 if z == 2 else 0.0, 0.0, float(z)]) for z in range(5)], tmp_path)
    items, refusals = inspect(tmp_path)
    assert not items and "sideways" in refusals[0].reason and "002.dcm" in refusals[0].reason


def test_rounded_positions_are_tolerated_and_reported(tmp_path: Path) -> None:
    places = [0.0, 0.63, 1.25, 1.88, 2.5]
    save([ct_slice(z) for z in places], tmp_path / "fine")
    assert not inspect(tmp_path / "fine")[1]
    save([ct_slice(z) for z in (0.0, 2.0, 4.02, 6.0, 8.0)], tmp_path / "coarse")
    items, refusals = inspect(tmp_path / "coarse")
    assert not refusals and "0.020 mm" in items[0].problems[0].text


@pytest.mark.parametrize("clock", [{"TemporalPositionIdentifier": 1}, {"TriggerTime": 500.0}, {"AcquisitionTime": 1}])
def test_repeated_positions_with_a_clock_become_time_points(tmp_path: Path, clock: dict[str, float]) -> None:
    name = next(iter(clock))
    slices = []
    for t in range(3):
        for z in range(4):
            stamp = f"1000{10 * t:02d}" if name == "AcquisitionTime" else (t + 1) * clock[name]
            extra = {name: stamp, "SOPInstanceUID": f"1.2.3.{t}.{z}", "InstanceNumber": 1}
            slices.append(ct_slice(float(z), np.full((6, 5), 100 * t + z, np.uint16), **extra))
    image = read(save(slices[::-1], tmp_path))
    assert image.dims == ("t", "z", "y", "x")
    assert image.array[:, :, 0, 0].tolist() == [[100 * t + z - 1024 for z in range(4)] for t in range(3)]
    expected = {"TemporalPositionIdentifier": None, "TriggerTime": (0.0, 0.5, 1.0), "AcquisitionTime": (0.0, 10.0, 20.0)}
    assert image.times == expected[name]


def test_echoes_become_images_of_their_own(tmp_path: Path) -> None:
    slices = [
        ct_slice(
            float(z), np.full((6, 5), int(echo), np.uint16), EchoTime=echo, SOPInstanceUID=f"1.2.{int(echo)}.{z}", Modality="MR"
        )
        for echo in (10.0, 20.0)
        for z in range(3)
    ]
    items, refusals = inspect(save(slices, tmp_path))
    assert not refusals and [i.attributes["part"] for i in items] == ["echo 10", "echo 20"]
    assert [int(i.load().array.max()) + 1024 for i in items] == [10, 20]
    assert len({i.name for i in items}) == 2 and len({i.group for i in items}) == 1


def test_an_echo_with_a_missing_slice_condemns_the_series(tmp_path: Path) -> None:
    slices = [
        ct_slice(float(z), EchoTime=e, SOPInstanceUID=f"1.2.{int(e)}.{z}")
        for e in (10.0, 20.0)
        for z in range(5)
        if (e, z) != (20.0, 2)
    ]
    items, refusals = inspect(save(slices, tmp_path))
    assert not items and "gap is 2.00 mm" in refusals[0].reason


def test_other_series_of_the_folder_go_on(tmp_path: Path) -> None:
    save([ct_slice(float(z)) for z in (0, 1, 3, 4)], tmp_path / "bad")
    save([ct_slice(float(z), SeriesInstanceUID="1.2.3.77") for z in range(3)], tmp_path / "good")
    items, refusals = inspect(tmp_path)
    assert len(items) == 1 and items[0].uid == "1.2.3.77" and len(refusals) == 1


def test_single_slice_lies_in_the_world_without_an_invented_thickness(tmp_path: Path) -> None:
    image = read(save([ct_slice(12.0)], tmp_path))
    assert image.dims == ("y", "x") and image.geometry.origin == (0.0, 0.0, 12.0) and image.geometry.spacing == (1.0, 2.0)


@pytest.mark.parametrize(
    ("orientation", "step", "letters"),
    [([1, 0, 0, 0, 1, 0], (0, 0, 1), "SPL"), ([0, 1, 0, 0, 0, -1], (1, 0, 0), "RIP"), ([1, 0, 0, 0, 0, -1], (0, 1, 0), "PIL")],
)
def test_orientation_follows_the_header(tmp_path: Path, orientation: list[int], step: tuple[int, ...], letters: str) -> None:
    slices = [
        ct_slice(float(k), ImageOrientationPatient=orientation, ImagePositionPatient=[k * s for s in step]) for k in range(3)
    ]
    image = read(save(slices, tmp_path))
    assert image.geometry.orientation == letters
    assert np.allclose(image.geometry.affine[:3, 2], np.array(orientation[:3]) * 2.0)  # columns: PixelSpacing[1]
    assert np.allclose(image.geometry.affine[:3, 1], np.array(orientation[3:]) * 1.0)


def test_stored_integers_are_kept(tmp_path: Path) -> None:
    wide = np.array([[0, 65535]], np.uint16)
    fits = read(save([ct_slice(0.0, np.array([[0, 4095]], np.uint16))], tmp_path / "a"))
    assert fits.dtype == np.int16 and fits.array.tolist() == [[-1024, 3071]]
    promoted = read(save([ct_slice(0.0, wide)], tmp_path / "b"))
    assert promoted.dtype == np.int32 and promoted.array.tolist() == [[-1024, 64511]]
    scaled = read(save([ct_slice(0.0, wide, RescaleSlope=0.5)], tmp_path / "c"))
    assert scaled.dtype == np.float32 and scaled.array.tolist() == [[-1024.0, 31743.5]]


def test_person_stays_out_of_what_is_shown(tmp_path: Path) -> None:
    items, _ = inspect(
        save([ct_slice(0.0, PatientName="Secret^Name", PatientID="ID-77", StudyDescription="Secret study")], tmp_path)
    )
    item = items[0]
    shown = repr(item) + repr(item.attributes) + item.group + item.patient + str([p.sentence() for p in item.problems])
    assert "Secret" not in shown and "ID-77" not in shown
    assert item.identity["PatientName"] == "Secret^Name" and item.identity["SOPInstanceUIDs"] == (
        item.identity["SOPInstanceUIDs"][0],
    )
    notes = " ".join(item.load().provenance.notes)
    assert "Secret" not in notes


def test_two_studies_of_one_patient_share_the_patient_key(tmp_path: Path) -> None:
    def one(study: str, patient: str) -> Dataset:
        return ct_slice(
            0.0, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", SOPInstanceUID=f"{study}.2", PatientID=patient
        )

    items, _ = inspect(save([one("1.2.1", "A"), one("1.2.2", "A"), one("1.2.3", "B")], tmp_path))
    assert len({i.group for i in items}) == 3 and len({i.patient for i in items}) == 2


def test_series_that_a_dependency_ships() -> None:
    image = read(PYDICOM / "dicomdirtests" / "98892001" / "CT5N")
    assert image.shape == (5, 16, 16) and image.geometry.spacing[0] == pytest.approx(2.5)
    assert read(PYDICOM / "CT_small.dcm").quantity == "HU"
    items, refusals = inspect(PYDICOM / "dicomdirtests" / "77654033" / "CT2")
    assert not items and "202.50 mm" in refusals[0].reason
