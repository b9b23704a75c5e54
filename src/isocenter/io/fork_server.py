"""The parent's side of the fork server: starting it, talking to it, and one of them for each library of containers.

Children that decode single frames are used again (`isocenter.io.child`); children that read a whole file end with it
(`isocenter.io.file_child`). Both are forked by `isocenter.io.child_server`; what differs is what they say and for how long.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import isocenter

__all__ = ["SCRIPT", "ChildError", "Server", "receive", "send", "server_of", "stop"]

SCRIPT = Path(__file__).with_name("child_server.py")
_SERVER_SECONDS = 30.0  # the server loads the modules of a codec before it forks
_LONGEST = 1 << 16
_ROOT = str(Path(isocenter.__file__).resolve().parents[1])
#: One thread each, and no HDF5 file may name a plug-in.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HDF5_PLUGIN_PATH": "", "HDF5_USE_FILE_LOCKING": "FALSE",
}  # fmt: skip


class ChildError(Exception):
    """A codec refused its bytes, or its child died, was too slow or answered nonsense; the message is a clause."""


def _remaining(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise ChildError("the decoder took too long")
    return left


def send(line: socket.socket, message: Mapping[str, Any], descriptors: list[int], until: float) -> None:
    """Send a message, and descriptors with it."""
    body = json.dumps(message).encode()
    line.settimeout(_remaining(until))
    sent = socket.send_fds(line, [struct.pack(">I", len(body))], descriptors) if descriptors else 0
    line.sendall((struct.pack(">I", len(body)) + body)[sent:])


def receive(line: socket.socket, until: float) -> dict[str, Any]:
    """Return the next message.

    Raises
    ------
    ChildError
        If the other side is gone, takes too long, or answers nonsense.
    """
    (size,) = struct.unpack(">I", _exactly(line, 4, until))
    if size > _LONGEST:
        raise ChildError("the decoder gave more than the frame holds")
    answer = json.loads(_exactly(line, size, until))
    if not isinstance(answer, dict):
        raise ChildError("the decoder answered nonsense")
    return answer


def _exactly(line: socket.socket, count: int, until: float) -> bytes:
    data = b""
    while len(data) < count:
        line.settimeout(_remaining(until))
        part = line.recv(count - len(data))
        if not part:
            raise ChildError("the decoder died")
        data += part
    return data


class Server:
    """The process that forks the children.

    It loads the libraries of a child before it forks, so that one more child costs a few milliseconds.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **_ENVIRONMENT}
        paths = [*(os.path.abspath(p) for p in sys.path if os.path.isdir(p or ".")), _ROOT]
        with theirs:
            self.process = subprocess.Popen(  # -I, -S: neither the folder of the script nor any start-up file of the user
                [sys.executable, "-I", "-S", str(SCRIPT), json.dumps(paths)],
                stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
            )  # fmt: skip
        self.line = ours
        self.lock = threading.Lock()

    def ask(self, message: Mapping[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Send a message and return the answer.

        Raises
        ------
        ChildError
            If the server is gone.
        """
        with self.lock:
            until = time.monotonic() + _SERVER_SECONDS
            try:
                send(self.line, message, descriptors, until)
                return receive(self.line, until)
            except (OSError, ValueError, ChildError) as error:
                self.process.kill()  # what it may say later would be taken for the answer to another question
                self.process.wait()
                raise ChildError(f"the server of decoders is gone ({type(error).__name__})") from error

    def close(self) -> None:
        """End the server, and with it all children."""
        self.line.close()
        try:
            self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_servers: dict[str, Server] = {}
_owner = os.getpid()
_lock = threading.Lock()
#: Servers of processes that this one was forked from, kept so that nothing of theirs is ended here.
_inherited: list[Server] = []


def server_of(library: str) -> Server:
    """Return this process's server for children of one library, a new one where none lives.

    Libraries have servers of their own, so that a child holds its own and no other.
    """
    global _owner
    with _lock:
        if _owner != os.getpid():
            for server in _servers.values():
                server.line.close()
            _inherited.extend(_servers.values())
            _servers.clear()
            _owner = os.getpid()
        known = _servers.get(library)
        if known is not None and known.process.poll() is None:
            return known
        if known is not None:
            known.close()
        _servers[library] = Server()
        return _servers[library]


def stop() -> None:
    """End the servers of this process; the next child starts a new one."""
    with _lock:
        if _owner == os.getpid():
            for server in _servers.values():
                server.close()
            _servers.clear()


atexit.register(stop)
