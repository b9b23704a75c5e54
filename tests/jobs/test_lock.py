"""The lock of an output folder: one run at a time, and nothing half-written from a run before."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.core.errors import BusyError
from isocenter.io.atomic import temporary_beside
from isocenter.jobs.lock import Lock


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / "cases" / "case-1" / "labels"
    deep.mkdir(parents=True)
    (deep / "lungs.nii.gz").write_bytes(b"whole")
    temporary_beside(deep / "lungs.nii.gz").write_bytes(b"half")
    with Lock(tmp_path):
        assert [p.name for p in deep.iterdir()] == ["lungs.nii.gz"]
        temporary_beside(deep / "bone.nii.gz").write_bytes(b"from a process that outlived the killed run")
    assert [p.name for p in deep.iterdir()] == ["lungs.nii.gz"]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    kept = temporary_beside(tmp_path / "report.html")
    with Lock(tmp_path):
        kept.write_bytes(b"being written")
        with pytest.raises(BusyError, match="wait for it to end"), Lock(tmp_path):
            pass
        assert kept.exists(), "the run that was refused removed what the other one writes"
