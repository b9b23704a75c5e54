"""What every DICOM object written here has in common: UIDs, dates, text within the limits of its type, one way to disk.

Nothing of it depends on the clock or on chance. The instance UID is a digest of the object's own content, dates
are those of the study, so that writing the same thing twice gives the same bytes.

References
----------
DICOM PS3.5 section 6.2 (value representations) and B.2 (UIDs derived from a UUID), PS3.3 C.7 (patient, study,
equipment), C.12.1 (SOP common).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from isocenter._version import __version__
from isocenter.core.codes import Code
from isocenter.core.errors import ContentError
from isocenter.io.atomic import write_bytes
from isocenter.io.text import one_line

__all__ = [
    "MAKER",
    "code_item",
    "decimal",
    "derive_uid",
    "finish",
    "long_string",
    "moment",
    "person_name",
    "required_uid",
    "save",
    "short_string",
    "write_common",
    "write_equipment",
    "write_person",
]

MAKER = "isocenter"
#: Placeholders while an object is built; `finish` puts the derived UIDs in their place.
PENDING_INSTANCE, PENDING_SERIES, PENDING_DIMENSIONS = "2.25.1", "2.25.2", "2.25.3"
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_DATE = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9](\.[0-9]{1,6})?)?)?")
#: What stands where a study has no date: a date is required, and none may be invented from the clock.
_NO_MOMENT = ("19000101", "000000")


def derive_uid(*parts: object) -> str:
    """Return the UID that belongs to `parts`: 2.25 and the first 128 bits of their SHA-256."""
    hashed = hashlib.sha256("\x1f".join(str(p) for p in ("isocenter", *parts)).encode()).digest()
    return f"2.25.{int.from_bytes(hashed[:16], 'big')}"


def _plain(text: Any, limit: int) -> str:
    # A backslash separates values in DICOM. Limits are of characters, but common readers count bytes: both are kept.
    plain = one_line(text, 10 * limit + 100).replace("\\", "/")
    return plain.encode("utf-8")[:limit].decode("utf-8", "ignore").strip()


def long_string(text: Any) -> str:
    """Return text fit for a Long String (64 characters, no backslash or control characters)."""
    return _plain(text, 64)


def short_string(text: Any) -> str:
    """Return text fit for a Short String (16 characters)."""
    return _plain(text, 16)


def person_name(text: Any) -> str:
    """Return text fit for a Person Name: up to three groups of 64 characters, five parts each."""
    groups = []
    for group in str(text).split("=")[:3]:
        parts = _plain(group, 64).split("^")[:5]
        groups.append("^".join(parts))
    return "=".join(groups).rstrip("=")


def decimal(value: float) -> str:
    """Return a number as a Decimal String: 16 characters, as many digits as they hold."""
    return str(format_number_as_ds(float(value)))


def required_uid(identity: Mapping[str, Any], keyword: str) -> str:
    """Return a UID of the source.

    Raises
    ------
    ContentError
        If the source has none, or one that no archive would find.
    """
    value = str(identity.get(keyword) or "").strip("\0 ")
    if not value:
        raise ContentError(f"The image has no {keyword}: expected an image read from DICOM, to which a result can refer.")
    if len(value) > 64 or not _UID.fullmatch(value):
        raise ContentError(f"{keyword} of the source is not a UID: expected digits and dots, 64 characters at most.")
    return value


def moment(identity: Mapping[str, Any]) -> tuple[str, str]:
    """Return date and time of the study, or the first of January 1900 where it has none."""
    date = str(identity.get("StudyDate") or "").strip()
    time = str(identity.get("StudyTime") or "").strip()
    return date if _DATE.fullmatch(date) else _NO_MOMENT[0], time if _TIME.fullmatch(time) else _NO_MOMENT[1]


def _sex(identity: Mapping[str, Any]) -> str:
    value = str(identity.get("PatientSex") or "").strip().upper()
    return value if value in ("M", "F", "O") else ""


def _date_or_empty(value: Any) -> str:
    text = str(value or "").strip()
    return text if _DATE.fullmatch(text) else ""


def write_common(target: Dataset, identity: Mapping[str, Any]) -> None:
    """Set the patient and study modules from an identity, and the equipment to this software."""
    write_person(target, identity)
    write_equipment(target)


def write_person(target: Dataset, identity: Mapping[str, Any]) -> None:
    """Set the patient and study modules from an identity.

    Parameters
    ----------
    target
        The dataset that is built.
    identity
        DICOM keyword -> text, as `isocenter.io.inventory.Item.identity` has it.
    """
    target.SpecificCharacterSet = "ISO_IR 192"
    target.PatientName = person_name(identity.get("PatientName") or "")
    target.PatientID = long_string(identity.get("PatientID") or "")
    if identity.get("IssuerOfPatientID"):
        target.IssuerOfPatientID = long_string(identity["IssuerOfPatientID"])
    target.PatientBirthDate = _date_or_empty(identity.get("PatientBirthDate"))
    target.PatientSex = _sex(identity)
    target.StudyInstanceUID = required_uid(identity, "StudyInstanceUID")
    target.StudyID = short_string(identity.get("StudyID") or "")
    target.AccessionNumber = short_string(identity.get("AccessionNumber") or "")
    target.ReferringPhysicianName = person_name(identity.get("ReferringPhysicianName") or "")
    target.StudyDate = _date_or_empty(identity.get("StudyDate"))
    time = str(identity.get("StudyTime") or "").strip()
    target.StudyTime = time if _TIME.fullmatch(time) else ""
    age = str(identity.get("PatientAge") or "").strip().upper()
    if re.fullmatch(r"[0-9]{3}[DWMY]", age):
        target.PatientAge = age
    for keyword in ("PatientWeight", "PatientSize"):
        try:
            number = float(identity.get(keyword) or 0.0)
        except (TypeError, ValueError):
            continue
        if 0.0 < number < 1000.0:
            setattr(target, keyword, decimal(number))


def write_equipment(target: Dataset) -> None:
    """Set the equipment module to this software."""
    target.Manufacturer = MAKER
    target.ManufacturerModelName = MAKER
    target.DeviceSerialNumber = __version__
    target.SoftwareVersions = __version__


def code_item(code: Code) -> Dataset:
    """Return the item of a code sequence."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = long_string(code.meaning)
    return item


def _file_meta(sop_class: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = PENDING_INSTANCE
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = derive_uid("implementation")
    meta.ImplementationVersionName = short_string(f"ISOCENTER_{__version__}")
    return meta


def _to_bytes(target: Dataset) -> bytes:
    buffer = io.BytesIO()
    target.save_as(buffer, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def finish(target: Dataset, path: Path, identity: Mapping[str, Any]) -> tuple[str, str]:
    """Give an object its dates and UIDs, and write it.

    Parameters
    ----------
    target
        Complete but for `PENDING_INSTANCE` and `PENDING_SERIES` in place of its UIDs, and `PENDING_DIMENSIONS` as
        its dimension organisation.
    path
        Where it goes; its folder must exist.
    identity
        Of the source; gives the dates.

    Returns
    -------
    tuple of str
        The SOP Instance UID and the Series Instance UID.
    """
    date, time = moment(identity)
    target.InstanceCreationDate, target.InstanceCreationTime = date, time
    target.ContentDate, target.ContentTime = date, time
    target.SeriesDate, target.SeriesTime = date, time
    for item in target.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in item:
            item.ContributionDateTime = date + time
    target.SOPInstanceUID, target.SeriesInstanceUID = PENDING_INSTANCE, PENDING_SERIES
    target.preamble = b"\x00" * 128
    target.file_meta = _file_meta(str(target.SOPClassUID))
    _set_dimensions(target, PENDING_DIMENSIONS)
    content = hashlib.sha256(_to_bytes(target)).hexdigest()
    instance, series = derive_uid("instance", content), derive_uid("series", content)
    target.SOPInstanceUID, target.SeriesInstanceUID = instance, series
    target.file_meta.MediaStorageSOPInstanceUID = instance
    _set_dimensions(target, derive_uid("dimensions", content))
    write_bytes(path, _to_bytes(target), _readable(instance))
    return instance, series


def save(target: Dataset, path: Path) -> None:
    """Write an object whose UIDs are its final ones."""
    target.preamble = b"\x00" * 128
    target.file_meta = _file_meta(str(target.SOPClassUID))
    target.file_meta.MediaStorageSOPInstanceUID = target.SOPInstanceUID
    write_bytes(path, _to_bytes(target), _readable(str(target.SOPInstanceUID)))


def _set_dimensions(target: Dataset, uid: str) -> None:
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in target.get(keyword) or ():
            item.DimensionOrganizationUID = uid


def _readable(instance: str) -> Any:
    """Return a check that a file is the DICOM object it should be."""

    def check(path: Path) -> None:
        with pydicom.dcmread(path, stop_before_pixels=True) as found:
            if found.SOPInstanceUID != instance:
                raise OSError(5, "the file read back is not the object that was written")

    return check
