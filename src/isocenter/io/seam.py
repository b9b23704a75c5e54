"""The fault seam: every step that touches the disk on the way out passes here, so that a test can fail it.

Writers announce each step before they take it. In normal use that costs one comparison; a test arms the seam
to count the steps, to fail the Nth one with an error of its choice, or to end the process there, and so walks
through every point at which a disk can fill up or a process can die.

References
----------
The method is that of SQLite's test suite: make the Nth call fail, for every N.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

__all__ = ["Step", "armed", "counting", "failing", "killing", "step"]

Step = Literal["open", "write", "fsync", "check", "rename", "sync folder"]
Hook = Callable[[Step, Path], None]

_hook: Hook | None = None


def step(kind: Step, path: Path) -> None:
    """Announce a step that is about to be taken on `path`.

    Raises
    ------
    OSError
        Whatever the armed hook raises; nothing when the seam is not armed.
    """
    if _hook is not None:
        _hook(kind, path)


@contextmanager
def armed(hook: Hook) -> Iterator[None]:
    """Call `hook` before every step while the context lasts (for all threads of this process)."""
    global _hook
    before = _hook
    _hook = hook
    try:
        yield
    finally:
        _hook = before


@contextmanager
def counting() -> Iterator[list[tuple[Step, Path]]]:
    """Collect every step taken while the context lasts."""
    taken: list[tuple[Step, Path]] = []
    lock = threading.Lock()

    def hook(kind: Step, path: Path) -> None:
        with lock:
            taken.append((kind, path))

    with armed(hook):
        yield taken


@contextmanager
def failing(nth: int, error: Callable[[], BaseException] | None = None) -> Iterator[None]:
    """Fail the `nth` step (counted from 1).

    Parameters
    ----------
    nth
        Which step fails; later ones succeed again.
    error
        Returns what is raised; default a full disk (ENOSPC).
    """
    seen = 0
    lock = threading.Lock()

    def hook(kind: Step, path: Path) -> None:
        nonlocal seen
        with lock:
            seen += 1
            due = seen == nth
        if due:
            raise error() if error is not None else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with armed(hook):
        yield


@contextmanager
def killing(nth: int) -> Iterator[None]:
    """End this process at the `nth` step, as an unexpected power cut would: no clean-up runs."""
    seen = 0

    def hook(kind: Step, path: Path) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            os._exit(137)

    with armed(hook):
        yield
