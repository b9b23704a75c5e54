"""Reading containers with large native libraries (video, HDF5) in a child process that is killed when it misbehaves.

One child reads one file, gives what is in it message by message, and ends. What it may take is limited: memory by
itself, time here; the worst that a hostile file can do is to cost its child, and is told as one sentence. Codecs of
single frames have children that are used again: `isocenter.io.child`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import isocenter
from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.io.file_worker import HEAD
from isocenter.io.text import terminal

__all__ = ["FileChild"]

_START_SECONDS = 20.0  # it has yet to import its library
_STALL_SECONDS = 8.0
_LARGEST_FACTS = 1 << 22
_ROOT = str(Path(isocenter.__file__).resolve().parents[1])


class _FailedError(Exception):
    """The child died, was too slow, or answered nonsense."""


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
    """

    def __init__(
        self, module: str, request: Mapping[str, Any], path: Path, what: str, *, seconds: float = 60.0, memory: int = 1 << 30
    ) -> None:
        self.path, self.what = path, what
        self.deadline = time.monotonic() + _START_SECONDS + seconds
        self.patience = _START_SECONDS + _STALL_SECONDS
        code = f"import sys; sys.path.append({_ROOT!r}); from isocenter.io.{module} import main; main()"
        environment = {
            **os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HDF5_PLUGIN_PATH": "", "HDF5_USE_FILE_LOCKING": "FALSE",
        }  # fmt: skip
        # -P: nothing in the working folder shadows a module; -c keeps the package importable where it is not installed.
        command = [sys.executable, "-P", "-c", code]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({**request, "path": str(path), "memory": memory}).encode())
            self.process.stdin.close()
        self.source = self.process.stdout.fileno()
        os.set_blocking(self.source, False)

    def __enter__(self) -> FileChild:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()

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
            ready, _, _ = select.select([self.source], [], [], max(0.0, wait))
            if not ready:
                raise _FailedError("took too long")
            got = os.readv(self.source, [view[pos:]])
            if not got:
                raise _FailedError("died")
            pos += got
        self.patience = _STALL_SECONDS
        return data
