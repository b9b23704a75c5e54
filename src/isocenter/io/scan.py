"""Scanning: the regular files of a folder, without following links and without opening anything else.

Links, devices, pipes and sockets are listed as skipped; loops cannot arise, because no link is followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from isocenter.io.budget import Budget
from isocenter.io.zarr_store import MARKS

__all__ = ["open_regular", "scan"]

KINDS = {
    stat.S_IFLNK: "a link (not followed)", stat.S_IFIFO: "a named pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}  # fmt: skip
#: Files that operating systems leave in folders.
LITTER = {"thumbs.db", "desktop.ini", "__macosx"}


def scan(folder: Path, budget: Budget) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return the regular files below `folder` in order of their names, and what was passed over, with the reason.

    The root of a Zarr hierarchy stands for everything in it.

    Raises
    ------
    BudgetError
        If there are more than ``budget.max_files``.
    """
    found: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    waiting, seen = [folder], 0
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda e: os.fsencode(e.name))
        except OSError as error:
            skipped.append((here, f"a folder that cannot be opened ({error.strerror})"))
            continue
        if any(e.name in MARKS and e.is_file(follow_symlinks=False) for e in entries):
            found.append(here)  # one image in a folder of chunks, most of whose names are hidden ones
            continue
        seen += len(entries)
        budget.check_files(seen, folder)
        below: list[Path] = []
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or entry.name.lower() in LITTER:
                continue  # hidden files are nobody's images, and there can be very many of them
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
            except OSError as error:
                skipped.append((path, f"cannot be looked at ({error.strerror})"))
                continue
            if stat.S_ISDIR(mode):
                below.append(path)
            elif stat.S_ISREG(mode):
                found.append(path)
            else:
                skipped.append((path, KINDS.get(stat.S_IFMT(mode), "no regular file")))
        waiting.extend(reversed(below))
    return sorted(found, key=os.fsencode), skipped


def open_regular(path: Path, size: int) -> bytes:
    """Return the first `size` bytes of a regular file.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file any more.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as handle:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "no regular file")
        return handle.read(size)
