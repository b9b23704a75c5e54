"""Learning from labels, from the command to the package: real pictures of a phantom, refusals, and what is left behind."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import isocenter as iso
from isocenter.cli.main import app
from isocenter.core.errors import ContentError, MissingInputError, ParameterError
from isocenter.jobs.learn import Learned, LearnOptions, learn, parse_columns
from isocenter.jobs.verify import verify

FAST = LearnOptions(folds=3, primary="logistic", baselines=("majority",), minutes=0)


def pictures(folder: Path, n: int = 36, seed: int = 0) -> Path:
    """Write pictures with a disc (class round) or a square (class square), and their table."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    y, x = np.mgrid[:64, :64]
    rows = []
    for k in range(n):
        kind = ("round", "square")[k % 2]
        at = generator.uniform(26, 38, 2)
        size = generator.uniform(9, 13)
        inside = (
            np.hypot(y - at[0], x - at[1]) < size if kind == "round" else np.maximum(abs(y - at[0]), abs(x - at[1])) < size * 0.89
        )
        array = 60 + 90 * inside + generator.normal(0, 12, (64, 64))
        name = f"p{(k * 7919) % 1000:03d}.png"
        iso.write(
            iso.Image(np.clip(array, 0, 255).astype(np.uint8), ("y", "x"), iso.Geometry.regular((64, 64), (1.0, 1.0))),
            folder / name,
        )
        rows.append((name, kind, f"patient{k}", "ab"[k // 2 % 2]))
    with (folder / "labels.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("image", "label", "patient", "site"), *rows])
    return folder


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    base = tmp_path_factory.mktemp("learn")
    folder = pictures(base / "in")
    return learn(folder, folder / "labels.csv", base / "out", FAST)


def test_it_learns_and_leaves_everything(result: Learned) -> None:
    assert result.scores["auc_roc"] > 0.9 and result.exit_code == 0
    names = {p.relative_to(result.out).as_posix() for p in result.out.rglob("*") if p.is_file()}
    wanted = {
        "report.html",
        "report.pdf",
        "model.isocenter",
        "splits.json",
        "leakage.json",
        "lineage.json",
        "run.json",
        "methods.txt",
    }
    wanted |= {
        f"tables/{n}.csv" for n in ("scores", "predictions", "comparisons", "splits", "leakage", "worst_cases", "subgroups")
    }
    assert wanted <= names
    with (result.out / "tables" / "predictions.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 36 and all(
        abs(float(r["probability of round"]) + float(r["probability of square"]) - 1) < 1e-6 for r in rows
    )
    assert "beats guessing" in " ".join(result.lines)


def test_the_folder_verifies_and_a_changed_number_is_found(result: Learned, tmp_path: Path) -> None:
    assert verify(result.out).sound
    path = result.out / "tables" / "scores.csv"
    text = path.read_text()
    path.write_text(text.replace("0.", "0.9", 1))
    assert not verify(result.out).sound
    path.write_text(text)


def test_the_package_says_the_same_again(result: Learned) -> None:
    from isocenter.learn.package.reading import read_package

    package = read_package(result.package)
    assert package.self_test().passed and package.classes == ("round", "square")
    assert package.manifest["task"] == "classification"


def test_equal_inputs_give_equal_results(result: Learned, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in")
    again = learn(folder, folder / "labels.csv", tmp_path / "out", FAST)
    for name in ("tables/scores.csv", "tables/predictions.csv", "splits.json", "report.html", "model.isocenter"):
        assert (again.out / name).read_bytes() == (result.out / name).read_bytes(), name


def test_the_report_says_what_it_rests_on(result: Learned) -> None:
    page = (result.out / "report.html").read_text()
    for words in ("named beforehand", "Leakage scan", "Calibration", "Checklists", "not a medical device", "Nadeau and Bengio"):
        assert words in page, words


def test_copies_across_the_split_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", 24)
    with (folder / "labels.csv").open() as handle:
        rows = list(csv.reader(handle))
    for k, row in enumerate(rows[1:9]):
        copy = f"q{k * 37 % 100:02d}.png"
        (folder / copy).write_bytes((folder / row[0]).read_bytes())
        rows.append([copy, row[1], f"other{k}", row[3]])
    with (folder / "labels.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    with pytest.raises(ContentError, match="--accept-leak"):
        learn(folder, folder / "labels.csv", tmp_path / "out", FAST)
    assert not (tmp_path / "out" / "report.html").exists()
    accepted = learn(folder, folder / "labels.csv", tmp_path / "out", replace(FAST, accept_leak="known copies"))
    assert "known copies" in (accepted.out / "report.html").read_text()
    assert json.loads((accepted.out / "leakage.json").read_text())["accepted"] == "known copies"


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.learn.study.BASELINES", ("majority",))
    folder = pictures(tmp_path / "in", 24)
    out = tmp_path / "out"
    command = [
        "run",
        str(folder),
        "--labels",
        str(folder / "labels.csv"),
        "-o",
        str(out),
        "--folds",
        "3",
        "--learner",
        "logistic",
        "--minutes",
        "0",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "Model:" in done.output and (out / "model.isocenter").is_file()
    os.remove(next(folder.glob("*.png")))
    lost = CliRunner().invoke(app, command)
    assert lost.exit_code != 0 or "set aside" in lost.output


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such table"):
        learn(tmp_path, tmp_path / "none.csv", tmp_path / "out")
    with pytest.raises(ParameterError, match="ROLE=COLUMN"):
        parse_columns(["picture"])
    assert parse_columns(["image=file", "site=source"]) == {"image": "file", "site": "source"}
