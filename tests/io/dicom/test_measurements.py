"""Structured reports and spatial registrations: read to what they state, and hostile ones refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from isocenter.core.results import Features
from isocenter.core.transform import Transform
from isocenter.io import door

REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"
FIXED, MOVING = generate_uid(entropy_srcs=["fixed"]), generate_uid(entropy_srcs=["moving"])


def object_of(path: Path, sop_class: str, modality: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ExplicitVRLittleEndian,
        sop_class,
        FIXED,
    )
    data = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = sop_class, FIXED, modality
    data.StudyInstanceUID, data.SeriesInstanceUID, data.PatientID, data.PatientName = FIXED, MOVING, "7", "Doe^John"
    return data


def registered(path: Path, matrix: Any, kind: str = "RIGID") -> Path:
    """Write a registration of one source in another frame, beside the fixed frame itself."""
    data = object_of(path, REGISTRATION, "REG")
    data.FrameOfReferenceUID = FIXED
    rows = []
    for frame, values in ((FIXED, np.eye(4)), (MOVING, np.asarray(matrix))):
        one, step, source = Dataset(), Dataset(), Dataset()
        one.FrameOfReferenceTransformationMatrixType = kind
        one.FrameOfReferenceTransformationMatrix = [f"{v:.9g}" for v in values.ravel()]
        step.MatrixSequence = Sequence([one])
        source.FrameOfReferenceUID, source.MatrixRegistrationSequence = frame, Sequence([step])
        rows.append(source)
    data.RegistrationSequence = Sequence(rows)
    data.save_as(path, enforce_file_format=True)
    return path


def test_a_registration_maps_the_fixed_world_to_the_moving_one(tmp_path: Path) -> None:
    matrix = np.array([[0.0, -1.0, 0.0, 12.5], [1.0, 0.0, 0.0, -3.0], [0.0, 0.0, 1.0, 40.0], [0.0, 0.0, 0.0, 1.0]])
    (item,) = door.inspect(registered(tmp_path / "reg.dcm", matrix)).items
    transform = item.load()
    assert item.kind == "transform" and isinstance(transform, Transform) and item.references == (FIXED, MOVING)
    moving = np.array([[1.0, 2.0, 3.0], [-50.0, 0.0, 7.0]])
    fixed = moving @ matrix[:3, :3].T + matrix[:3, 3]  # the object's own sentence: source to registered
    assert np.abs(transform(fixed) - moving).max() < 1e-9


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.zeros((4, 4)), "rigid"),
        (np.diag([2.0, 1, 1, 1]), "rigid"),
        (np.diag([1.0, 1, 1, 2]), "expected finite"),
        (np.eye(4)[:3], "16"),
    ],
)
def test_impossible_matrices_are_refused(tmp_path: Path, matrix: Any, words: str) -> None:
    (refusal,) = door.inspect(registered(tmp_path / "reg.dcm", matrix)).refusals
    assert words in refusal.reason


def test_a_scale_that_says_so_is_kept(tmp_path: Path) -> None:
    (item,) = door.inspect(registered(tmp_path / "reg.dcm", np.diag([2.0, 1, 1, 1]), "RIGID_SCALE")).items
    assert item.load()([[2.0, 1.0, 1.0]]).tolist() == [[1.0, 1.0, 1.0]]


def test_a_published_report(shared: Callable[[str], Path]) -> None:
    (item,) = door.inspect(shared("dicom_sr") / "sr.dcm").items
    table = item.load()
    assert item.kind == "measurements" and isinstance(table, Features)
    assert table.regions == ("primary tumor",)
    assert table["SUVbw Mean"] == pytest.approx(6.01529) and table["SUVbw Maximum"] == pytest.approx(10.3814)
    assert table["Volume"] == pytest.approx(33.5824)
    units = {c.name: c.unit for c in table.columns}
    assert units["Volume"] == "ml" and units["SUVbw Mean"] == "{SUVbw}g/ml"
    assert table["Percent Within First Quarter of Intensity Range"] == pytest.approx(29.434)


def _num(meaning: str, value: Any, unit: str) -> Dataset:
    item, name, measured, units = Dataset(), Dataset(), Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = meaning[:8], "99X", meaning
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = unit, "UCUM", unit
    measured.MeasurementUnitsCodeSequence = Sequence([units])
    measured.add_new("NumericValue", "DS", value)
    item.ValueType, item.RelationshipType, item.ConceptNameCodeSequence = "NUM", "CONTAINS", Sequence([name])
    item.MeasuredValueSequence = Sequence([measured])
    return item


def report(path: Path, groups: list[list[Dataset]]) -> Path:
    data = object_of(path, "1.2.840.10008.5.1.4.1.1.88.33", "SR")
    data.ValueType = "CONTAINER"
    rows = []
    for content in groups:
        group, name = Dataset(), Dataset()
        name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "125007", "DCM", "Measurement Group"
        group.ValueType, group.RelationshipType, group.ConceptNameCodeSequence = "CONTAINER", "CONTAINS", Sequence([name])
        group.ContentSequence = Sequence(content)
        rows.append(group)
    data.ContentSequence = Sequence(rows)
    data.save_as(path, enforce_file_format=True)
    return path


def test_rows_columns_and_gaps(tmp_path: Path) -> None:
    one = [_num("Volume", "1.5", "ml"), _num("Length", "3", "mm"), _num("Length", "4", "mm")]
    two = [_num("Volume", "1500", "mm3")]
    (item,) = door.inspect(report(tmp_path / "sr.dcm", [one, two, []])).items
    table = item.load()
    assert table.regions == ("region 1", "region 2")
    assert table.names == ("Volume", "Length", "Length_2", "Volume [mm3]")
    assert (
        table["region 1", "Length_2"] == 4.0
        and np.isnan(table["region 2", "Volume"])
        and table["region 2", "Volume [mm3]"] == 1500.0
    )
    assert "Doe" not in repr(item) and "Doe" not in str(table.to_records())


def test_reports_without_numbers_are_refused(tmp_path: Path) -> None:
    (refusal,) = door.inspect(report(tmp_path / "sr.dcm", [[]])).refusals
    assert "without measurements" in refusal.reason


def test_what_is_written_is_read_again(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    source = pydicom.dcmread(shared("dicom_sr") / "sr.dcm")
    source.save_as(tmp_path / "copy.dcm")
    first, second = (door.inspect(p).items[0].load() for p in (shared("dicom_sr") / "sr.dcm", tmp_path / "copy.dcm"))
    assert first.digest == second.digest
