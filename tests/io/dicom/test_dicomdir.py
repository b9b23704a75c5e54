"""DICOMDIR: followed to files beside it, never outside and never in circles."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.io.dicom.samples import PYDICOM, inspect

MEDIUM = PYDICOM / "dicomdirtests"


@pytest.mark.parametrize(("name", "says"), [("dicomdir_loop", "circle"), ("dicomdir_traversal", "nothing outside is opened")])
def test_hostile_directories_are_refused(shared: Callable[[str], Path], name: str, says: str) -> None:
    items, refusals = inspect(shared(f"hostile/{name}/DICOMDIR"))
    assert not items and says in refusals[0].reason


def medium(tmp_path: Path) -> Path:
    for name in ("77654033", "98892001", "98892003"):
        shutil.copytree(MEDIUM / name, tmp_path / name)
    shutil.copy(MEDIUM / "DICOMDIR", tmp_path)
    return tmp_path


def test_a_directory_by_itself_stands_for_its_files(tmp_path: Path) -> None:
    folder = medium(tmp_path)
    alone, refused = inspect(folder / "DICOMDIR")
    together, others = inspect(folder)
    assert [(i.name, i.uid, i.paths) for i in alone] == [(i.name, i.uid, i.paths) for i in together]
    assert len(alone) > 10 and len(refused) == len(others) == 1 and "202.50 mm" in refused[0].reason


def test_files_that_are_missing_or_linked_are_refused(tmp_path: Path) -> None:
    folder = medium(tmp_path)
    victim = folder / "77654033" / "CR1" / "6154"
    kept = victim.read_bytes()
    victim.unlink()
    assert "6154" in inspect(folder / "DICOMDIR")[1][0].reason
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_bytes(kept)
    victim.symlink_to(outside)
    items, refusals = inspect(folder / "DICOMDIR")
    assert not items and "no regular file" in refusals[0].reason
