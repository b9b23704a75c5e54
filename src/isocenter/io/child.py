"""Native codecs in reusable child processes: killed and replaced when they crash, hang, swell or lie.

Native codecs have crashed, hung and handed out heap memory on hostile files; here the worst that one can do is to
cost its child, and the file is refused with a sentence. The children are forked from a small server
(`isocenter.io.child_server`), so that one more of them costs a few milliseconds and what its codec takes.
"""

from __future__ import annotations

import atexit
import contextlib
import mmap
import os
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from isocenter.core.operation import default_threads
from isocenter.io import deadline
from isocenter.io.fork_server import ChildError, Server, receive, send

__all__ = ["BASE_MEMORY", "ChildError", "children", "decode", "stop"]

#: What a codec may take beside its result.
BASE_MEMORY = 512 << 20
_BASE_SECONDS = 8.0
_START_SECONDS = 20.0  # a new child has yet to import its codec
_SECONDS_PER_BYTE = 1.0 / (4 << 20)
_KEPT = 8 << 20  # a result above this keeps the arena that it was decoded into
#: Codec -> modules that the server loads before it forks, so that the children share them.
_MODULES = {
    "jpeg-ls": ("numpy", "jpeg_ls"), "jpeg-2000": ("numpy", "openjpeg"), "gdcm": ("gdcm",), "jpeg-12": ("numpy", "imagecodecs._jpeg8"),
    "pillow": ("PIL.Image",), "pillow-header": ("PIL.Image",), "tiff": ("numpy", "tifffile"), "lzw": ("numpy", "imagecodecs._imcd"),
    "zstd": ("numpy", "imagecodecs._zstd"), "blosc": ("numpy", "imagecodecs._blosc"), "lz4": ("numpy", "imagecodecs._lz4"),
    "jpeg2k": ("numpy", "imagecodecs._jpeg2k"),
}  # fmt: skip


class _Arena:
    """Memory that a child maps too; it can grow to nothing smaller while it is mapped here."""

    def __init__(self, size: int) -> None:
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        if hasattr(os, "memfd_create"):
            import fcntl

            descriptor = os.memfd_create("isocenter", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(descriptor, self.size)
            # A child that shrank it would take the ground from under this process.
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        else:  # not Linux: an unlinked file does the same without the seal
            with tempfile.TemporaryFile() as handle:
                descriptor = os.dup(handle.fileno())
            os.ftruncate(descriptor, self.size)
        self.descriptor = descriptor
        self.map = mmap.mmap(descriptor, self.size)

    def close(self) -> None:
        """Let go of the descriptor; the memory goes with the last array that lies in it."""
        os.close(self.descriptor)


class _Child:
    """One decoding process and its arena."""

    def __init__(self, server: Server, codec: str) -> None:
        self.server, self.fresh = server, True
        self.arena: _Arena | None = None
        self.told = False
        self.line, theirs = socket.socketpair()
        try:
            with theirs:
                self.pid = int(server.ask({"load": list(_MODULES.get(codec, ()))}, [theirs.fileno()])["pid"])
        except BaseException:
            self.line.close()
            raise

    def run(
        self, codec: str, packed: bytes | bytearray | memoryview, room: int, facts: Mapping[str, Any], memory: int, seconds: float,
        file: BinaryIO | None,
    ) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:  # fmt: skip
        """Send one request and return the answer with the samples, which lie in the arena.

        Raises
        ------
        ChildError
            With a clause on what happened.
        """
        until = time.monotonic() + seconds + (_START_SECONDS if self.fresh else 0.0)
        start = -(-len(packed) // 64) * 64
        descriptors = []
        if self.arena is None or self.arena.size < start + room:
            self._drop()
            self.arena = _Arena(max(start + room, 1 << 16))
            descriptors.append(self.arena.descriptor)
        self.arena.map[: len(packed)] = packed
        if file is not None:
            descriptors.append(file.fileno())
        request = {
            "codec": codec, "given": len(packed), "start": start, "room": room, "facts": dict(facts), "memory": memory,
            "arena": self.arena.size, "file": file is not None,
        }  # fmt: skip
        try:
            send(self.line, request, descriptors, until)
            answer = receive(self.line, until)
        except TimeoutError:
            raise ChildError("the decoder took too long") from None
        except ConnectionError:
            raise ChildError("the decoder died") from None
        except (OSError, ValueError):
            raise ChildError("the decoder answered nonsense") from None
        self.fresh = False
        if "error" in answer:
            return answer, np.empty(0, np.uint8)
        count = answer.get("count")
        if not isinstance(count, int) or not 0 <= count <= room:
            raise ChildError("the decoder gave more than the frame holds")
        return answer, np.frombuffer(self.arena.map, np.uint8, count, start)

    def _drop(self) -> None:
        if self.arena is not None:
            self.arena.close()
            self.arena = None

    def close(self) -> None:
        """End the process."""
        self.line.close()
        self._drop()
        with contextlib.suppress(ChildError):
            self.server.ask({"end": self.pid}, [])


class _Pool:
    """The server, its idle children, and how many there may be."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.free = threading.BoundedSemaphore(children())
        self.idle: list[_Child] = []
        self.lock = threading.Lock()
        self.server: Server | None = None

    def take(self, codec: str) -> _Child:
        """Return a child that waits for work, a new one where none does."""
        self.free.acquire()
        try:
            with self.lock:
                if self.server is None or self.server.process.poll() is not None:
                    for child in self.idle:  # they ended with their server
                        child.close()
                    self.idle.clear()
                    if self.server is not None:
                        self.server.close()
                    self.server = Server()
                if self.idle:
                    return self.idle.pop()
                server = self.server
            return _Child(server, codec)
        except BaseException:
            self.free.release()
            raise

    def give(self, child: _Child, sound: bool) -> None:
        """Take a child back, or end it where it misbehaved."""
        if sound:
            with self.lock:
                self.idle.append(child)
        else:
            child.close()
        self.free.release()

    def forget(self) -> None:
        """Let go of what a fork inherited: it belongs to the process that was forked."""
        for child in self.idle:
            child.line.close()
        if self.server is not None:
            self.server.line.close()

    def close(self) -> None:
        """End the server and all children."""
        with self.lock:
            for child in self.idle:
                child.close()
            self.idle.clear()
            if self.server is not None:
                self.server.close()
                self.server = None


_pool: _Pool | None = None
_pool_lock = threading.Lock()
#: Pools of processes that this one was forked from, kept so that nothing of theirs is ended here.
_inherited: list[_Pool] = []


def children() -> int:
    """Return how many children may decode at once."""
    return min(4, default_threads())


def _current() -> _Pool:
    """Return the pool of this process; one that was forked starts its own."""
    global _pool
    with _pool_lock:
        if _pool is not None and _pool.owner != os.getpid():
            _pool.forget()
            _inherited.append(_pool)
            _pool = None
        if _pool is None:
            _pool = _Pool()
        return _pool


def stop() -> None:
    """End all children; the next request starts new ones."""
    if _pool is not None and _pool.owner == os.getpid():
        _pool.close()


atexit.register(stop)


def decode(
    codec: str, packed: bytes | bytearray | memoryview, room: int, facts: Mapping[str, Any] | None = None, *, file: BinaryIO | None = None,
    memory: int = BASE_MEMORY,
) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:  # fmt: skip
    """Decode bytes in a child.

    Parameters
    ----------
    codec
        One of those of `isocenter.io.child_codecs`.
    packed
        The packed bytes; empty where they are read from `file`.
    room
        Bytes that the result takes at most.
    facts
        What the codec is told.
    file
        An opened file that the child may read.
    memory
        Bytes that the codec may take beside the result.

    Returns
    -------
    tuple
        What the codec says, and the bytes it gave, writable.

    Raises
    ------
    ChildError
        If it refuses the bytes, dies, takes too long for their size, or takes more than it may.
    """
    deadline.check()
    seconds = min(_BASE_SECONDS + (room + len(packed)) * _SECONDS_PER_BYTE, deadline.left())
    pool = _current()
    child = pool.take(codec)
    sound = False
    try:
        answer, data = child.run(codec, packed, room, facts or {}, memory + room, seconds, file)
        if data.nbytes <= _KEPT:
            data = data.copy()
            sound = child.arena is None or child.arena.size <= 2 * _KEPT
        # A larger result stays where it is, and its child ends: nobody else can change it any more.
    except ChildError:
        deadline.check()  # where the time of the whole input is up, that is the reason
        raise
    finally:
        pool.give(child, sound)
    if "error" in answer:
        raise ChildError(str(answer["error"])[:300])
    return answer, data
