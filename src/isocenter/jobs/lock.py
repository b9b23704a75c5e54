"""A lock on an output folder, so that two runs never mix their results."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from isocenter.core.errors import BusyError, WriteError
from isocenter.io import atomic

__all__ = ["STATE", "Lock"]

#: Folder below OUT that holds the lock and the cache; not part of the result.
STATE = ".isocenter"


class Lock:
    """Holds an output folder for the time of a run; released by the system even if the process is killed.

    Who gets it removes the temporary files that a killed run left there, and again at the end: a process of that run may have outlived
    it for a moment.

    Raises
    ------
    BusyError
        If another run holds it.
    WriteError
        If the folder cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / STATE / "lock"
        self._handle: int | None = None

    def __enter__(self) -> Lock:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            where = self.path.parent.parent
            raise WriteError(
                f"Output folder '{where}' cannot be used ({error.strerror}): expected a folder you may write to."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            where = self.path.parent.parent
            raise BusyError(f"Another run holds the output folder '{where}': wait for it to end, or give another -o.") from None
        self._handle = handle
        atomic.sweep(self.path.parent.parent)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._handle is not None:
            atomic.sweep(self.path.parent.parent)
            os.close(self._handle)
            self._handle = None
