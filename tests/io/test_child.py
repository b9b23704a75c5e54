"""The children that decode: limits kept, killed and replaced when they misbehave, the parent none the wiser."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import BudgetError, FormatError
from isocenter.io import child, deadline, door, fork_server

#: A codec of that body -> what the caller is told.
FAULTS = {
    "exits": ("os._exit(11)", "died"),
    "crashes": ("os.kill(os.getpid(), signal.SIGSEGV)", "died"),
    "aborts": ("os.abort()", "died"),
    "hangs": ("time.sleep(600)", "took too long"),
    "spins": ("while True: pass", "took too long"),
    "ignores signals and hangs": ("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)", "took too long"),
    "raises": ("raise RuntimeError('no such\\x1b[31m marker')", "no such"),
    "leaves": ("raise SystemExit(3)", "SystemExit"),
    "swells": ("bytearray(8 << 30)", "MemoryError"),
    "gives too much": ("return {'count': 1 << 40}", "more than the frame holds"),
    "gives less than nothing": ("return {'count': -1}", "more than the frame holds"),
    "gives no number": ("return {'count': 'all'}", "more than the frame holds"),
    "gives nothing": ("return None", "nonsense"),
    "floods": ("return {'count': 0, 'text': 'x' * (1 << 20)}", "more than the frame holds"),
    "babbles": ("out = next(f for f in gc() if isinstance(f, socket.socket)); out.sendall(b'\\0\\0\\0\\4abcd'); time.sleep(600)", "nonsense"),
    "writes a file": ("open(facts['path'], 'wb').write(b'x' * 100000)", "File too large"),
    "shrinks the arena": (
        "[os.ftruncate(os.open(f'/proc/self/fd/{n}', os.O_RDWR), 0) for n in os.listdir('/proc/self/fd') if 'isocenter' in link(n)]; return {'count': 0}",
        "Operation not permitted",
    ),
}  # fmt: skip
HEADER = """
import os, signal, time, socket
from gc import get_objects as gc
def link(n):
    try: return os.readlink(f"/proc/self/fd/{n}")
    except OSError: return ""
def decode(name, given, room, facts, file):
    if name == "sound":
        room[: len(given)] = given
        return {"count": len(given)}
"""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put codecs that misbehave in place of the real ones."""
    shutil.copy(fork_server.SCRIPT, tmp_path / "child_server.py")
    bodies = "".join(f"    if name == {name!r}:\n        {body}\n" for name, (body, _) in FAULTS.items())
    (tmp_path / "child_codecs.py").write_text(HEADER + bodies, encoding="utf-8")
    child.stop()
    with monkeypatch.context() as patch:
        patch.setattr(fork_server, "SCRIPT", tmp_path / "child_server.py")
        patch.setattr(child, "_BASE_SECONDS", 0.5)
        patch.setattr(child, "_START_SECONDS", 3.0)
        assert sound() == b"abc"
        patch.setattr(child, "_START_SECONDS", 0.2)
        yield tmp_path
        child.stop()


def sound() -> bytes:
    return child.decode("sound", b"abc", 8)[1].tobytes()


@pytest.mark.parametrize("name", list(FAULTS))
def test_whatever_a_codec_does_costs_its_child_only(name: str, faulty: Path) -> None:
    says, began = FAULTS[name][1], time.monotonic()
    with pytest.raises(child.ChildError, match=says):
        child.decode(name, b"abc", 100, {"path": str(faulty / "written")}, memory=64 << 20)
    assert time.monotonic() - began < 8
    assert not (faulty / "written").exists() or (faulty / "written").stat().st_size == 0
    assert sound() == b"abc"


def test_a_server_that_dies_is_replaced(faulty: Path) -> None:
    pool = child._current()
    assert pool.server is not None
    pool.server.process.kill()
    pool.server.process.wait()
    assert sound() == b"abc" and pool.server.process.poll() is None


def test_children_end_with_the_process_that_started_them(faulty: Path) -> None:
    pids = [one.pid for one in child._current().idle]
    assert pids
    child.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_large_results_are_not_copied_and_belong_to_nobody_else(faulty: Path) -> None:
    data = np.arange(12 << 20, dtype=np.uint8).tobytes()
    _, first = child.decode("sound", data, len(data))
    _, second = child.decode("sound", data[::-1], len(data))
    assert first.flags.writeable and not first.flags.owndata
    assert first.tobytes() == data and second.tobytes() == data[::-1]


def test_requests_from_several_threads_do_not_mix(faulty: Path) -> None:
    wrong = []

    def ask(k: int) -> None:
        for j in range(20):
            data = bytes([k]) * (100 + j)
            if child.decode("sound", data, 200)[1].tobytes() != data:
                wrong.append(k)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong


def test_time_of_an_input_ends_its_child(faulty: Path) -> None:
    began = time.monotonic()
    with (
        pytest.raises(BudgetError, match=r"slow\.png: reading it takes longer than 0\.2 s"),
        deadline.within(0.2, Path("slow.png")),
    ):
        child.decode("hangs", b"abc", 100)
    assert time.monotonic() - began < 5 and sound() == b"abc"


def test_an_inner_deadline_does_not_outlive_the_outer_one() -> None:
    with deadline.within(5.0, Path("outer")):
        with deadline.within(60.0, Path("inner")):
            assert deadline.left() <= 5.0
        with deadline.within(1.0, Path("inner")):
            assert deadline.left() <= 1.0
        assert 1.0 < deadline.left() <= 5.0
    deadline.check()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_a_picture_whose_codec_crashes_is_refused_by_name(suffix: str, faulty: Path) -> None:
    from PIL import Image as Pillow

    path = faulty / f"picture{suffix}"
    Pillow.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path)
    codecs = faulty / "child_codecs.py"
    codecs.write_text("import os\ndef decode(*arguments):\n    os.abort()\n", encoding="utf-8")
    child.stop()
    with pytest.raises(FormatError, match=rf"picture\{suffix}.*decoder died"):
        door.read(path)
