"""The fork server: starts the children in which native codecs run, and ends them when it is told to.

It is run as a script, without the package and without `site`, so that a child holds an interpreter and its codec and
nothing else. It never sees a byte of any file: modules are loaded here once and shared by the children that are
forked afterwards. A child serves one request after another on a socket of its own; bytes go through an arena, a
piece of memory that both sides map, or are read from a file that the parent opened. Nothing a child says is trusted.
A child that is to read a whole file (``main`` names its module) has its socket as standard input and output instead,
answers one request, and ends.

A message is the length of its JSON part (big-endian, 32 bits) and that part; descriptors may come with it: of the
arena where it is a new one, then of the file.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import mmap
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

LONGEST = 1 << 16


def _exactly(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = line.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return the next message and the descriptors that came with it.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    head, descriptors, _, _ = socket.recv_fds(line, 4, 2)
    if not head:
        raise EOFError
    head += _exactly(line, 4 - len(head))
    return json.loads(_exactly(line, struct.unpack(">I", head)[0])), descriptors


def send(line: socket.socket, message: dict[str, Any]) -> None:
    """Send a message."""
    body = json.dumps(message).encode()
    line.sendall(struct.pack(">I", len(body)) + body)


# -- the child ------------------------------------------------------------------------------------------


def _limit(extra: int) -> None:
    """Allow this process `extra` bytes above what it has mapped now."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as handle:
            mapped = int(handle.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = mapped + extra
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    except (ImportError, OSError, ValueError):  # only Linux tells; elsewhere the parent's time limit stands alone
        return


def _confine() -> None:
    """Give up what a codec never needs: outliving the server, writing files, leaving core dumps."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _child(line: socket.socket, codecs: Any) -> None:
    """Serve requests until the other side closes its end."""
    arena: mmap.mmap | None = None
    while True:
        request, descriptors = receive(line)
        file = descriptors.pop() if request["file"] else None
        if descriptors:
            arena = mmap.mmap(descriptors[0], int(request["arena"]))
            os.close(descriptors[0])
        assert arena is not None
        view = memoryview(arena)
        given, start, room = int(request["given"]), int(request["start"]), int(request["room"])
        try:
            _limit(int(request["memory"]))
            answer = codecs.decode(request["codec"], view[:given], view[start : start + room], request["facts"], file)
        except BaseException as error:  # noqa: BLE001  whatever a codec raises, the parent gets a sentence and this child lives on
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        if file is not None:
            os.close(file)
        send(line, answer)


# -- the server -----------------------------------------------------------------------------------------


def _load(names: list[str]) -> None:
    for name in names:
        if name not in sys.modules:
            with contextlib.suppress(ImportError):  # the child says so when it is asked
                importlib.import_module(name)


def _reader(descriptor: int, module: str) -> None:
    """Let a module of the package answer the one request that comes in as standard input."""
    os.dup2(descriptor, 0)
    os.dup2(descriptor, 1)
    os.close(descriptor)
    gc.enable()  # a file is more work than a frame
    importlib.import_module(module).main()


def _fork(descriptor: int, control: socket.socket, codecs: Any, reader: str) -> int:
    gc.freeze()  # a collection in a child would touch, and so copy, every page that it shares
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return pid
    try:
        control.close()
        gc.disable()
        _confine()
        if reader:
            _reader(descriptor, reader)
        else:
            _child(socket.socket(fileno=descriptor), codecs)
    except (EOFError, OSError):
        os._exit(0)
    finally:
        os._exit(70)  # the fork never goes on with what the server does


def _end(pid: int) -> dict[str, int]:
    """End a child; return its status, and the KiB that it held at its most."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return {"status": os.waitstatus_to_exitcode(status), "peak": usage.ru_maxrss}


def main() -> None:
    """Serve the process that started this one until it closes its end."""
    sys.path[:] = json.loads(sys.argv[1])
    control = socket.socket(fileno=0)
    spec = importlib.util.spec_from_file_location("child_codecs", Path(__file__).with_name("child_codecs.py"))
    assert spec is not None and spec.loader is not None
    codecs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(codecs)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when this one ends
    living: set[int] = set()
    try:
        while True:
            request, descriptors = receive(control)
            if "end" in request:
                living.discard(request["end"])
                send(control, _end(request["end"]))
                continue
            _load(request["load"])
            living.add(pid := _fork(descriptors[0], control, codecs, request.get("main", "")))
            send(control, {"pid": pid})
    except (EOFError, OSError):
        for pid in living:
            _end(pid)


if __name__ == "__main__":
    main()
