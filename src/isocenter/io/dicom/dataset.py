"""Opening a DICOM file: preamble, meta information, transfer syntax, structure; no pixel is touched.

References
----------
DICOM PS3.10 section 7 (file format); PS3.5 annex A (transfer syntaxes).
"""

from __future__ import annotations

import os
import stat
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.core.errors import BudgetError, FormatError, MissingInputError
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.elements import VRS, Dataset, View, walk
from isocenter.io.dicom.transfer import Syntax, syntax
from isocenter.io.dicom.words import clean

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

__all__ = ["File", "looks_like_dicom", "open_file", "pydicom_dataset"]

_SIGNS = {
    b"MZ": "a Windows program",
    b"\x7fELF": "a Linux program",
    b"#!": "a script",
    b"<": "HTML",
    b"PK\x03\x04": "a ZIP archive",
    b"%PDF": "a PDF",
}


@dataclass(slots=True)
class File:
    """A file whose structure is sound.

    Attributes
    ----------
    path, size
        The file and its bytes.
    syntax
        Its transfer syntax.
    data
        Places of its elements.
    deflated
        The inflated dataset where the file is deflated as a whole (its elements lie in there), else None.
    meta
        Identity of the object as the file meta information repeats it (``SOPClassUID``, ``SOPInstanceUID``).
    warnings
        What was wrong but could be read all the same, one sentence each.
    """

    path: Path
    size: int
    syntax: Syntax
    data: Dataset
    deflated: bytes | None = None
    meta: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def looks_like_dicom(head: bytes) -> bool:
    """Return whether the first bytes are those of a DICOM file, with or without the Part 10 preamble."""
    return head[128:132] == b"DICM" or _bare_start(head) is not None


def _bare_start(head: bytes) -> bool | None:
    """Return whether a dataset without preamble is implicit; None where the bytes are no dataset."""
    if len(head) < 12:
        return None
    group, number = int.from_bytes(head[0:2], "little"), int.from_bytes(head[2:4], "little")
    if group not in (0x0002, 0x0008) or number > 0x0100:
        return None
    if head[4:6].decode("latin-1") in VRS:
        return False
    length = int.from_bytes(head[4:8], "little")
    return True if group == 0x0008 and length <= 128 and length % 2 == 0 else None


def _reader(path: Path) -> tuple[View, int]:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise FormatError(f"{clean(path)} is not a regular file: expected a DICOM file.")
        with open(path, "rb") as handle:
            first = handle.read(16384)
    except FileNotFoundError:
        raise MissingInputError(f"{clean(path)} does not exist: expected a DICOM file.") from None
    except OSError as error:
        raise FormatError(f"{clean(path)} cannot be read ({error.strerror}): expected a readable file.") from None

    def read(start: int, count: int) -> bytes:
        if start == 0 and count <= len(first):
            return first[:count]
        with open(path, "rb", buffering=0) as handle:
            handle.seek(start)
            return handle.read(count)

    return View(read, status.st_size), status.st_size


def open_file(path: Path, budget: Budget, salvage: list[Dataset] | None = None) -> File:
    """Open a file and walk its structure.

    Parameters
    ----------
    path
        The file.
    budget
        Its nesting and inflation limits.
    salvage
        Gets the dataset before it is walked, so that a caller can tell to which series a broken file belongs.

    Raises
    ------
    FormatError
        If the file is no DICOM file or its structure is broken.
    UnsupportedError
        If its transfer syntax is not read.
    BudgetError
        If it nests or inflates beyond the budget.
    """
    view, size = _reader(path)
    head = view.data
    if size == 0:
        raise FormatError(f"{clean(path)}: empty file: expected a DICOM file; fetch it again.")
    warnings: list[str] = []
    if head[128:132] == b"DICM":
        sign = next((what for start, what in _SIGNS.items() if head.startswith(start)), None)
        if sign is not None:
            warnings.append(f"The preamble starts like {sign}; it is ignored, and copies are written with an empty one.")
        start, uid, meta = _meta(view, path, 132, budget)
    elif (implicit := _bare_start(head)) is not None:
        warnings.append("The file has no DICOM preamble; its transfer syntax was told from its first element.")
        start, uid, meta = 0, "1.2.840.10008.1.2" + ("" if implicit else ".1"), {}
        if head[:2] == b"\x02\x00":
            start, uid, meta = _meta(view, path, 0, budget)
    else:
        raise FormatError(f"{clean(path)}: not a DICOM file (no 'DICM' at byte 128): expected one; leave it out.")
    form = syntax(uid, path)
    file = _body(path, size, view, start, form, warnings, budget, salvage)
    file.meta = meta
    return file


def _meta(view: View, path: Path, start: int, budget: Budget) -> tuple[int, str, dict[str, str]]:
    meta = Dataset(view, path)
    end = walk(meta, start, nesting=budget.max_nesting, group=0x0002)
    if not meta.elements:
        raise FormatError(
            f"{clean(path)}: no file meta information after 'DICM': expected group 0002; the file is cut short or damaged."
        )
    uid = values.text(meta, 0x00020010)
    if not uid:
        raise FormatError(
            f"{clean(path)}: TransferSyntaxUID (0002,0010) is missing: expected it in the file meta information; export the file again."
        )
    return end, uid, {"SOPClassUID": values.text(meta, 0x00020002), "SOPInstanceUID": values.text(meta, 0x00020003)}


def _body(
    path: Path,
    size: int,
    view: View,
    start: int,
    form: Syntax,
    warnings: list[str],
    budget: Budget,
    salvage: list[Dataset] | None,
) -> File:
    if start >= view.size:
        raise FormatError(f"{clean(path)}: no dataset after the file meta information: expected one; the file is cut short.")
    inflated: bytes | None = None
    if form.deflated:
        inflated = _inflate(view.read(start, size - start), path, budget)
        view, start = View(lambda a, n, whole=inflated: whole[a : a + n], len(inflated), len(inflated)), 0  # type: ignore[misc]  # a lambda with a default
    place = view.ensure(start, min(8, view.size - start))
    first = view.data[place : place + 8]
    implicit, big = form.implicit, form.big
    explicit_seen = first[4:6].decode("latin-1") in VRS
    if big and first[0] != 0 and first[1] == 0:
        raise FormatError(
            f"{clean(path)}: TransferSyntaxUID (0002,0010) says big endian, but the dataset is little endian: expected them to agree; "
            "export the file again."
        )
    if implicit == explicit_seen and not big:
        implicit = not explicit_seen
        warnings.append(
            f"TransferSyntaxUID (0002,0010) says {form.name}, but the dataset is written "
            f"{'with' if explicit_seen else 'without'} value representations; it was read as it is written."
        )
    data = Dataset(view, path, big, implicit)
    if salvage is not None:
        salvage.append(data)
    walk(data, start, nesting=budget.max_nesting)
    if not data.elements:
        raise FormatError(f"{clean(path)}: the dataset is empty: expected elements; fetch the file again.")
    return File(path, size, form, data, inflated, {}, warnings)


def _inflate(packed: bytes, path: Path, budget: Budget) -> bytes:
    """Inflate a dataset, stopping as soon as it outgrows the budget."""
    ceiling = int(min(budget.max_bytes, max(64 << 20, budget.max_ratio * len(packed))))
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    parts, total, source = [], 0, packed
    try:
        while source and not engine.eof:
            part = engine.decompress(source, 1 << 20)
            parts.append(part)
            total += len(part)
            if total > ceiling:
                raise BudgetError(
                    f"{clean(path)}: the deflated dataset of {len(packed)} bytes inflates to more than {ceiling} bytes: expected an ordinary "
                    "ratio; this looks like a decompression bomb, the file is refused."
                )
            source = engine.unconsumed_tail
        parts.append(engine.flush())
    except zlib.error:
        raise FormatError(
            f"{clean(path)}: the deflated dataset is damaged: expected a whole deflate stream; fetch the file again."
        ) from None
    if not engine.eof:
        raise FormatError(
            f"{clean(path)}: the deflated dataset ends too early: expected a whole deflate stream; fetch the file again."
        )
    return b"".join(parts)


def pydicom_dataset(path: Path, budget: Budget | None = None) -> FileDataset:
    """Return a file's dataset as pydicom's, without pixels, once its structure has been found sound.

    Parameters
    ----------
    path
        The file.
    budget
        Limits of the check.
    """
    import pydicom

    open_file(path, budget or Budget())
    return pydicom.dcmread(path, stop_before_pixels=True, force=True)
