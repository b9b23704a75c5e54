"""The de-identification lint: the table of the standard, what files carry of it, and never a value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.io.dicom.lint import _actions, lint
from tests.io.dicom.test_measurements import object_of


def test_the_table_is_that_of_the_standard(shared: Callable[[str], Path]) -> None:
    rows = json.loads((shared("standards") / "ps315_confidentiality_profile_attributes.json").read_text())
    known, masks = _actions()
    for row in rows:
        tag = row["id"].upper()
        if len(tag) == 8 and "X" not in tag:
            assert known[int(tag, 16)] == row["basicProfile"], row["name"]
    assert len(known) + len(masks) == len(rows) - 1  # private groups are a rule, not a row


def _capture(path: Path, **more: str) -> Path:
    data = object_of(path, "1.2.840.10008.5.1.4.1.1.7", "OT")
    data.OperatorsName = ""
    for keyword, value in more.items():
        setattr(data, keyword, value)
    item = Dataset()
    item.PersonName = "Secret^Nurse"
    data.RequestAttributesSequence = Sequence([Dataset()])
    data.ContentCreatorIdentificationCodeSequence = Sequence([item])
    data.add_new(0x00091001, "LO", "Doe^John")
    data.save_as(path, enforce_file_format=True)
    return path


def test_attributes_are_named_and_values_are_not(tmp_path: Path) -> None:
    found = lint([_capture(tmp_path / "a.dcm", InstitutionName="St. Elsewhere")])
    assert {"PatientName", "PatientID", "InstitutionName"} <= set(found.attributes)
    assert "OperatorsName" not in found.attributes  # it is empty
    assert found.private == 1 and found.uids >= 3 and found.burned_in == "unknown" and not found.removed
    text = found.sentence() + json.dumps(found.to_dict())
    assert not any(secret in text for secret in ("Doe", "Secret", "Elsewhere"))


@pytest.mark.parametrize(("flag", "expected"), [("YES", "declared"), ("NO", "declared absent"), (None, "unknown")])
def test_burned_in_text_is_as_declared(tmp_path: Path, flag: str | None, expected: str) -> None:
    found = lint([_capture(tmp_path / "a.dcm", **({"BurnedInAnnotation": flag} if flag else {}))], np.zeros((64, 64)))
    assert found.burned_in == expected


def test_burned_in_text_is_seen_in_spite_of_the_declaration(tmp_path: Path) -> None:
    picture = Image.new("L", (400, 300))
    ImageDraw.Draw(picture).text((10, 10), "DOE JOHN 19510502", fill=255, font=ImageFont.load_default(16))
    path = _capture(tmp_path / "a.dcm", BurnedInAnnotation="NO")
    assert lint([path], np.asarray(picture)).burned_in == "likely"
    data = pydicom.dcmread(path)
    data.Modality, data.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2"
    data.save_as(path)
    assert lint([path], np.asarray(picture)).burned_in == "declared absent"


def test_a_removed_identity_is_told(tmp_path: Path) -> None:
    found = lint([_capture(tmp_path / "a.dcm", PatientIdentityRemoved="YES")])
    assert found.removed and found.sentence().endswith("the file says that the identity was removed")
