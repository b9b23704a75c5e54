"""Learning the time to an event, from the command to the package and another cohort."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from isocenter.cli.main import app
from isocenter.core.errors import FormatError, ParameterError
from isocenter.core.results import Prediction
from isocenter.jobs import model
from isocenter.jobs.learn import Learned, LearnOptions, learn
from isocenter.jobs.verify import verify
from isocenter.learn.package.models import restore, take_apart
from isocenter.learn.package.reading import read_package
from tests.learn.test_study_survival import cohort


def written(folder: Path, n: int = 60, seed: int = 0) -> Path:
    """Write the phantom cohort as a table."""
    folder.mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(("identifier", "label", "event", "patient", "site", "marker", "size", "age"))
        for s in cohort(n, seed=seed).samples:
            values = [f"{s.values[name]:.5f}" for name in ("marker", "size", "age")]
            rows.writerow((s.identifier, f"{s.label:.4f}", int(s.values["event"]), s.patient, s.site, *values))
    return folder


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    base = tmp_path_factory.mktemp("survival")
    folder = written(base / "in")
    done = CliRunner().invoke(
        app, ["run", str(folder), "--labels", str(folder / "labels.csv"), "-o", str(base / "out"), "--folds", "2"]
    )
    assert done.exit_code == 0, done.output
    assert "C-index" in done.output and "log-rank" in done.output
    return Learned(base / "out", base / "out" / "report.html", base / "out" / "model.isocenter", (), (), {}, 0.0)


def test_it_leaves_everything(result: Learned) -> None:
    assert verify(result.out).sound
    names = (
        "scores",
        "predictions",
        "comparisons",
        "calibration",
        "hazard_ratios",
        "splits",
        "leakage",
        "subgroups",
        "worst_cases",
    )
    assert all((result.out / "tables" / f"{name}.csv").is_file() for name in names)
    page = result.report.read_text()
    for words in (
        "Kaplan-Meier",
        "log-rank",
        "Calibration",
        "Hazard ratios",
        "no information",
        "at sites held out",
        "Checklists",
    ):
        assert words in page, words
    with (result.out / "tables" / "predictions.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 60 and {r["group"] for r in rows} == {"high", "low"}


def test_the_risk_model_is_a_package(result: Learned, tmp_path: Path) -> None:
    package, tested = model.self_test(result.package)
    assert tested.passed and package.manifest["task"] == "survival" and package.classes == ()
    risks = [package.predict({"marker": marker, "size": 0.0, "age": 0.0}) for marker in (2.0, -2.0)]
    values = [risk.value for risk in risks if isinstance(risk, Prediction) and risk.value is not None]
    assert len(values) == 2 and values[0] > values[1]
    description, arrays = take_apart(package.model)
    assert restore(description, arrays).baseline == package.model.baseline
    arrays["baseline/hazard"] = arrays["baseline/hazard"][::-1].copy()
    with pytest.raises(FormatError, match="rise with time"):
        restore(description, arrays)
    other = written(tmp_path / "other", 40, seed=7)
    judged = model.validate_on(result.package, other, tmp_path / "judged", draws=100)
    assert float(judged.found.scores["c_index"]) > 0.55 and "integrated_brier" in judged.found.scores
    assert (tmp_path / "judged" / "report.html").is_file()
    with (tmp_path / "judged" / "tables" / "predictions.csv").open(newline="") as handle:
        rows = list(
            csv.DictReader(handle)
        )  # C can be computed again from it: the longer follow-up alone does not say who fell ill
    assert sum(int(r["event"]) for r in rows) == judged.found.scores["events"].value and len(rows) == 40
    time, event, risk = (np.array([float(r[k]) for r in rows]) for k in ("truth", "event", "predicted"))
    earlier = (time[:, None] < time[None]) & (event[:, None] > 0)
    right = (risk[:, None] > risk[None]) + 0.5 * (risk[:, None] == risk[None])
    assert float(judged.found.scores["c_index"]) == pytest.approx(right[earlier].mean())


def test_equal_inputs_give_an_equal_package(result: Learned, tmp_path: Path) -> None:
    folder = written(tmp_path / "in")
    again = learn(folder, folder / "labels.csv", tmp_path / "out", LearnOptions(folds=2))
    for name in ("model.isocenter", "tables/scores.csv", "tables/predictions.csv", "report.html"):
        assert (again.out / name).read_bytes() == (result.out / name).read_bytes(), name
    assert read_package(again.package).scores["c_index"]["n"] == 60


def test_another_learner_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", 20)
    with pytest.raises(ParameterError, match="expected 'cox'"):
        learn(folder, folder / "labels.csv", tmp_path / "out", LearnOptions(folds=2, primary="svm"))
