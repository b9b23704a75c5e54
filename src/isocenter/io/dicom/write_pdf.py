"""Writing a PDF report as a DICOM Encapsulated PDF.

References
----------
DICOM PS3.3 A.45.1 (Encapsulated PDF IOD), C.24 (Encapsulated Document modules).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from isocenter.core.codes import Code
from isocenter.core.errors import ContentError
from isocenter.io.dicom.common import code_item, finish, long_string, moment, required_uid, write_common

__all__ = ["SOP_CLASS", "WrittenDocument", "write_pdf"]

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"


@dataclass(frozen=True)
class WrittenDocument:
    """What `write_pdf` wrote: the file, and the UIDs of the object and its series."""

    path: Path
    instance: str
    series: str


def write_pdf(
    pdf: bytes,
    identity: Mapping[str, Any],
    path: str | Path,
    *,
    title: str = "",
    description: str = "",
    series_number: int = 902,
    names_person: bool = False,
) -> WrittenDocument:
    """Write a PDF as a DICOM object of the study it reports on.

    Parameters
    ----------
    pdf
        The document.
    identity
        Of the source: DICOM keyword -> text; ``SOPInstanceUIDs`` and ``SOPClassUID``, where they are known, are
        recorded as the source.
    path
        The file; its folder must exist.
    title
        DocumentTitle.
    description
        SeriesDescription.
    series_number
        SeriesNumber.
    names_person
        Whether the document shows the person's name (BurnedInAnnotation); reports go by pseudonym.

    Returns
    -------
    WrittenDocument
        The file and its UIDs.

    Raises
    ------
    ContentError
        If the bytes are no PDF, or the identity is not of a DICOM study.
    WriteError
        If the disk refuses.
    """
    if not pdf.startswith(b"%PDF-"):
        raise ContentError("The document does not begin with %PDF-: expected the bytes of a PDF file.")
    dataset = Dataset()
    write_common(dataset, identity)
    date, time = moment(identity)
    dataset.SOPClassUID = SOP_CLASS
    dataset.Modality = "DOC"
    dataset.SeriesNumber, dataset.InstanceNumber = series_number, 1
    dataset.SeriesDescription = long_string(description) or "Report"
    dataset.ConversionType = "WSD"
    dataset.AcquisitionDateTime = date + time
    dataset.BurnedInAnnotation = "YES" if names_person else "NO"
    dataset.DocumentTitle = long_string(title) or "Report"
    dataset.ConceptNameCodeSequence = [code_item(Code("126000", "DCM", "Imaging Measurement Report"))]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    dataset.EncapsulatedDocumentLength = len(pdf)
    instances = dict.fromkeys(str(v) for v in identity.get("SOPInstanceUIDs") or ())
    if instances:
        sop_class = required_uid(identity, "SOPClassUID")
        dataset.SourceInstanceSequence = [_reference(sop_class, uid) for uid in instances]
    instance, series = finish(dataset, Path(path), identity)
    return WrittenDocument(Path(path), instance, series)


def _reference(sop_class: str, instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = required_uid({"SOPInstanceUID": instance}, "SOPInstanceUID")
    return item
