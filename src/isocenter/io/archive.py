"""Archives, unpacked by own rules to a temporary folder.

Regular files only; names are rebuilt, so that none leads outside; counts, sizes and ratios are limited before
and while bytes come out; one level: an archive inside an archive stays packed. An archive that breaks a rule is
refused whole, and nothing of it is left.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import unicodedata
import weakref
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from isocenter.core.errors import BudgetError, FormatError, UnsupportedError
from isocenter.io import tar
from isocenter.io.budget import Budget, readable_size
from isocenter.io.streams import Stream, coding_of
from isocenter.io.text import terminal

__all__ = ["Unpacked", "kind_of", "unpack"]

CHUNK = 1 << 20
DEEPEST = 32
TAR_SUFFIXES = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")


class Unpacked:
    """A temporary folder that is removed when nobody refers to it any more, at the latest when Python ends."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="isocenter-"))
        self._cleanup = weakref.finalize(self, shutil.rmtree, str(self.folder), ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder now."""
        self._cleanup()

    def __reduce__(self) -> tuple[type[_Borrowed], tuple[str]]:
        return _Borrowed, (str(self.folder),)


class _Borrowed:
    """What another process sees of the folder: it uses it and leaves it alone."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def __reduce__(self) -> tuple[type[_Borrowed], tuple[str]]:
        return _Borrowed, (str(self.folder),)


def kind_of(head: bytes, path: Path) -> Literal["zip", "tar"] | None:
    """Return which kind of archive a file is, from its first bytes; None for no archive."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    if path.name.lower().endswith(TAR_SUFFIXES) and head:
        return "tar"
    if coding_of(head) != "raw":
        try:
            with Stream(path, coding_of(head)) as stream:
                return "tar" if stream.read(512)[257:262] == b"ustar" else None
        except (FormatError, OSError):
            return None
    return None


class _Target:
    """Where entries go, and how much they may still take."""

    def __init__(self, archive: Path, budget: Budget, unpacked: Unpacked) -> None:
        self.archive, self.budget, self.root = archive, budget, unpacked.folder
        self.count, self.total = 0, 0
        self.taken: set[str] = set()
        self.packed = archive.stat().st_size

    def _unsafe(self, name: str, why: str) -> FormatError:
        return FormatError(
            f"{self.archive.name}: entry '{terminal(name, 80)}' {why}, so the archive was refused whole: "
            "expected plain relative names; pack it again from a clean folder."
        )

    def place(self, name: str) -> Path:
        """Return a path below the temporary folder for an entry of that name; no two entries get the same one."""
        if not name or "\0" in name or name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name):
            raise self._unsafe(name, "has an absolute or foreign name")
        parts = [p for p in name.split("/") if p not in ("", ".")]
        if ".." in parts:
            raise self._unsafe(name, "leads out of the archive")
        if not 0 < len(parts) <= DEEPEST:
            raise self._unsafe(name, f"lies {len(parts)} folders deep")
        parts = [_component(p) for p in parts]
        path = "/".join(parts)
        k = 1
        while path.casefold() in self.taken:  # duplicates and names that differ in case only are kept apart
            k += 1
            stem, dot, suffix = parts[-1].partition(".")
            path = "/".join([*parts[:-1], f"{stem}_{k}{dot}{suffix}"])
        self.taken.add(path.casefold())
        return self.root / path

    def declare(self, name: str, size: int, packed: int | None) -> None:
        """Check what an entry says of itself before a byte of it is unpacked."""
        self.count += 1
        self.budget.check_entries(self.count, self.archive)
        if packed is not None:
            self.budget.check_ratio(packed, size, self.archive, f"unpacking '{terminal(name, 80)}'")
        self._check_total(size)

    def _check_total(self, more: int) -> None:
        total = self.total + more
        if total > self.budget.max_unpacked or total > shutil.disk_usage(self.root).free * 0.9:
            raise BudgetError(
                f"{self.archive.name}: unpacking would take {readable_size(total)} of disk space, more than is allowed or free: "
                "unpack the part you need and give that."
            )
        self.budget.check_ratio(self.packed, total, self.archive)

    def write(self, name: str, read: Callable[[int], bytes], size: int) -> None:
        """Copy `size` bytes to the entry's place."""
        path = self.place(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except (FileExistsError, NotADirectoryError):
            raise self._unsafe(name, "is a file and a folder at once") from None
        left = size
        with os.fdopen(descriptor, "wb") as handle:
            while left:
                piece = read(min(left, CHUNK))
                if not piece:
                    raise FormatError(
                        f"{self.archive.name}: ends in the middle of an entry: expected a whole archive; get a fresh copy."
                    )
                handle.write(piece)
                left -= len(piece)
                self.total += len(piece)
                self.budget.check_ratio(self.packed, self.total, self.archive)


def _component(part: str) -> str:
    """Return one component of a path without control characters and signs that file systems give a meaning."""
    part = unicodedata.normalize("NFC", part.encode("utf-8", "replace").decode("utf-8"))
    part = "".join("_" if unicodedata.category(c)[0] == "C" or c in ':*?"<>|' else c for c in part)
    return (part if len(part) <= 100 else part[:60] + part[-40:]) or "_"


def _zip(path: Path, target: _Target) -> None:
    with zipfile.ZipFile(path) as handle:
        rows = handle.infolist()
        target.budget.check_entries(len(rows), path)
        _check_overlaps(rows, path)
        for row in rows:
            mode = stat.S_IFMT(row.external_attr >> 16)
            if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise target._unsafe(row.filename, "is a link or a device")
            if "\0" in row.orig_filename:
                raise target._unsafe(row.orig_filename, "has a name with a NUL")
            if row.flag_bits & 1:
                raise UnsupportedError(f"{path.name}: is encrypted: expected an open archive; unpack it with its password first.")
            if row.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
                raise UnsupportedError(
                    f"{path.name}: uses compression method {row.compress_type}: expected stored or deflated entries."
                )
            target.declare(row.filename, row.file_size, row.compress_size)
            if row.is_dir() or not row.file_size:  # an empty file is no image: its name is checked, and that is all
                target.place(row.filename)
                continue
            with handle.open(row) as entry:
                target.write(row.filename, entry.read, row.file_size)
                if entry.read(1):  # also makes zipfile compare the check sum of an empty entry
                    raise FormatError(
                        f"{path.name}: an entry is longer than it says: expected a sound archive; get a fresh copy."
                    )


def _check_overlaps(rows: list[zipfile.ZipInfo], path: Path) -> None:
    """Refuse entries that share bytes: the mark of a bomb that unpacks one block a thousand times."""
    last_end = 0
    for row in sorted(rows, key=lambda r: r.header_offset):
        if row.header_offset < last_end:
            raise FormatError(
                f"{path.name}: entries overlap, as in a decompression bomb: expected separate entries; do not open it."
            )
        last_end = row.header_offset + 30 + len(row.orig_filename.encode("utf-8", "replace")) // 4 + row.compress_size


def _tar(path: Path, target: _Target) -> None:
    with path.open("rb") as handle:
        coding = coding_of(handle.read(16))
    with Stream(path, coding) as stream:
        for entry in tar.entries(stream, path.name):
            target.declare(entry.name, entry.size, None)
            if entry.folder:
                if entry.name.strip("./"):
                    target.place(entry.name)
            else:
                target.write(entry.name, stream.read, entry.size)


def unpack(path: Path, kind: Literal["zip", "tar"], budget: Budget) -> Unpacked:
    """Unpack an archive to a temporary folder.

    Parameters
    ----------
    path
        The archive.
    kind
        As `kind_of` says.
    budget
        Limits.

    Raises
    ------
    FormatError, UnsupportedError, BudgetError
        If it is damaged, breaks a rule or asks for too much; nothing is left of it then.
    """
    unpacked = Unpacked()
    try:
        target = _Target(path, budget, unpacked)
        (_zip if kind == "zip" else _tar)(path, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        unpacked.remove()
        if isinstance(error, FormatError | BudgetError):
            raise
        raise FormatError(f"{path.name}: the archive is damaged ({error}): expected a whole one; get a fresh copy.") from error
    except BaseException:
        unpacked.remove()
        raise
    return unpacked
