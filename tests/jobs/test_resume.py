"""A run that is killed goes on where it stopped, and ends bit-equal to an undisturbed one."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.jobs.make_cohort import STUDY, tree, write_cohort


def command(source: Path, study: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "isocenter", "run", str(source), "-o", str(out), "--study", str(study), "--json"]


@pytest.mark.slow
def test_ten_kills_then_resume(tmp_path: Path) -> None:
    source, study = tmp_path / "in", tmp_path / "small.yaml"
    write_cohort(source, 20)
    study.write_text(STUDY)
    started = time.monotonic()
    subprocess.run(command(source, study, tmp_path / "calm"), check=True, capture_output=True, timeout=300)
    whole = time.monotonic() - started
    moments = random.Random(7)
    killed = 0
    for _ in range(10):
        child = subprocess.Popen(
            command(source, study, tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            child.wait(timeout=moments.uniform(0.1, 0.4) * whole)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed += 1
        half = [p for p in tree(tmp_path / "killed") if p.endswith(("lineage.json",))]
        for record in half:  # a lineage is written last, so a folder that has one is whole
            check = (
                subprocess.run(
                    [sys.executable, "-m", "isocenter", "verify", str((tmp_path / "killed" / record).parent)],
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
                if moments.random() < 0.1
                else None
            )
            assert check is None or check.returncode == 0, check.stdout + check.stderr
    assert killed >= 3, "the run ended before it could be killed: the moments are badly chosen"
    last = subprocess.run(command(source, study, tmp_path / "killed"), capture_output=True, text=True, timeout=300)
    assert last.returncode == 0, last.stderr
    calm, resumed = tree(tmp_path / "calm"), tree(tmp_path / "killed")
    assert len([p for p in resumed if p.endswith("lineage.json")]) == 21
    assert resumed.keys() == calm.keys()
    assert [p for p in calm if calm[p] != resumed[p]] == []
