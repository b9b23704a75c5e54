"""Encapsulated PDF: valid, whole, in the study it reports on, the same twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest

from isocenter.core.errors import ContentError, WriteError
from isocenter.io.dicom.write_pdf import write_pdf
from isocenter.io.dicom.write_series import write_series
from isocenter.testing.phantoms.chest_ct import chest_ct
from tests.io.dicom.validation import errors, needs_validator

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"


@pytest.fixture
def identity(tmp_path: Path) -> dict[str, Any]:
    return dict(write_series(chest_ct((4, 20, 22), (60.0, 18.0, 17.0)).image, tmp_path / "series").identity)


@needs_validator
@pytest.mark.parametrize("extra", [b"", b"\n"])
def test_valid(identity: dict[str, Any], extra: bytes, tmp_path: Path) -> None:
    assert errors(write_pdf(PDF + extra, identity, tmp_path / "report.dcm", title="CT chest").path) == []
    without = {k: v for k, v in identity.items() if not k.startswith("SOP")}
    assert errors(write_pdf(PDF + extra, without, tmp_path / "report.dcm").path) == []


@pytest.mark.parametrize("extra", [b"", b"\n"])
def test_the_document_comes_back_whole(identity: dict[str, Any], extra: bytes, tmp_path: Path) -> None:
    written = write_pdf(PDF + extra, identity, tmp_path / "report.dcm", title="t\\" * 60)
    found = pydicom.dcmread(written.path)
    assert found.EncapsulatedDocument[: found.EncapsulatedDocumentLength] == PDF + extra
    assert len(found.EncapsulatedDocument) % 2 == 0 and found.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert found.StudyInstanceUID == identity["StudyInstanceUID"] and found.SOPInstanceUID == written.instance
    assert [i.ReferencedSOPInstanceUID for i in found.SourceInstanceSequence] == identity["SOPInstanceUIDs"]
    assert found.BurnedInAnnotation == "NO" and len(found.DocumentTitle) <= 64 and "\\" not in found.DocumentTitle
    assert found.ContentDate == identity["StudyDate"]


def test_twice_is_bit_equal_and_another_document_another_object(identity: dict[str, Any], tmp_path: Path) -> None:
    one, two, three = (write_pdf(PDF + end, identity, tmp_path / f"{k}.dcm") for k, end in enumerate((b"", b"", b"%")))
    assert one.path.read_bytes() == two.path.read_bytes()
    assert three.instance != one.instance and three.series != one.series


def test_refusals(identity: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="%PDF-"):
        write_pdf(b"<html>", identity, tmp_path / "report.dcm")
    with pytest.raises(ContentError, match="StudyInstanceUID"):
        write_pdf(PDF, {}, tmp_path / "report.dcm")
    with pytest.raises(WriteError):
        write_pdf(PDF, identity, tmp_path / "absent" / "report.dcm")
    assert not (tmp_path / "report.dcm").exists()
