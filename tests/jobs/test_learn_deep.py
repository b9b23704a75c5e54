"""A small network in a learning run: beside the others or as the result, its package, and where it looked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.jobs import model
from isocenter.jobs.learn import Learned, LearnOptions, learn
from isocenter.jobs.learn_deep import DEFAULT_MINUTES, deep_sentence, minutes_of
from isocenter.jobs.verify import verify
from isocenter.learn.evaluate.compare import Difference
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
    assert verify(result.out).sound and (result.out / "training" / "curves.html").is_file()
    package, tested = model.self_test(result.package)
    assert tested.passed and package.classes == ("round", "square") and package.threshold is not None and package.calibrated
    lines = model.export(result.package, onnx=tmp_path / "net.onnx")
    assert sum("differs by at most" in line for line in lines) == 2
    other = pictures(tmp_path / "other", 8, seed=5)
    judged = model.validate_on(result.package, other, tmp_path / "judged", draws=50)
    assert len(judged.found.cases) == 8


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
        proofs = {"cnn": type("P", (), {"scores": {"auc_roc": type("S", (), {"value": 0.8, "interval": (0.6, 0.9)})}})}

    text = deep_sentence(Found)
    assert "beats majority" in text and "does not beat svm beyond its interval" in text and "worth its cost" in text
    Found.deep = {"majority": Found.deep["majority"]}
    assert "worth" not in deep_sentence(Found) and np.char.endswith(deep_sentence(Found), ".")
