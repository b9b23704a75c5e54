"""DICOMDIRs made for tests: records with the offsets, files and patients that a test asks for."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

__all__ = ["Record", "directory", "relinked"]


@dataclass(frozen=True)
class Record:
    """One directory record.

    Attributes
    ----------
    kind
        ``PATIENT``, ``STUDY``, ``SERIES`` or ``IMAGE``.
    file
        Parts of the referenced file's name.
    patient
        PatientID of a patient's record.
    sop
        SOP instance that an image's record refers to.
    """

    kind: str
    file: Sequence[str] = ()
    patient: str = ""
    sop: str = ""


def directory(path: Path, records: Sequence[Record]) -> Path:
    """Write a DICOMDIR whose records form one chain: each is the first below the one before, images follow one another."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.FileSetID = "TEST"
    data.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    data.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    data.FileSetConsistencyFlag = 0
    items = []
    for record in records:
        item = Dataset()
        item.OffsetOfTheNextDirectoryRecord = 0
        item.RecordInUseFlag = 0xFFFF
        item.OffsetOfReferencedLowerLevelDirectoryEntity = 0
        item.DirectoryRecordType = record.kind
        if record.file:
            item.add(DataElement("ReferencedFileID", "CS", list(record.file), validation_mode=0))  # names that lie
        if record.patient:
            item.PatientID = record.patient
        if record.sop:
            item.ReferencedSOPInstanceUIDInFile = record.sop
        items.append(item)
    data.DirectoryRecordSequence = Items(items)
    data.save_as(path, enforce_file_format=True)
    offsets = [int(item.seq_item_tell) for item in pydicom.dcmread(path, force=True).DirectoryRecordSequence]
    links = {0: (0, offsets[1] if len(offsets) > 1 else 0)}
    for k, record in enumerate(records[:-1]):
        links[k] = (offsets[k + 1], 0) if record.kind == "IMAGE" else (0, offsets[k + 1])
    return relinked(path, links, first=offsets[0] if offsets else 0)


def relinked(path: Path, links: dict[int, tuple[int, int]], first: int | None = None) -> Path:
    """Set the offsets (next, lower) of records by their number, and of the first of the root."""
    raw = bytearray(path.read_bytes())
    offsets = [int(item.seq_item_tell) for item in pydicom.dcmread(path, force=True).DirectoryRecordSequence]
    for k, (following, lower) in links.items():
        for tag, value in ((b"\x04\x00\x00\x14UL", following), (b"\x04\x00\x20\x14UL", lower)):
            at = raw.index(tag, offsets[k]) + 8
            raw[at : at + 4] = struct.pack("<I", value)
    if first is not None:
        at = raw.index(b"\x04\x00\x00\x12UL") + 8
        raw[at : at + 4] = struct.pack("<I", first)
    path.write_bytes(bytes(raw))
    return path
