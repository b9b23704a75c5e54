"""A disk that fails at one step of a run: named, nothing half-written, everything else there, resumed bit-equal."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isocenter.core.errors import WriteError
from isocenter.io import seam
from tests.jobs import faults
from tests.jobs.faults import COUNT, Cohort
from tests.jobs.make_cohort import tree

KINDS: tuple[seam.Step, ...] = ("open", "write", "fsync", "check", "rename", "sync folder")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cohort]:
    with faults.drawn_once():
        yield faults.cohort(tmp_path_factory.mktemp("faults"))


def number(cohort: Cohort, kind: seam.Step, name: str, which: int = 0) -> int:
    """Return the number of a step of that kind on a file of that name."""
    found = [n for n, (k, path) in enumerate(cohort.steps, 1) if k == kind and path.name == name]
    return found[which]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_step(cohort: Cohort, tmp_path: Path, kind: seam.Step) -> None:
    names = ["smooth.nii.gz", "report.html", "report.dcm", "summary.json", "lineage.json", "report.pdf"]
    name = names[KINDS.index(kind)]
    assert name in faults.check(cohort, cohort.folder / f"out-{KINDS.index(kind)}", number(cohort, kind, name, 7))


@pytest.mark.parametrize("name", ["smooth.nii.gz", "report.dcm", "lineage.json", "case_flow.csv", "run.json"])
def test_each_kind_of_file(cohort: Cohort, name: str) -> None:
    assert name in faults.check(cohort, cohort.folder / f"out-{name}", number(cohort, "rename", name))


def test_a_cache_that_cannot_be_written_costs_time_alone(cohort: Cohort) -> None:
    nth = next(n for n, (_, path) in enumerate(cohort.steps, 1) if path.suffix == ".isocenter")
    assert faults.check(cohort, cohort.folder / "out-cache", nth) == ""


def test_every_step_is_counted_alike_in_every_run(cohort: Cohort) -> None:
    with seam.counting() as again:
        cohort.run(cohort.folder / "counted")
    assert [(k, p.relative_to(cohort.folder / "counted")) for k, p in again] == [
        (k, p.relative_to(cohort.folder / "calm")) for k, p in cohort.steps
    ]
    assert tree(cohort.folder / "counted") == cohort.calm


def whole_files(cohort: Cohort, out: Path) -> int:
    """Return how many result files of cases stand in a folder, all of them whole."""
    standing = {path: content for path, content in tree(out).items() if faults.belongs_to_a_case(path)}
    assert all(content == cohort.calm[path] for path, content in standing.items())
    return len(standing)


def resumed(cohort: Cohort, out: Path) -> None:
    again = cohort.run(out)
    assert again.exit_code == 0 and len(again.cases) == COUNT
    assert tree(out) == cohort.calm


@pytest.mark.parametrize("limit", [200, 3000, 20_000])
def test_files_that_may_not_grow(cohort: Cohort, limit: int) -> None:
    """The system itself refuses to let any file grow beyond a size, whatever the seam says."""
    out = cohort.folder / f"small-{limit}"
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    said = ""
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            said = " ".join(reason for _, reason in cohort.run(out).set_aside)
        except WriteError as error:
            said = str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert os.strerror(errno.EFBIG) in said
    whole_files(cohort, out)
    resumed(cohort, out)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return a function that mounts a file system of so many KiB; skips where that is not allowed."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        where = tmp_path / "disk"
        where.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(where)], capture_output=True, text=True, check=False
        ) if shutil.which("mount") and os.geteuid() == 0 else None  # fmt: skip
        if done is None or done.returncode:
            pytest.skip(f"no file system can be mounted here ({done.stderr.strip() if done else 'not root'})")
        mounted.append(where)
        return where

    yield mount
    for where in mounted:
        subprocess.run(["umount", str(where)], check=True)


def test_a_disk_that_is_full(cohort: Cohort, small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(2048)
    try:
        said = " ".join(reason for _, reason in cohort.run(disk / "out").set_aside)
    except WriteError as error:
        said = str(error)
    assert os.strerror(errno.ENOSPC) in said
    assert whole_files(cohort, disk / "out") > 5
    shutil.copytree(disk / "out", cohort.folder / "moved")  # to a disk with room
    resumed(cohort, cohort.folder / "moved")
