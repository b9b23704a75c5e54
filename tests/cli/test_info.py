"""``isocenter info``: every hostile series is accepted or refused as expected, with slice and mm named."""

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

from tests.conftest import shared_folder

#: What the notes on the data say beyond the table: series whose row allows two outcomes.
DECIDED = {
    "series/gantry_tilt/": 0,
    "series/mixed_orientation/": 3,
    "series/mixed_size/": 3,
    "series/mixed_frame_of_reference/": 3,
    "series/dup_sop_same/": 3,
}


def rows() -> list[dict[str, str]]:
    table = shared_folder() / "hostile" / "EXPECT.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as handle:
        return [row for row in csv.DictReader(handle) if row["path"].startswith("series/")]


def info(path: Path) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "isocenter", "info", str(path), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["path"])
def test_series(row: dict[str, str], shared: Callable[[str], Path]) -> None:
    code, found, err = info(shared("hostile") / row["path"])
    expected = DECIDED.get(row["path"], 0 if row["expected"].startswith("accept") else 3)
    assert code == expected, (found, err)
    assert "Traceback" not in err
    if code == 3:
        assert found["refused"]
        reason = found["refused"][0]["reason"]
        assert len(reason) > 20
        if row["expected"] == "reject_geometry" and row["path"] in (
            "series/missing_slice/",
            "series/nonuniform/",
            "series/dup_position/",
        ):
            assert "mm" in reason
    if row["path"] == "series/gantry_tilt/":
        item = found["items"][0]
        assert 1.0 < item["geometry"]["shear_degrees"] < 45.0
        assert any("degree" in problem for problem in item["problems"])
    if row["path"] == "series/00_control/":
        assert found["items"][0]["geometry"]["shape"] == [8, 8, 8]
        assert found["items"][0]["geometry"]["spacing"] == pytest.approx([1, 1, 1])


def test_the_table_is_read() -> None:
    assert len(rows()) == 14 or not (shared_folder() / "hostile").exists()


def test_a_missing_slice_is_repaired_on_request(shared: Callable[[str], Path]) -> None:
    path = shared("hostile") / "series" / "missing_slice"
    done = subprocess.run(
        [sys.executable, "-m", "isocenter", "info", str(path), "--json", "--repair", "interpolate"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["items"][0]["geometry"]["shape"][0] == 8
    assert any("interpolat" in problem for problem in found["items"][0]["problems"])
