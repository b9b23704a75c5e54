"""The children that read whole files: ended when they die, hang or swell; cheap after the first, and told from one another."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import h5py
import numpy as np
import pytest

from isocenter.core.errors import FormatError
from isocenter.io import file_child, fork_server
from isocenter.io.file_child import FileChild
from tests.io.test_minc import minc2

REQUEST = {"mode": "minc-header"}


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    return minc2(tmp_path / "a.mnc")


def header(path: Path, **more: int) -> list[int]:
    with FileChild("hdf5_worker", REQUEST, path, "a MINC file", **more) as child:
        return list(next(child.messages(0))[0]["shape"])


def test_children_of_one_library_share_a_server_and_what_it_loaded(volume: Path) -> None:
    first = header(volume)
    server = fork_server.server_of("hdf5_worker")
    assert header(volume) == first == list(h5py.File(volume)["minc-2.0/image/0/image"].shape)
    assert fork_server.server_of("hdf5_worker") is server is not fork_server.server_of("video_worker")


@pytest.mark.parametrize(
    ("sign", "told"), [(signal.SIGKILL, "died"), (signal.SIGSEGV, "died"), (signal.SIGSTOP, "took too long")]
)
def test_a_child_that_dies_or_hangs_is_told(
    volume: Path, monkeypatch: pytest.MonkeyPatch, sign: signal.Signals, told: str
) -> None:
    monkeypatch.setattr(file_child, "_START_SECONDS", 0.0)
    monkeypatch.setattr(file_child, "_STALL_SECONDS", 0.3)
    server = fork_server.server_of("hdf5_worker")
    ours, theirs = socket.socketpair()
    with theirs:  # a child that waits for its request
        pid = server.ask({"load": [], "main": "isocenter.io.hdf5_worker"}, [theirs.fileno()])["pid"]
    os.kill(pid, sign)
    monkeypatch.setattr(file_child, "_started", lambda module: (server, pid, ours))
    with pytest.raises(FormatError, match=f"the process that read it {told}"):
        header(volume)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_that_swells_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.mnc"
    minc2(path)
    with h5py.File(path, "r+") as file:
        file["minc-2.0/image/0"].attrs["x"] = 1
        file["minc-2.0"].attrs["ident"] = np.zeros(8000, np.int64)
    with pytest.raises(FormatError):
        header(path, memory=1 << 12)
    assert header(path)


def test_a_server_that_was_ended_is_replaced(volume: Path) -> None:
    first = header(volume)
    fork_server.server_of("hdf5_worker").process.kill()
    assert header(volume) == first


def test_a_forked_process_has_servers_of_its_own(volume: Path) -> None:
    server = fork_server.server_of("hdf5_worker")
    pid = os.fork()
    if not pid:
        code = 9
        try:
            other = fork_server.server_of("hdf5_worker")
            code = 0 if other is not server and header(volume) else 8
            fork_server.stop()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert fork_server.server_of("hdf5_worker") is server and header(volume)
