"""Atomic writing: a file stands under its final name whole and checked, or not at all.

Every writer of the project goes through here: bytes are written to a temporary name beside the target, flushed
to the disk, re-read by a check where the format has one, and only then renamed. An earlier file of that name
stays intact until the very last step.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from isocenter.core.errors import IsocenterError, WriteError
from isocenter.io import seam

__all__ = ["PARTIAL", "failure", "make_folder", "replacing", "sweep", "temporary_beside", "write_bytes", "write_text"]

#: How the temporary names begin and end; they are hidden and never mistaken for results.
PARTIAL = (".isocenter-", ".partial")

_serial = itertools.count()


class _SeamedFile(io.FileIO):
    """A file whose writes pass the fault seam."""

    def __init__(self, descriptor: int, target: Path) -> None:
        super().__init__(descriptor, "w+b")
        self._target = target
        self.name = str(target)  # libraries expect a text here, not a descriptor

    def write(self, data: Any, /) -> int:
        """Write what fits, as `io.FileIO` does."""
        seam.step("write", self._target)
        return super().write(data)


def temporary_beside(target: Path) -> Path:
    """Return a fresh name beside `target`, short enough for every file system."""
    name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
    return target.parent / f"{PARTIAL[0]}{name}-{os.getpid()}-{next(_serial)}{PARTIAL[1]}"


def failure(path: Path, error: OSError) -> WriteError:
    """Return why `path` could not be written, with what to do about it."""
    reason = error.strerror or str(error) or type(error).__name__
    hint = {
        errno.ENOSPC: "free some space and run again",
        errno.EFBIG: "write to a file system that takes larger files",
        errno.EDQUOT: "free some space and run again",
        errno.EACCES: "choose a folder you may write to",
        errno.EROFS: "choose a folder you may write to",
        errno.ENOENT: "create the folder first",
        errno.ENOTDIR: "choose a folder",
        errno.EISDIR: "choose a file name",
    }.get(error.errno or 0, "check the disk and run again")
    return WriteError(f"{path}: could not be written ({reason}); nothing was left under that name: {hint}.")


def _sync_folder(folder: Path, target: Path) -> None:
    """Make the rename itself survive a power cut, where the file system can."""
    seam.step("sync folder", target)
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:  # a system that does not open folders: nothing to be done there
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise
    finally:
        os.close(descriptor)


def _put(temporary: Path, target: Path, length: int, check: Callable[[Path], None] | None) -> None:
    """Look at what stands on the disk, and give it its final name."""
    seam.step("check", target)
    if temporary.stat().st_size != length:
        raise OSError(errno.EIO, f"{length} bytes were written, {temporary.stat().st_size} stand on the disk")
    if check is not None:
        check(temporary)
    if target.is_dir() and not target.is_symlink():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    seam.step("rename", target)
    os.replace(temporary, target)


@contextmanager
def replacing(path: str | Path, check: Callable[[Path], None] | None = None) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the place of `path` when the context ends without an error.

    Parameters
    ----------
    path
        The final name; its folder must exist. A link of that name is replaced, not followed.
    check
        Called with the temporary file's path after it is flushed; raises where what stands on the disk is not
        what was meant.

    Yields
    ------
    BinaryIO
        Readable, writable and seekable.

    Raises
    ------
    WriteError
        If the disk refuses; nothing new stands under the final name then, and an earlier file is intact.
    """
    target = Path(path)
    temporary = temporary_beside(target)
    try:
        try:
            seam.step("open", target)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            descriptor = os.open(temporary, flags, 0o666)
            buffered = io.BufferedRandom(_SeamedFile(descriptor, target), buffer_size=1 << 20)
            try:
                yield cast(BinaryIO, buffered)
                buffered.flush()
                buffered.seek(0, os.SEEK_END)
                length = buffered.tell()
                seam.step("fsync", target)
                os.fsync(buffered.fileno())
            except BaseException:
                # The buffer may hold bytes that cannot be written: closing below it drops them without another try.
                buffered.raw.close()
                raise
            buffered.close()
            _put(temporary, target, length, check)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        try:
            _sync_folder(target.parent, target)
        except OSError as error:
            raise WriteError(
                f"{target}: was written, but its folder could not be flushed to the disk ({error.strerror or error}); the file may be lost "
                "in a power cut: check the disk and run again."
            ) from error
    except IsocenterError:
        raise
    except OSError as error:
        raise failure(target, error) from error


def write_bytes(path: str | Path, data: bytes | bytearray | memoryview, check: Callable[[Path], None] | None = None) -> None:
    """Write `data` to `path` atomically; what stands on the disk is re-read and compared before it is renamed.

    Parameters
    ----------
    path
        The final name; its folder must exist.
    data
        The whole content.
    check
        A further check of the temporary file.

    Raises
    ------
    WriteError
        If the disk refuses or gives back something else.
    """
    expected = hashlib.sha256(data).digest()

    def compare(temporary: Path) -> None:
        with temporary.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").digest() != expected:
                raise OSError(errno.EIO, "the disk gave back other bytes than were written")
        if check is not None:
            check(temporary)

    with replacing(path, compare) as handle:
        handle.write(data)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` in UTF-8 with line feeds as line ends, atomically."""
    write_bytes(path, text.encode("utf-8"))


def make_folder(path: str | Path) -> Path:
    """Create a folder and those above it where they are missing, and return it.

    Raises
    ------
    WriteError
        If it cannot be created, or a file stands there.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(folder, error) from error
    return folder


def sweep(folder: str | Path) -> int:
    """Remove the temporary files that a killed process left in `folder` (all levels) and return how many.

    Call it only while no other process writes there (a run holds the lock of its output folder).
    """
    removed = 0
    for base, folders, names in os.walk(folder):
        for name in [n for n in folders if n.startswith(PARTIAL[0]) and n.endswith(PARTIAL[1])]:
            folders.remove(name)
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)
            removed += 1
        for name in names:
            if name.startswith(PARTIAL[0]) and name.endswith(PARTIAL[1]):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(base, name))
                    removed += 1
    return removed
