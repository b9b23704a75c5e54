"""Reading containers with large native libraries (video, HDF5) in a child process that is killed when it misbehaves.

One child reads one file, gives what is in it message by message, and ends. What it may take is limited: memory by
itself, time here; the worst that a hostile file can do is to cost its child, and is told as one sentence. It is forked
from a server that has its library loaded, as the children of `isocenter.io.child` are; those decode single frames into
memory of a known size and are used again, these give as much as a file holds and are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.io.file_worker import HEAD
from isocenter.io.fork_server import ChildError, Server, server_of
from isocenter.io.text import terminal

__all__ = ["FileChild"]

_START_SECONDS = 20.0  # it has yet to import its library
_STALL_SECONDS = 8.0
_LARGEST_FACTS = 1 << 22
#: Module that reads -> what the server loads before it forks.
_LIBRARIES = {
    "hdf5_worker": ("numpy", "h5py"), "video_worker": ("numpy", "av"), "vendor_slide_worker": ("openslide",),
}  # fmt: skip


class _FailedError(Exception):
    """The child died, was too slow, or answered nonsense."""


def _started(module: str) -> tuple[Server, int, socket.socket]:
    """Return the server, the number and our end of the line of a fresh child."""
    name = f"isocenter.io.{module}"
    for again in (True, False):
        server = server_of(module)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                answer = server.ask({"load": [*_LIBRARIES[module], name], "main": name}, [theirs.fileno()])
                return server, int(answer["pid"]), ours
            except (ChildError, KeyError, ValueError):
                ours.close()  # a server that was ended from outside is replaced once
                if not again:
                    raise
    raise AssertionError("unreachable")


class FileChild:
    """One process that reads one file.

    Parameters
    ----------
    module
        Name of its module in `isocenter.io`; its ``main`` is called.
    request
        What to do, as plain values.
    path
        The file, for the child and for the messages.
    what
        What the file should be, with its article: ``a video``.
    seconds
        Time for all of it.
    memory
        Bytes above what its imports take.

    Attributes
    ----------
    peak
        KiB (on Linux) that it held at its most; known when it has ended.
    """

    def __init__(
        self, module: str, request: Mapping[str, Any], path: Path, what: str, *, seconds: float = 60.0, memory: int = 1 << 30
    ) -> None:
        self.path, self.what = path, what
        self.deadline = time.monotonic() + _START_SECONDS + seconds
        self.patience = _START_SECONDS + _STALL_SECONDS
        self.peak = 0
        try:
            self.server, self.pid, self.line = _started(module)
        except ChildError as error:
            raise FormatError(
                f"{path.name}: no process could be started to read it ({error}): check the machine's memory and run again."
            ) from None
        try:
            self.line.settimeout(_STALL_SECONDS)
            self.line.sendall(json.dumps({**request, "path": os.path.abspath(path), "memory": memory}).encode())
            self.line.shutdown(socket.SHUT_WR)
        except OSError:  # it is gone already: the first message says so
            pass
        self.line.setblocking(False)

    def __enter__(self) -> FileChild:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.line.close()
        with contextlib.suppress(ChildError):
            self.peak = int(self.server.ask({"end": self.pid}, []).get("peak", 0))

    def messages(self, most: int) -> Iterator[tuple[dict[str, Any], bytearray]]:
        """Give what the child answers until it says that it is done.

        Parameters
        ----------
        most
            Bytes that one message may carry.

        Raises
        ------
        FormatError, UnsupportedError
            If the child reports that, dies, is too slow, or sends more.
        """
        try:
            while True:
                facts, data = self._message(most)
                if facts.get("end") is True:
                    return
                if "error" in facts:
                    raise self._refused(facts)
                yield facts, data
        except FormatError:
            raise
        except (_FailedError, OSError, ValueError) as error:
            why = str(error) if isinstance(error, _FailedError) else "answered nonsense"
            raise FormatError(
                f"{self.path.name}: the process that read it {why}: expected {self.what} that is whole; get a fresh copy."
            ) from None

    def _refused(self, facts: Mapping[str, Any]) -> FormatError:
        text = terminal(facts["error"], 400)
        if facts.get("kind") == "unsupported":
            return UnsupportedError(f"{self.path.name}: {text}")
        return FormatError(f"{self.path.name}: cannot be read as {self.what} ({text}): expected a whole file; get a fresh copy.")

    def _message(self, most: int) -> tuple[dict[str, Any], bytearray]:
        text, count = HEAD.unpack(self._receive(HEAD.size))
        if text > _LARGEST_FACTS or count > most:
            raise _FailedError("gave more than the file can hold")
        facts = json.loads(bytes(self._receive(text)))
        if not isinstance(facts, dict):
            raise _FailedError("answered nonsense")
        return facts, self._receive(count)

    def _receive(self, count: int) -> bytearray:
        data = bytearray(count)
        view, pos = memoryview(data), 0
        while pos < count:
            wait = min(self.patience, self.deadline - time.monotonic())
            ready, _, _ = select.select([self.line], [], [], max(0.0, wait))
            if not ready:
                raise _FailedError("took too long")
            try:
                got = self.line.recv_into(view[pos:])
            except ConnectionError:
                raise _FailedError("died") from None
            if not got:
                raise _FailedError("died")
            pos += got
        self.patience = _STALL_SECONDS
        return data
