"""``isocenter verify`` passes on a fresh result and names the step when one voxel, number or parameter was changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from isocenter.io import door
from isocenter.jobs import run as job
from isocenter.jobs.verify import verify
from tests.jobs.make_cohort import STUDY, ball, tree, write_cohort


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verify")
    (root / "small.yaml").write_text(STUDY)
    write_cohort(root / "in", 1)
    job.run(root / "in", root / "out", study=str(root / "small.yaml"))
    return root / "out"


@pytest.fixture
def copy(fresh: Path, tmp_path: Path) -> Path:
    shutil.copytree(fresh, tmp_path / "out")
    return tmp_path / "out"


def test_a_fresh_result_is_sound(fresh: Path) -> None:
    report = verify(fresh, recompute=True)
    assert report.sound, report.differences
    assert report.recomputed
    assert report.files >= 8
    assert report.steps >= 4


def test_one_voxel(copy: Path) -> None:
    labels = door.read_labels(copy / "labels/ball.nii.gz")
    array = np.array(labels.array)
    array[0, 0, 0] = 1 - array[0, 0, 0]
    door.write(labels.with_array(array), copy / "labels/ball.nii.gz")  # type: ignore[union-attr]  # one segment: a label map
    found = verify(copy).differences
    assert any("'ball'" in text and "ball.nii.gz" in text for text in found)


def test_one_number(copy: Path) -> None:
    path = copy / "tables/ball_shape.csv"
    text = path.read_text()
    digit = next(k for k, c in enumerate(text) if c == "." and text[k - 1].isdigit()) - 1
    path.write_text(text[:digit] + str((int(text[digit]) + 1) % 10) + text[digit + 1 :])
    found = verify(copy).differences
    assert any("'ball_shape'" in sentence for sentence in found)


def test_one_parameter(copy: Path) -> None:
    path = copy / "lineage.json"
    record = json.loads(path.read_text())
    step = next(s for s in record["steps"] if s["to"] == "smooth")
    step["parameters"]["radius"] = 2
    path.write_text(json.dumps(record))
    assert any("'smooth'" in sentence for sentence in verify(copy).differences)


def test_a_lost_file_and_an_extra_one(copy: Path) -> None:
    (copy / "tables/ball_intensity.csv").unlink()
    (copy / "note.txt").write_text("mine")
    report = verify(copy)
    assert any("ball_intensity.csv" in sentence for sentence in report.differences)
    assert any("note.txt" in note for note in report.notes)


def test_nobody_is_named(fresh: Path) -> None:
    """Only what goes back to the archive carries the person's name; everything else goes by pseudonym."""
    assert b"P000" in (fresh / "dicom/report.dcm").read_bytes()
    for path in fresh.rglob("*"):
        if path.is_file() and path.suffix != ".dcm" and path.name != "run.json":
            data = path.read_bytes()
            assert b"P000" not in data, path
            assert b"Test^0" not in data, path


def test_an_equal_run_is_bit_equal(fresh: Path, tmp_path: Path) -> None:
    job.run(fresh.parent / "in", tmp_path / "again", study=str(fresh.parent / "small.yaml"))
    assert tree(tmp_path / "again") == tree(fresh)


@pytest.mark.parametrize("scheduler", [None, "local"])
def test_cohorts_are_equal_on_every_executor(scheduler: str | None, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(STUDY)
    write_cohort(tmp_path / "in", 3)
    job.run(tmp_path / "in", tmp_path / "serial", study=str(tmp_path / "small.yaml"), workers=1)
    job.run(tmp_path / "in", tmp_path / "other", study=str(tmp_path / "small.yaml"), workers=2, scheduler=scheduler)
    assert tree(tmp_path / "serial") == tree(tmp_path / "other")


def test_one_bad_case_never_stops_the_rest(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(STUDY)
    write_cohort(tmp_path / "in", 3)
    for path in sorted((tmp_path / "in/study01").iterdir())[4:5]:
        path.unlink()
    (tmp_path / "in/notes.txt").write_text("no image")
    summary = job.run(tmp_path / "in", tmp_path / "out", study=str(tmp_path / "small.yaml"), workers=1)
    assert summary.exit_code == 1
    assert summary.flow["analysed"] == 2
    assert len(summary.set_aside) == 1
    assert "mm" in summary.set_aside[0][1]
    assert verify(tmp_path / "out").sound
    assert ball(0).digest != ball(1).digest
