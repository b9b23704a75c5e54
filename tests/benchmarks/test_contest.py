"""Trainings of equal budget: the job and the cases come back as they were written, the fold is that of the other trainings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.train.contest import Clock, Job, answer, write_cases
from benchmarks.train.peers import scores, table


@pytest.fixture
def job(tmp_path: Path) -> Job:
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 255, (12, 16), dtype=np.uint8) for _ in range(3)]
    truths = [np.zeros((12, 16), np.uint8) for _ in range(3)]
    truths[1][2:6, 3:9] = 1
    write_cases(tmp_path / "cases", images, truths, {"train": [0], "held": [], "test": [1, 2]})
    (tmp_path / "out").mkdir()
    return Job(tmp_path / "cases", tmp_path / "out", 3, mirror=(1,), options={"batch": 2})


def test_job_is_read_as_written(job: Job, tmp_path: Path) -> None:
    job.write(tmp_path / "job.json")
    assert Job.read(tmp_path / "job.json") == job
    assert job.image(0).shape == (1, 12, 16)
    assert job.fold()["test"] == [1, 2]


def test_scores_of_a_perfect_a_shifted_and_an_empty_prediction(job: Job) -> None:
    truth = job.truth(1)
    assert scores(job, {1: truth, 2: job.truth(2)})["hd95"] == [0.0, 0.0]
    shifted = scores(job, {1: np.roll(truth, 2, axis=1)})
    assert shifted["dice"] == pytest.approx([2 * 16 / 48])
    assert shifted["hd95"] == [2.0]
    missed = scores(job, {1: np.zeros_like(truth)})
    assert missed == {"dice": [0.0], "hd95": [pytest.approx(20.0)]}


def test_answer_keeps_cost_and_labels(job: Job) -> None:
    clock = Clock()
    clock.mark()
    answer(job, clock, {1: job.truth(1)}, steps=7)
    facts = json.loads((job.out / "facts.json").read_text())
    assert facts["steps"] == 7
    assert facts["marks"] == sorted(facts["marks"])
    assert np.array_equal(np.load(job.out / "labels-001.npy"), job.truth(1))


def test_table_compares_with_the_first_case_by_case() -> None:
    cost: dict[str, Any] = {"batch": 2, "steps": 9, "cpu": 30.0, "peak_mib": 100.0, "predict": 1.0}
    rows: dict[str, dict[str, Any]] = {
        "first": {"dice": [0.9, 0.8], "hd95": [1.0, 3.0], **cost},
        "second": {"dice": [0.8, 0.7], "hd95": [2.0, 4.0], **cost},
        "third": {"missing": True},
    }
    lines = table(rows).splitlines()
    assert "0.8500 (0.8000 to 0.9000) |  |" in lines[2]
    assert "0.7500 (0.7000 to 0.8000) | 0.1000 (0.1000 to 0.1000)" in lines[3]
    assert "not installed" in lines[4]
