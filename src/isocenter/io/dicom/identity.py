"""What a file says about person and study, kept apart from what may be shown.

`facts` may be shown and stored; `identity` is needed to send results back to the archive and goes nowhere
else; keys are hashes.
"""

from __future__ import annotations

import hashlib
from typing import Any

from isocenter.core.errors import FormatError
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.words import clean

__all__ = ["PERSON", "facts", "identity", "key", "object_identity", "patient_key", "text_problems", "uid"]

#: Attributes that a result object repeats from its source.
PERSON = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName", "FrameOfReferenceUID", "PositionReferenceIndicator", "SeriesInstanceUID", "SeriesNumber",
    "SOPClassUID", "Modality", "SpecificCharacterSet", "PatientAge", "PatientSize", "PatientWeight",
)  # fmt: skip

_FACTS = {
    "body_part": "BodyPartExamined", "manufacturer": "Manufacturer", "model": "ManufacturerModelName", "kernel": "ConvolutionKernel",
    "scanning_sequence": "ScanningSequence", "patient_position": "PatientPosition", "view_position": "ViewPosition",
    "laterality": "ImageLaterality", "photometric": "PhotometricInterpretation", "contrast_phase": "AcquisitionContrast",
}  # fmt: skip
_FACT_NUMBERS = {
    "slice_thickness": "SliceThickness", "kvp": "KVP", "echo_time": "EchoTime", "repetition_time": "RepetitionTime", "flip_angle": "FlipAngle",
    "field_strength": "MagneticFieldStrength",
}  # fmt: skip


def key(*parts: str) -> str:
    """Return a key that tells things apart without saying what they are."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def uid(data: Dataset, keyword: str) -> str:
    """Return a UID as text (any text: it is compared and hashed, never used as a name)."""
    return values.text(data, keyword)


def object_identity(file: File) -> tuple[str, str]:
    """Return SOP class and SOP instance UID.

    Some de-identified files have both blanked; then the file meta information, or the content, stands in.

    Raises
    ------
    FormatError
        If only the instance UID is empty.
    """
    data = file.data
    sop_class, sop = uid(data, "SOPClassUID"), uid(data, "SOPInstanceUID")
    if sop:
        return sop_class, sop
    if sop_class and file.meta.get("SOPInstanceUID"):
        raise FormatError(
            f"{clean(file.path)}: SOPInstanceUID (0008,0018) is empty, but the file meta information has one: expected them to agree; "
            "export the file again."
        )
    file.warnings.append(
        "SOPInstanceUID (0008,0018) is blank; the identity was taken from the file meta information or the content."
    )
    instance = file.meta.get("SOPInstanceUID", "")
    if not instance:
        with open(file.path, "rb") as handle:
            instance = f"2.25.{int(hashlib.file_digest(handle, 'sha256').hexdigest()[:32], 16)}"
    return sop_class or file.meta.get("SOPClassUID", ""), instance


def patient_key(data: Dataset) -> str:
    """Return the key of the patient: a hash of PatientID and its issuer, of the study where they are empty."""
    person = values.person(data, "PatientID")[0]
    if not person:
        return key("study", uid(data, "StudyInstanceUID"))
    return key("patient", person, values.person(data, "IssuerOfPatientID")[0])


def identity(data: Dataset) -> dict[str, Any]:
    """Return the attributes that results need for the way back to the archive."""
    found: dict[str, Any] = {}
    for keyword in PERSON:
        element = values.element(data, keyword)
        if element is None:
            continue
        found[keyword] = (
            "\\".join(values.texts(data, keyword)) if element.vr in ("UI", "CS", "DA", "TM") else values.person(data, keyword)[0]
        )
    return found


def facts(data: Dataset) -> dict[str, Any]:
    """Return de-identified facts about the acquisition as plain values."""
    found: dict[str, Any] = {}
    for name, keyword in _FACTS.items():
        value = values.text(data, keyword) if values.has(data, keyword) else ""
        if value:
            found[name] = clean(value, 64)
    for name, keyword in _FACT_NUMBERS.items():
        number = values.lenient(data, keyword)
        if number is not None:
            found[name] = number
    centre, width = values.lenient(data, "WindowCenter"), values.lenient(data, "WindowWidth")
    if centre is not None and width is not None and width > 0:
        found["display_window"] = [centre, width]
    image_type = values.texts(data, "ImageType")
    if image_type:
        found["image_type"] = [clean(v, 32) for v in image_type[:8]]
    return found


def text_problems(data: Dataset) -> list[str]:
    """Return what is wrong with the text of a dataset: one sentence each, without quoting it."""
    found = []
    for keyword in ("PatientName", "PatientID", "StudyDescription", "SeriesDescription"):
        complaint = values.person(data, keyword)[1]
        if complaint:
            found.append(f"The text of {keyword} cannot be trusted: {complaint}.")
            break
    return found
