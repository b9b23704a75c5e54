"""A small network in a learning run: beside the others or as the result, its package, and where it looked."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import isocenter as iso
from isocenter.cli.main import app
from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.results import Score
from isocenter.jobs import model
from isocenter.jobs.explain import ExplainOptions, explain
from isocenter.jobs.learn import Learned, LearnOptions, learn
from isocenter.jobs.learn_deep import DEFAULT_MINUTES, deep_sentence, minutes_of
from isocenter.jobs.learn_package import package_of
from isocenter.jobs.verify import verify
from isocenter.learn.data.table import from_csv
from isocenter.learn.evaluate.compare import Difference
from isocenter.learn.study import StudyOptions, study
from tests.jobs.test_learn import pictures

QUICK = LearnOptions(folds=2, primary="cnn", baselines=("majority",), minutes=0.002, parts=2)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    base = tmp_path_factory.mktemp("deep")
    folder = pictures(base / "in", 12)
    return learn(folder, folder / "labels.csv", base / "out", QUICK)


def test_the_network_is_the_result_where_the_user_says_so(result: Learned, tmp_path: Path) -> None:
    page = (result.out / "report.html").read_text()
    for words in ("cnn (named beforehand)", "Small network", "Grad-CAM", "random weights", "ResNet-18"):
        assert words in page, words
    assert verify(result.out).sound and not verify(result.out).notes and (result.out / "training" / "curves.html").is_file()
    package, tested = model.self_test(result.package)
    assert tested.passed and package.classes == ("round", "square") and package.threshold is not None and package.calibrated
    lines = model.export(result.package, onnx=tmp_path / "net.onnx")
    assert sum("differs by at most" in line for line in lines) == 2
    other = pictures(tmp_path / "other", 8, seed=5)
    judged = model.validate_on(result.package, other, tmp_path / "judged", draws=50)
    assert len(judged.found.cases) == 8


NUMBERS = LearnOptions(folds=2, baselines=("majority",), minutes=0.0003, parts=2, primary="cnn", unit="mm")


def sizes(folder: Path, n: int, seed: int = 0) -> Path:
    """Write pictures of a disc, and a table of its radius."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows = []
    for k in range(n):
        size, at = generator.uniform(5, 14), generator.uniform(20, 28, 2)
        array = 60 + 90 * (np.hypot(*(np.mgrid[:48, :48] - at[:, None, None])) < size) + generator.normal(0, 12, (48, 48))
        grid = iso.Geometry.regular((48, 48), (1.0, 1.0))
        iso.write(iso.Image(np.clip(array, 0, 255).astype(np.uint8), ("y", "x"), grid), folder / f"p{k * 7919 % 1000:03d}.png")
        rows.append(f"p{k * 7919 % 1000:03d}.png,{size:.3f},patient{k}\n")
    (folder / "labels.csv").write_text("image,label,patient\n" + "".join(rows))
    return folder


@pytest.fixture(scope="module")
def of_numbers(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    base = tmp_path_factory.mktemp("numbers")
    folder = sizes(base / "in", 10)
    return learn(folder, folder / "labels.csv", base / "out", NUMBERS)


def test_a_network_of_numbers_is_proved_reported_and_packed(of_numbers: Learned, tmp_path: Path) -> None:
    page = (of_numbers.out / "report.html").read_text()
    for words in (
        "cnn (named beforehand)",
        "root mean square error",
        "Tolerance interval",
        "Huber",
        "of what raises the number",
        "random weights",
    ):
        assert words in page, words
    assert "operating point" not in (of_numbers.out / "methods.txt").read_text() and " mm (95 % interval" in of_numbers.lines[0]
    with (of_numbers.out / "tables" / "agreement.csv").open() as handle:
        rows = {r["model"]: r for r in csv.DictReader(handle)}
    assert set(rows) == {"majority", "cnn"}
    for row in rows.values():
        assert float(row["tolerance_low"]) < float(row["lower_limit"]) < float(row["bias"]) < float(row["upper_limit"])
        assert float(row["lower_limit_low_95"]) < float(row["lower_limit"]) < float(row["lower_limit_high_95"])
    assert verify(of_numbers.out).sound
    package, tested = model.self_test(of_numbers.package)
    assert tested.passed and package.manifest["task"] == "regression" and package.manifest["unit"] == "mm"
    judged = model.validate_on(of_numbers.package, sizes(tmp_path / "other", 6, seed=5), tmp_path / "judged", draws=50)
    assert judged.found.scores["mae"].unit == "mm" and len(judged.found.cases) == 6


def test_a_new_image_gets_a_number_with_its_unit(of_numbers: Learned, tmp_path: Path) -> None:
    folder = sizes(tmp_path / "in", 1, seed=9)
    found = CliRunner().invoke(
        app, ["run", str(folder / "p000.png"), "--model", str(of_numbers.package), "-o", str(tmp_path / "out")]
    )
    assert found.exit_code == 0 and " mm" in found.stdout, found.output


def test_a_number_is_explained_with_its_unit(of_numbers: Learned, tmp_path: Path) -> None:
    folder = sizes(tmp_path / "in", 1, seed=9)
    asked = ExplainOptions("integrated-gradients", check=False)
    found = explain(of_numbers.package, folder / "p000.png", tmp_path / "out", asked)
    assert "'number'" in found.lines[0] and " mm: each sample's share of the difference of the number" in found.lines[0]
    assert found.facts["predicted"] > 0 and "probability" not in found.facts and verify(tmp_path / "out").sound
    with pytest.raises(ParameterError, match="gives a number"):
        explain(of_numbers.package, folder / "p000.png", tmp_path / "out", replace(asked, target="large"))


def test_equal_numbers_give_equal_packages(of_numbers: Learned, tmp_path: Path) -> None:
    folder = sizes(tmp_path / "in", 10)
    options = StudyOptions(2, primary="cnn", baselines=NUMBERS.baselines or (), minutes=0.0003, parts=2, unit="mm")
    again = package_of(study(from_csv(folder, folder / "labels.csv"), options), tmp_path / "again.isocenter")
    assert again.read_bytes() == of_numbers.package.read_bytes()


def test_one_number_is_nothing_to_learn(tmp_path: Path) -> None:
    folder = sizes(tmp_path / "in", 6)
    lines = (folder / "labels.csv").read_text().splitlines()
    rows = [",".join([line.split(",")[0], "2.5", line.split(",")[2]]) for line in lines[1:]]
    (folder / "labels.csv").write_text("\n".join([lines[0], *rows]) + "\n")
    with pytest.raises(ContentError, match=r"All 6 labels of 'in' are the number 2\.5: expected two or more"):
        learn(folder, folder / "labels.csv", tmp_path / "out", NUMBERS)


def test_images_that_no_network_takes_are_learnt_from_all_the_same(tmp_path: Path) -> None:
    folder = sizes(tmp_path / "in", 10)
    few = replace(NUMBERS, minutes=1e-6)
    with pytest.raises(ContentError, match="too few for 2 passes"):
        learn(folder, folder / "labels.csv", tmp_path / "out", few)
    found = learn(folder, folder / "labels.csv", tmp_path / "out", replace(few, primary="logistic"))
    assert "too few for 2 passes" in (found.out / "report.html").read_text() and not (found.out / "training").exists()


def test_tables_are_not_for_networks(tmp_path: Path) -> None:
    rows = "".join(f"c{k},{'ab'[k % 2]},{k}.5\n" for k in range(12))
    (tmp_path / "labels.csv").write_text("identifier,label,x\n" + rows)
    with pytest.raises(ContentError, match="learns from images"):
        learn(tmp_path, tmp_path / "labels.csv", tmp_path / "out", QUICK)


def test_the_default_is_for_classes_and_numbers_of_images_only() -> None:
    assert minutes_of(None, "classification", True) == (DEFAULT_MINUTES, ())
    assert minutes_of(None, "regression", True) == (DEFAULT_MINUTES, ())
    assert minutes_of(None, "survival", True) == (0.0, ()) and minutes_of(3.0, "classification", False) == (0.0, ())
    assert minutes_of(0.0, "classification", True) == (0.0, ())


def test_without_the_extra_one_note_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    minutes, notes = minutes_of(None, "classification", True)
    assert minutes == 0 and len(notes) == 1 and "isocenter[deep]" in notes[0]


def test_what_was_not_shown_is_said() -> None:
    class Found:
        score_name = "auc_roc"
        deep = {
            "majority": Difference("AUC", 0.8, 0.5, 0.3, (0.1, 0.5), 0.01, 40, "paired bootstrap"),
            "svm": Difference("AUC", 0.8, 0.85, -0.05, (-0.2, 0.1), 0.5, 40, "paired bootstrap"),
        }
        proofs = {"cnn": type("P", (), {"scores": {"auc_roc": Score(0.8, "1", (0.6, 0.9), 40)}})}

    text = deep_sentence(Found)
    assert "beats majority" in text and "does not beat svm beyond its interval" in text and "worth its cost" in text
    Found.deep = {"majority": Found.deep["majority"]}
    assert "worth" not in deep_sentence(Found) and np.char.endswith(deep_sentence(Found), ".")
