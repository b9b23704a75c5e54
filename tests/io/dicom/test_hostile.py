"""Hostile files: every one as expected, read in children with a memory limit; no crash, hang or traceback."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Shared = Callable[[str], Path]
LIMIT_MIB = 1024

#: Run in a child: inspects and loads the files that it is given and prints one JSON line for each.
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from isocenter.core.errors import IsocenterError
from isocenter.io.budget import Budget
from isocenter.io.dicom import inspect_files
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
for name in sys.argv[1:]:
    start = time.monotonic()
    items, refusals = inspect_files([Path(name)], Budget())
    row = {"name": name, "items": len(items), "kinds": [r.kind for r in refusals], "reasons": [r.reason for r in refusals]}
    row["problems"] = [p.sentence() for i in items for p in i.problems]
    row["sums"], row["errors"] = [], []
    for item in items:
        try:
            row["sums"].append(float(item.load().array.sum(dtype="float64")))
        except IsocenterError as error:
            row["errors"].append(str(error))
    row["seconds"] = time.monotonic() - start
    # VmHWM, not ru_maxrss: the latter keeps what the parent held before this program was started.
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    row["rss"] = int(peak.split()[1]) / 1024
    row["child"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps(row), flush=True)
"""


def rows(root: Path, prefix: str) -> list[dict[str, str]]:
    with open(root / "EXPECT.csv", encoding="utf-8", newline="") as handle:
        table = csv.DictReader(handle)
        return [
            r
            for r in table
            if r["path"].startswith(prefix) and r["path"].endswith(".dcm") and r["entry"] in ("file", "file+store")
        ]


def outcomes(files: list[Path]) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, files)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def results(shared: Shared) -> tuple[Path, list[dict[str, str]], dict[str, dict[str, Any]]]:
    root = shared("hostile")
    table = rows(root, "dicom/") + rows(root, "mutated/")
    return root, table, outcomes([root / r["path"] for r in table])


def test_each_hostile_file_has_the_outcome_it_must_have(
    results: tuple[Path, list[dict[str, str]], dict[str, dict[str, Any]]],
) -> None:
    root, table, found = results
    control = found[str(root / "dicom/00_control_good.dcm")]["sums"]
    assert len(table) >= 150
    wrong = []
    for row in table:
        got = found[str(root / row["path"])]
        accepted = bool(got["items"]) and not got["errors"]
        expected = row["expected"]
        right = {
            "accept": accepted,
            "accept_warn": accepted and bool(got["problems"]),
            "accept_sanitised": accepted,
            "reject": not got["items"],
            "reject_geometry": not got["items"] and got["kinds"] == ["geometry"],
            "reject_or_exact": not got["items"] or got["sums"] == control,
            "survive": True,
        }[expected]
        if not right:
            wrong.append((row["path"], expected, got))
    assert not wrong, wrong


def test_refusals_are_one_printable_sentence_that_names_the_file(
    results: tuple[Path, list[dict[str, str]], dict[str, dict[str, Any]]],
) -> None:
    for name, got in results[2].items():
        for text in (*got["reasons"], *got["problems"], *got["errors"]):
            assert text.isprintable() and len(text) < 900, (name, text)
        assert all(Path(name).name in reason for reason in got["reasons"]), got


def test_time_and_memory_stay_bounded(results: tuple[Path, list[dict[str, str]], dict[str, dict[str, Any]]]) -> None:
    root, table, found = results
    for row in table:
        assert found[str(root / row["path"])]["seconds"] < float(row["max_s"]), row["path"]
    # The peak of the whole run bounds that of every file.
    last = list(found.values())[-1]
    assert last["rss"] < 400 and last["child"] < LIMIT_MIB


def test_hostile_text_never_reaches_a_message(results: tuple[Path, list[dict[str, str]], dict[str, dict[str, Any]]]) -> None:
    for name, got in results[2].items():
        if "/str_" in name:
            assert not any(
                mark in text for text in (*got["problems"], *got["reasons"]) for mark in ("<script", "=cmd", "\x1b", "{{", "../")
            )


@pytest.mark.parametrize("seed", range(3))
def test_random_damage_is_survived(shared: Shared, tmp_path: Path, seed: int) -> None:
    import numpy as np

    rng = np.random.default_rng(seed)
    sources = [shared(f"hostile/dicom/00_control_{n}.dcm") for n in ("good", "jpeg")]
    sources += [
        shared(f"data/dicom_zoo/{n}") for n in ("dcm_qa_ts/In/4.dcm", "pydicom-data/liver.dcm", "pydicom-data/OBXXXX1A_rle.dcm")
    ]
    files = []
    for k in range(60):
        data = bytearray(sources[k % len(sources)].read_bytes())
        for _ in range(int(rng.integers(1, 12))):
            place = int(rng.integers(128, min(len(data), 4096)))
            kind = int(rng.integers(4))
            if kind == 0:
                data[place] = int(rng.integers(256))
            elif kind == 1:
                data[place : place + 4] = b"\xff\xff\xff\xff"
            elif kind == 2:
                del data[place : place + int(rng.integers(1, 9))]
            else:
                data[place:place] = bytes(rng.integers(0, 256, int(rng.integers(1, 9)), dtype=np.uint8))
        files.append(tmp_path / f"{k:03d}.dcm")
        files[-1].write_bytes(data)
    found = outcomes(files)
    assert len(found) == len(files)
    assert all(row["items"] or row["reasons"] for row in found.values())
    assert max(row["seconds"] for row in found.values()) < 10 and max(row["rss"] for row in found.values()) < 700
