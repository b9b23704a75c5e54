"""Decoding compressed frames in a child process that is killed and replaced when it misbehaves.

Native codecs have crashed, hung and handed out heap memory on hostile files; here the worst that one can do
is to cost its child, and the file is refused with a sentence.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.core.operation import default_threads
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.transfer import Syntax
from isocenter.io.dicom.words import clean

__all__ = ["decode_frame", "decoders"]

_WORKER = Path(__file__).with_name("decode_worker.py")
_BASE_SECONDS = 8.0
_START_SECONDS = 20.0  # a new child has yet to import its codecs
_SECONDS_PER_BYTE = 1.0 / (4 << 20)
_BASE_MEMORY = 512 << 20


class _FailedError(Exception):
    """The child died, was too slow, or answered nonsense."""


class _Child:
    """One decoding process."""

    def __init__(self) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.owner = os.getpid()
        self.fresh = True
        self.process = subprocess.Popen(  # -P: the folder of the script shadows nothing
            [sys.executable, "-P", str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.sink, self.source = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.sink, False)
        os.set_blocking(self.source, False)

    def ask(self, request: dict[str, Any], stream: bytes, expected: int, seconds: float) -> tuple[dict[str, Any], bytearray]:
        """Send one frame and return the answer.

        Raises
        ------
        _FailedError
            With a clause on what happened.
        """
        deadline = time.monotonic() + seconds + (_START_SECONDS if self.fresh else 0.0)
        body = json.dumps(request).encode()
        self._send(struct.pack(">II", len(body), len(stream)) + body + stream, deadline)
        text, count = struct.unpack(">II", self._receive(8, deadline))
        if text > 4096 or count > expected:
            raise _FailedError("gave more than the frame holds")
        answer = json.loads(bytes(self._receive(text, deadline)))
        self.fresh = False
        return answer, self._receive(count, deadline)

    def _send(self, data: bytes, deadline: float) -> None:
        view, pos = memoryview(data), 0
        while pos < len(view):
            _, ready, _ = select.select([], [self.sink], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise _FailedError("took too long")
            try:
                pos += os.write(self.sink, view[pos : pos + (1 << 16)])
            except BrokenPipeError:
                raise _FailedError("died") from None

    def _receive(self, count: int, deadline: float) -> bytearray:
        data = bytearray(count)
        view, pos = memoryview(data), 0
        while pos < count:
            ready, _, _ = select.select([self.source], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise _FailedError("took too long")
            got = os.readv(self.source, [view[pos:]])
            if not got:
                raise _FailedError("died")
            pos += got
        return data

    def close(self) -> None:
        """End the process (only in the one that started it)."""
        if self.owner != os.getpid():
            return
        with contextlib.suppress(OSError):
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()


class _Pool:
    """Idle children, and how many there may be."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.limit = decoders()
        self.free = threading.BoundedSemaphore(self.limit)
        self.idle: list[_Child] = []
        self.lock = threading.Lock()

    def take(self) -> _Child:
        """Return a child that waits for work, a new one where none does."""
        self.free.acquire()
        with self.lock:
            while self.idle:
                child = self.idle.pop()
                if child.process.poll() is None:
                    return child
                child.close()
        try:
            return _Child()
        except OSError:
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

    def close(self) -> None:
        """End all idle children."""
        with self.lock:
            for child in self.idle:
                child.close()
            self.idle.clear()


_pool: _Pool | None = None
_pool_lock = threading.Lock()


def decoders() -> int:
    """Return how many frames may be decoded at once."""
    return min(4, default_threads())


def _children() -> _Pool:
    """Return the pool of this process; one that was forked starts its own."""
    global _pool
    with _pool_lock:
        if _pool is None or _pool.owner != os.getpid():
            _pool = _Pool()
        return _pool


def _stop() -> None:
    if _pool is not None and _pool.owner == os.getpid():
        _pool.close()


atexit.register(_stop)


def decode_frame(stream: bytes, form: Syntax, layout: Layout, frame: int, path: Path) -> tuple[npt.NDArray[Any], str]:
    """Decode one frame.

    Parameters
    ----------
    stream
        Its compressed bytes, checked by `isocenter.io.dicom.codestream.check_frame`.
    form, layout
        How it is stored.
    frame, path
        Where it is, for the message.

    Returns
    -------
    tuple
        Array of shape (rows, columns[, samples]) and the photometric interpretation it is in now.

    Raises
    ------
    FormatError
        If it cannot be decoded, within the time and memory that its size deserves.
    """
    request = {
        "syntax": form.uid, "rows": layout.rows, "columns": layout.columns, "samples": layout.samples, "allocated": layout.allocated,
        "stored": layout.stored, "signed": layout.signed, "photometric": layout.photometric,
        "memory": _BASE_MEMORY + 8 * layout.frame_bytes,
    }  # fmt: skip
    seconds = _BASE_SECONDS + layout.frame_bytes * _SECONDS_PER_BYTE
    pool = _children()
    child = pool.take()
    sound = False
    try:
        answer, data = child.ask(request, stream, 2 * layout.frame_bytes, seconds)
        problem, sound = answer.get("error"), True
    except (_FailedError, OSError, ValueError, KeyError) as error:
        problem = f"the decoder {error}" if isinstance(error, _FailedError) else "the decoder answered nonsense"
    finally:
        pool.give(child, sound)
    if problem is not None:
        raise FormatError(
            f"{clean(path)}: frame {frame + 1} cannot be decoded as {form.name} ({clean(problem, 160)}): expected a whole codestream; "
            "fetch the file again."
        )
    return _checked(answer, data, layout, frame, path)


def _checked(answer: dict[str, Any], data: bytearray, layout: Layout, frame: int, path: Path) -> tuple[npt.NDArray[Any], str]:
    shape = (layout.rows, layout.columns) + ((layout.samples,) if layout.samples > 1 else ())
    dtype = np.dtype(str(answer.get("dtype", "")) or "V1")
    size = int(np.prod(shape)) * dtype.itemsize
    if tuple(answer.get("shape", ())) != shape or dtype.kind not in "iu" or len(data) != size:
        raise FormatError(
            f"{clean(path)}: frame {frame + 1} decodes to {clean(answer, 120)}: expected {shape} samples; fetch the file again."
        )
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False), clean(answer.get("photometric", ""), 16)
