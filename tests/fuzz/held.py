"""One long-lived child per library in place of one per file, so that many mutated containers can be looked at.

A file's own child costs more than reading a small file. Here a child answers request after request by the same code, under
the same limits of memory and time; one that dies, hangs or swells is replaced. After each file it says what the file took.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from isocenter.core.errors import FormatError
from isocenter.io import file_child, file_worker, film, ismrmrd, minc
from isocenter.io.file_worker import HEAD

__all__ = ["Held", "install"]

#: Seconds without an answer after which a child is ended: less than for users, since every file is small.
PATIENCE = 2.0


class Held(file_child.FileChild):
    """What `isocenter.io.file_child.FileChild` does, by a child that stays.

    Attributes
    ----------
    taken_mib
        The most that any file took above what the child held before it.
    ended
        How many children died or were ended.
    """

    living: dict[str, tuple[int, socket.socket]] = {}
    taken_mib = 0.0
    ended = 0

    def __init__(
        self, module: str, request: Mapping[str, Any], path: Path, what: str, *, seconds: float = 60.0, memory: int = 1 << 30
    ) -> None:
        self.path, self.what, self.module = path, what, module
        self.deadline = time.monotonic() + seconds
        self.patience = PATIENCE
        if module not in self.living:
            self.living[module] = _forked(module)
        self.pid, self.line = self.living[module]
        self.open = True
        self.line.setblocking(True)
        with contextlib.suppress(OSError):  # it is gone already: the first message says so
            self.line.sendall(json.dumps({**request, "path": str(path), "memory": memory}).encode() + b"\n")
        self.line.setblocking(False)

    def _message(self, most: int) -> tuple[dict[str, Any], bytearray]:
        facts, data = super()._message(most)
        if "taken" in facts:
            Held.taken_mib = max(Held.taken_mib, float(facts["taken"]))
            self.open = False
        return facts, data

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self.open and isinstance(error, FormatError):  # it failed in the middle
                raise file_child._FailedError
            while self.open:  # a header may be all that was asked for
                self._message(1 << 30)
        except (file_child._FailedError, OSError, ValueError):
            Held.ended += 1
            self.line.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            del self.living[self.module]


def _forked(module: str) -> tuple[int, socket.socket]:
    handler = importlib.import_module(f"isocenter.io.{module}")._handle
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    try:
        for _, line in Held.living.values():
            line.close()
        ours.close()
        _answer(handler, theirs)
    finally:
        os._exit(70)  # the fork never goes on with what its parent was doing


def _answer(handler: Any, line: socket.socket) -> None:
    """Answer requests until the other side is gone; what a handler raises is told as `isocenter.io.file_worker` tells it."""
    with line.makefile("rb") as source, line.makefile("wb") as sink:

        def send(facts: dict[str, Any], data: Any = b"") -> None:
            body, view = json.dumps(facts).encode(), memoryview(data).cast("B")
            sink.write(HEAD.pack(len(body), len(view)) + body)
            sink.write(view)

        for text in source:
            request = json.loads(text)
            before = _fresh_peak()
            file_worker._limit_memory(int(request["memory"]))
            last: dict[str, Any] = {"end": True}
            try:
                for facts, data in handler(request):
                    send(facts, data)
            except file_worker.UnreadError as error:
                last = {"error": str(error)[:400], "kind": "unsupported"}
            except Exception as error:  # noqa: BLE001 - as the children of single files do
                last = {"error": f"{type(error).__name__}: {error}"[:300], "kind": "format"}
            send({**last, "taken": _status("VmHWM") - before})
            sink.flush()


def _fresh_peak() -> float:
    """Let the peak of memory begin anew, and return what is held now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def install() -> None:
    """Let the readers of containers use held children in this process."""
    for module in (film, ismrmrd, minc):
        module.__dict__["FileChild"] = Held
