"""Meter: how long something took and how much memory the process held at its peak meanwhile."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from types import TracebackType

__all__ = ["Meter", "peak_bytes"]

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_HIGHEST = re.compile(rb"VmHWM:\s+(\d+) kB")


def peak_bytes() -> int:
    """Return the highest resident memory of this process since it began, or since a `Meter` reset it."""
    try:
        found = _HIGHEST.search(_STATUS.read_bytes())
        if found:
            return int(found.group(1)) * 1024
    except OSError:  # not Linux
        pass
    try:
        import resource
    except ImportError:  # not POSIX: no figure
        return 0
    import sys

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024


class Meter:
    """Measures a block: ``with Meter() as meter: ...; meter.seconds, meter.bytes``.

    Where the kernel lets the process reset its high-water mark the figure is of the block alone, else of all
    that went before as well.
    """

    seconds: float = 0.0
    bytes: int = 0

    def __enter__(self) -> Meter:
        with contextlib.suppress(OSError):  # not Linux, or not allowed: the mark of the whole process serves
            _RESET.write_text("5")
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._start
        self.bytes = peak_bytes()
