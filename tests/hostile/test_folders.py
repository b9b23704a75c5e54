"""Folders that no archive and no repository can carry: loops, pipes, devices, unreadable files, odd names."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hostile.server import Outcome, Server

WORDS = {
    b"passwd.dcm": "link", b"dangling.dcm": "link", b"zero.nii": "link", b"full_out.nii": "link", b"loop": "link", b"fifo.dcm": "pipe",
}  # fmt: skip


@pytest.fixture(scope="module")
def hazards(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make the folder with the script of the corpus."""
    folder = tmp_path_factory.mktemp("hazards") / "folder"
    subprocess.run(["sh", str(shared("hostile/mk_fs_hazards.sh")), str(folder)], check=True, timeout=20)
    yield folder
    (folder / "unreadable.dcm").chmod(0o600)


@pytest.fixture(scope="module")
def server(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("served"), [shared("hostile/nifti/00_control.nii")]) as found:
        yield found
        assert found.leftovers() == []


def refused(found: Outcome) -> None:
    assert found.code == 3, found
    assert "Traceback" not in found.err and "root:" not in found.out + found.err
    assert found.seconds < 10 and found.peak_mib < 400


def test_the_folder_is_scanned_without_following_or_opening(hazards: Path, server: Server) -> None:
    found = server.run("info", hazards, "--json")
    refused(found)
    document = json.loads(found.out)
    skipped = {os.fsencode(row["path"].split("/")[-1]): row["reason"] for row in document["skipped"]}
    for name, word in WORDS.items():
        assert word in skipped[name], (name, skipped)
    told = found.out.encode("utf-8", "surrogateescape")
    assert b"new\nline" not in told and b"\xff\xfe" not in told, "names come through as they are"


def test_the_folder_is_shown_in_lines_that_are_its_own(hazards: Path, server: Server) -> None:
    found = server.run("info", hazards)
    refused(found)
    for line in (found.out + found.err).splitlines():
        assert line.isprintable() and not line.startswith("line.dcm"), line


@pytest.mark.parametrize(
    "name", [b"passwd.dcm", b"dangling.dcm", b"zero.nii", b"fifo.dcm", b"unreadable.dcm", b"new\nline.dcm", b"\377\376bad-utf8.dcm", b"real/loop", b"-rf"]
)  # fmt: skip
def test_each_one_named_by_itself_is_refused(name: bytes, hazards: Path, server: Server) -> None:
    refused(server.run("info", os.path.join(hazards, os.fsdecode(name)), "--json"))


def test_sound_files_among_them_are_read(hazards: Path, server: Server, shared: Callable[[str], Path]) -> None:
    sound = hazards / ("a" * 200) / "sound.nii"
    sound.write_bytes(shared("hostile/nifti/00_control.nii").read_bytes())
    try:
        found = server.run("info", hazards, "--json")
    finally:
        sound.unlink()
    assert found.code == 0 and len(found.document["items"]) == 1


def test_a_result_replaces_a_link_and_does_not_follow_it(hazards: Path, server: Server, shared: Callable[[str], Path]) -> None:
    before = Path("/etc/passwd").stat().st_mtime_ns
    control = shared("hostile/nifti/00_control.nii")
    target = hazards / "full_out.nii"
    kept = os.readlink(target)
    try:
        assert server.run("convert", control, target).code == 0
        assert target.is_file() and not target.is_symlink() and target.stat().st_size > 240
    finally:
        target.unlink()
        target.symlink_to(kept)
    assert server.run("convert", control, hazards / "real" / "loop").code != 0, "a folder stands there"
    assert Path("/etc/passwd").stat().st_mtime_ns == before
