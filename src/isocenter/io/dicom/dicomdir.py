"""DICOMDIR: the table of contents of a medium, followed only to files that lie beside it.

References
----------
DICOM PS3.3 annex F (basic directory), PS3.10 section 8.2 (file IDs).
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from isocenter.core.errors import FormatError
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.identity import uid
from isocenter.io.dicom.words import clean

__all__ = ["is_directory", "listed_files"]

_CLASS = "1.2.840.10008.1.3.10"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_MOST_PARTS = 16


def is_directory(file: File) -> bool:
    """Return whether a file is a DICOMDIR."""
    return 0x00041220 in file.data.elements or _CLASS in (uid(file.data, "SOPClassUID"), file.meta.get("SOPClassUID"))


def listed_files(file: File) -> dict[Path, str]:
    """Return the files that a DICOMDIR lists, in its order, and the SOP instance that each should hold (empty where it does not say).

    Records that are marked as not in use are passed over.

    Raises
    ------
    FormatError
        If its records run in a circle or off the end of the file, or one points outside the folder of the DICOMDIR or to
        what is no regular file.
    """
    records = values.items(file.data, "DirectoryRecordSequence")
    _require_tree(file, records)
    root = file.path.parent.resolve()
    found: dict[Path, str] = {}
    for record in records:
        parts = values.texts(record, "ReferencedFileID")
        if not parts or parts == [""] or values.lenient(record, "RecordInUseFlag") == 0:
            continue
        if len(parts) > _MOST_PARTS or not all(_PART.fullmatch(p) for p in parts):
            raise FormatError(
                f"{clean(file.path)}: a directory record points to '{clean('/'.join(parts), 60)}': expected a file below the folder of the DICOMDIR; "
                "nothing outside is opened."
            )
        path = _beside(root, parts)
        if path is None:
            raise FormatError(
                f"{clean(file.path)}: a directory record points to '{clean('/'.join(parts), 60)}', which is no regular file below the folder of the DICOMDIR: "
                "expected one; give the folder of the images instead."
            )
        found.setdefault(path, uid(record, "ReferencedSOPInstanceUIDInFile"))
    return found


def _beside(root: Path, parts: list[str]) -> Path | None:
    """Return the file below `root`, in whatever case its letters are, None where it is none or reached through a link."""
    path = root
    for part in parts:
        found = _named(path, part)
        if found is None:
            return None
        path = found
    return path if stat.S_ISREG(path.lstat().st_mode) and path.resolve().is_relative_to(root) else None


def _named(folder: Path, part: str) -> Path | None:
    """Return an entry of a folder: of that name, else the only one that differs by the case of its letters (media lose it)."""
    exact = folder / part
    if exact.exists():
        return None if exact.is_symlink() else exact
    try:
        alike = [path for path in folder.iterdir() if path.name.lower() == part.lower() and not path.is_symlink()]
    except OSError:  # no folder, or none that can be read
        return None
    return alike[0] if len(alike) == 1 else None


def _require_tree(file: File, records: list[Dataset]) -> None:
    """Refuse directory records that are reached twice (their links run in a circle or cross) or lie beyond the end of the file."""
    size = file.path.stat().st_size
    first = int(values.lenient(file.data, 0x00041200) or 0)
    links = [first, *(int(values.lenient(record, link) or 0) for record in records for link in (0x00041400, 0x00041420))]
    beyond = next((target for target in links if not 0 <= target < size), None)
    if beyond is not None:
        raise FormatError(
            f"{clean(file.path)}: a directory record of the DICOMDIR is said to lie at offset {beyond}, beyond the file's {size} bytes: "
            "expected it within; give the folder of the images instead."
        )
    reached = {first} - {0}  # the first record of the root
    for record in records:
        for link in (0x00041400, 0x00041420):  # the next record, and the first one below
            target = int(values.lenient(record, link) or 0)
            if target and target in reached:
                raise FormatError(
                    f"{clean(file.path)}: the directory records of the DICOMDIR run in a circle (offset {target} is reached twice): "
                    "expected a tree; give the folder of the images instead."
                )
            reached.add(target)
