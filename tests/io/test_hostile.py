"""Hostile inputs, each with the outcome it must have: no crash, hang, flood, traceback or file outside."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, shared_folder

MINE = ("nifti/", "other/", "raster/", "archive/", "mutated/nii", "mutated/png", "mutated/tif", "model/")
CANARY = Path("/tmp/hostile-canary")  # where the payloads of the corpus would leave their mark


def rows() -> list[dict[str, str]]:
    """Return the rows of the expectation table for formats other than DICOM (none where the data are absent)."""
    table = shared_folder() / "hostile" / "EXPECT.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as handle:
        return [row for row in csv.DictReader(handle) if row["path"].startswith(MINE)]


ROWS = {row["path"]: row for row in rows()}


def looked_at(paths: list[Path], control: Path, temporary: Path) -> list[dict[str, Any]]:
    """Return what the driver found of each path."""
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.io.hostile_driver", str(control)],
        input="".join(f"{p}\n" for p in paths), capture_output=True, text=True, check=True, env=environment, cwd=ROOT, timeout=600,
    )  # fmt: skip
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def outcomes(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Look at the whole corpus once, and check that nothing was left anywhere."""
    folder = shared("hostile")
    temporary = tmp_path_factory.mktemp("unpacked")
    before = set(folder.rglob("*"))
    found = looked_at([folder / path for path in ROWS], folder / "nifti" / "00_control.nii", temporary)
    assert set(folder.rglob("*")) == before
    assert list(temporary.iterdir()) == [], "an archive was left unpacked"
    assert not CANARY.exists() or not list(CANARY.iterdir()), "a payload has run"
    return dict(zip(ROWS, found, strict=True))


@pytest.mark.parametrize("path", ROWS or ["absent"])
def test_every_row_of_the_table(path: str, outcomes: dict[str, dict[str, Any]]) -> None:
    row, found = ROWS[path], outcomes[path]
    assert found["status"] == 0, f"the child died ({found['status']})"
    assert "raised" not in found, found
    assert found["peak_mib"] <= float(row["max_rss_mib"])
    assert found["seconds"] <= float(row["max_s"])
    accepted = found["items"] > 0
    expected = row["expected"]
    if expected == "accept":
        assert accepted
        assert not found["reasons"]
    elif expected == "accept_warn":
        assert accepted
        assert found["problems"]
    elif expected == "reject":
        assert not accepted
    elif expected == "reject_geometry":
        assert not accepted
        assert found["reasons"][0][0] == "geometry"
    else:
        assert expected in ("reject_or_exact", "survive")
    for kind, reason in found["reasons"]:
        assert kind in ("geometry", "format", "budget", "content", "unsupported")
        assert Path(path).name in reason or "case" in reason or ".dcm" in reason
        assert "\n" not in reason
        assert "Traceback" not in reason
        assert "expected" in reason, reason
    assert accepted or found["reasons"]


def test_accepted_samples_are_those_of_the_control(outcomes: dict[str, dict[str, Any]]) -> None:
    if not ROWS:
        pytest.skip("shared test data 'hostile' is absent: set ISOCENTER_SHARED to the folder that has it")
    assert outcomes["nifti/00_control.nii"]["sum"] == 7140
    assert outcomes["nifti/00_control.nii.gz"]["digests"] == outcomes["nifti/00_control.nii"]["digests"]
    for path, control in (
        ("nifti/gz_bomb_small_dims.nii.gz", "nifti/00_control.nii"),
        ("raster/png_ztxt_bomb.png", "raster/00_control.png"),
    ):
        assert not outcomes[path]["items"] or outcomes[path]["digests"] == outcomes[control]["digests"]
    for found in outcomes.values():
        assert "root:" not in json.dumps(found), "text of another file came through"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nifti/no_forms.nii", "Orientation unknown"),
        ("nifti/nan_inf_voxels.nii", "Without a finite value"),
        ("nifti/complex.nii", "complex"),
    ],
)
def test_warnings_say_what_is_wrong(path: str, words: str, outcomes: dict[str, dict[str, Any]]) -> None:
    assert words in " ".join(outcomes[path]["problems"])
