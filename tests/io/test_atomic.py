"""Atomic writing under faults: a file stands under its final name whole, or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter.core.errors import WriteError
from isocenter.io import atomic, seam

EARLIER = b"what stood there before"
LATER = bytes(range(256)) * 9000  # more than two buffers, so that several writes happen


def steps_of_a_write(folder: Path) -> list[seam.Step]:
    with seam.counting() as taken:
        atomic.write_bytes(folder / "count.bin", LATER)
    (folder / "count.bin").unlink()
    return [kind for kind, _ in taken]


def test_the_steps_of_a_write_are_all_announced(tmp_path: Path) -> None:
    kinds = steps_of_a_write(tmp_path)
    assert kinds[0] == "open"
    assert kinds.count("write") >= 1
    assert kinds[-4:] == ["fsync", "check", "rename", "sync folder"]


@pytest.mark.parametrize("earlier", [None, EARLIER])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_failing_every_step_leaves_nothing_half_written(tmp_path: Path, earlier: bytes | None, number: int) -> None:
    kinds = steps_of_a_write(tmp_path)
    target = tmp_path / "result.bin"
    for nth, kind in enumerate(kinds, start=1):
        target.unlink(missing_ok=True)
        if earlier is not None:
            target.write_bytes(earlier)
        with (
            seam.failing(nth, lambda: OSError(number, os.strerror(number))),
            pytest.raises(WriteError, match=r"result\.bin.*could not be (written|flushed)"),
        ):
            atomic.write_bytes(target, LATER)
        if kind == "sync folder":  # the file is whole and in place; only its survival of a power cut is in doubt
            assert target.read_bytes() == LATER
        elif earlier is None:
            assert not target.exists(), kind
        else:
            assert target.read_bytes() == earlier, kind
        assert sorted(p.name for p in tmp_path.iterdir() if p != target) == [], kind


def test_killed_at_every_step(tmp_path: Path) -> None:
    """A process that dies at any step leaves the earlier file or the whole new one; `sweep` takes the rest away."""
    count = len(steps_of_a_write(tmp_path))
    target = tmp_path / "result.bin"
    code = (
        "import sys\nfrom isocenter.io import atomic, seam\n"
        "with seam.killing(int(sys.argv[2])):\n    atomic.write_bytes(sys.argv[1], bytes(range(256)) * 9000)\n"
    )
    leftovers = 0
    for nth in range(1, count + 1):
        target.write_bytes(EARLIER)
        done = subprocess.run([sys.executable, "-c", code, str(target), str(nth)], check=False, timeout=60)
        assert done.returncode == 137
        assert target.read_bytes() in (EARLIER, LATER)
        leftovers += atomic.sweep(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["result.bin"]
    assert leftovers >= 3


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for a full disk: the system itself cuts the write short."""
    resource = pytest.importorskip("resource", reason="limits of processes are a POSIX matter")
    target = tmp_path / "result.bin"
    target.write_bytes(EARLIER)
    code = (
        "import resource, signal, sys\nfrom isocenter.io import atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try:\n    atomic.write_bytes(sys.argv[1], bytes(3 << 20))\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("WriteError")
    assert "File too large" in done.stdout
    assert target.read_bytes() == EARLIER
    assert [p.name for p in tmp_path.iterdir()] == ["result.bin"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_check_that_fails_keeps_the_earlier_file(tmp_path: Path) -> None:
    target = tmp_path / "result.bin"
    target.write_bytes(EARLIER)

    def check(path: Path) -> None:
        assert path.read_bytes() == LATER
        raise OSError(errno.EIO, "the re-read voxels differ")

    with pytest.raises(WriteError, match="re-read voxels differ"):
        atomic.write_bytes(target, LATER, check)
    assert target.read_bytes() == EARLIER


def test_an_error_of_the_caller_passes_unchanged(tmp_path: Path) -> None:
    def body() -> None:
        with atomic.replacing(tmp_path / "a") as handle:
            handle.write(b"x")
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        body()
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(EARLIER)
    link = tmp_path / "link"
    link.symlink_to(victim)
    atomic.write_bytes(link, LATER)
    assert victim.read_bytes() == EARLIER
    assert not link.is_symlink()
    assert link.read_bytes() == LATER


@pytest.mark.parametrize("place", ["missing/a.bin", "file/a.bin", "folder"])
def test_impossible_targets_are_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match="could not be written"):
        atomic.write_bytes(tmp_path / place, b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
