"""Whose image a file is, where its header says so."""

from __future__ import annotations

from pathlib import Path

from isocenter.core.errors import IsocenterError
from isocenter.core.provenance import digest_bytes

__all__ = ["header_patient", "pseudonymous"]

#: Names of files of other formats, which are not opened in search of a patient.
OTHERS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".nii",
    ".gz",
    ".nrrd",
    ".mha",
    ".mhd",
    ".npy",
    ".bmp",
    ".csv",
    ".json",
    ".txt",
)


def pseudonymous(key: str) -> str:
    """Return a short name for a patient's key that does not give the key away."""
    return "patient-" + digest_bytes(key.encode()).removeprefix("sha256:")[:12]


def header_patient(path: Path | None) -> str | None:
    """Return a pseudonym of the patient that a DICOM file or series names, None for anything else.

    Parameters
    ----------
    path
        A file, or the folder of a series.
    """
    if path is None or path.suffix.lower() in OTHERS:
        return None
    if path.is_file():
        with path.open("rb") as handle:
            if handle.read(132)[128:] != b"DICM":
                return None
    from isocenter.io import door

    try:
        items = door.inspect(path).items
    except IsocenterError:  # what cannot be read is said when it is read
        return None
    keys = {item.patient for item in items if item.format == "dicom" and item.patient}
    return pseudonymous(keys.pop()) if len(keys) == 1 else None
