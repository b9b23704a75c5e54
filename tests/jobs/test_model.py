"""What is done with a package: read, tested, judged elsewhere, exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from isocenter.cli.main import app
from isocenter.core.errors import ContentError, FormatError, MissingInputError, ParameterError, UnsupportedError
from isocenter.jobs import model as job
from isocenter.learn.package.fingerprint import case_digest, fingerprint_of
from isocenter.learn.package.model import Package
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.reading import Training, write_package
from isocenter.learn.package.validate import Validation
from isocenter.learn.prove import prove
from isocenter.learn.recipe import Recipe, Table
from isocenter.ops.classify.package import Package as Step

EXAMPLE = Path(Step.examples()[0].package)
NAMES = ("width", "height", "contrast")


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 3))
    return x, (x[:, 0] + 0.3 * generator.normal(size=n) > 0).astype(int)


def table(path: Path, seed: int = 11, n: int = 40, classes: tuple[str, ...] = ("calm", "wild")) -> Path:
    x, y = rows(n, seed)
    lines = [",".join(["identifier", "label", "patient", *NAMES])]
    for k in range(n):
        label = classes[y[k]] if classes else repr(float(40.0 + 5.0 * x[k, 0]))
        lines.append(",".join([f"case{k}", label, f"p{k // 2}", *(repr(float(v)) for v in x[k])]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def packaged(path: Path, learner: str, classes: tuple[str, ...] = ("calm", "wild")) -> Package:
    x, y = rows(60, 3)
    target = y if classes else 40.0 + 5.0 * x[:, 0]
    cases = Table(x, target, np.arange(60).astype(str), np.full(60, ""), NAMES, classes)
    order = np.arange(60)
    proof = prove(cases, [(order[order % 2 != k], order[order % 2 == k]) for k in range(2)], Recipe(learner), draws=60)
    return write_package(
        path,
        TableModel(proof.models, NAMES, "table"),
        name="made-up-cases",
        fingerprint=fingerprint_of([], x, NAMES),
        training=Training("made up", 60, 60, digests=tuple(case_digest(v) for v in x)),
        scores=proof.scores,
    )


def test_a_package_passes_its_test_and_says_what_it_is() -> None:
    package, result = job.self_test(EXAMPLE)
    assert result.passed and package.digest == Step.examples()[0].sha256
    found = CliRunner().invoke(app, ["model", "test", str(EXAMPLE)])
    assert found.exit_code == 0 and "Passed." in found.output
    found = CliRunner().invoke(app, ["model", "info", str(EXAMPLE)])
    assert "not a medical device" in found.output and package.digest in found.output
    plain = json.loads(CliRunner().invoke(app, ["model", "info", str(EXAMPLE), "--json"]).output)
    assert plain["manifest"]["task"] == "classification" and "digests" not in plain["manifest"]["training"]


def test_a_model_that_changed_fails_its_test(tmp_path: Path) -> None:
    from isocenter.learn.package.archive import pack, unpack

    members, _ = unpack(EXAMPLE)
    expected = json.loads(members["selftest/expected.json"])
    expected["expected"]["probabilities"] = [0.5, 0.5]
    path = tmp_path / "changed.isocenter"
    path.write_bytes(pack({**members, "selftest/expected.json": json.dumps(expected).encode()}))
    found = CliRunner().invoke(app, ["model", "test", str(path)])
    assert found.exit_code == 1 and "FAILED" in found.output


def test_a_model_is_judged_elsewhere_beside_its_own_figures(tmp_path: Path) -> None:
    result = job.validate_on(EXAMPLE, table(tmp_path / "labels.csv"), tmp_path / "out", draws=200)
    assert result.exit_code == 0 and result.found.scores["auc_roc"].value > 0.85
    assert result.found.scores["auc_roc"].interval is not None
    (auc,) = [c for c in result.found.compared if c.name == "auc_roc"]
    assert auc.internal is not None and auc.sentence == "the intervals meet"
    tables = tmp_path / "out" / "tables"
    predicted = list(csv.DictReader((tables / "predictions.csv").read_text(encoding="utf-8").splitlines()))
    assert len(predicted) == 40 and {r["called"] for r in predicted} == {"calm", "wild"}
    assert float(predicted[0]["p_calm"]) + float(predicted[0]["p_wild"]) == pytest.approx(1.0)
    bins = list(csv.DictReader((tables / "calibration.csv").read_text(encoding="utf-8").splitlines()))
    assert sum(int(b["n"]) for b in bins) == 40
    assert "External validation" in result.report.read_text(encoding="utf-8")
    first = (tables / "scores.csv").read_bytes()
    job.validate_on(EXAMPLE, tmp_path, tmp_path / "again", draws=200)
    assert (tmp_path / "again" / "tables" / "scores.csv").read_bytes() == first


def test_training_cases_are_refused(tmp_path: Path) -> None:
    packaged(tmp_path / "a.isocenter", "logistic")
    with pytest.raises(ContentError, match="60 of 60 cases .* proves nothing"):
        job.validate_on(tmp_path / "a.isocenter", table(tmp_path / "labels.csv", seed=3, n=60), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_numbers_are_judged_too(tmp_path: Path) -> None:
    packaged(tmp_path / "a.isocenter", "logistic", ())
    result = job.validate_on(tmp_path / "a.isocenter", table(tmp_path / "labels.csv", classes=()), tmp_path / "out", draws=60)
    assert isinstance(result.found, Validation)
    assert result.found.scores["mae"].value < 1.0 and result.found.calibration == ()


def test_labels_that_the_model_does_not_know_are_told(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="class 'tame'"):
        job.validate_on(EXAMPLE, table(tmp_path / "labels.csv", classes=("tame", "wild")), tmp_path / "out")
    with pytest.raises(MissingInputError, match="no such table"):
        job.validate_on(EXAMPLE, tmp_path / "none.csv", tmp_path / "out")


def apart(path: Path) -> Path:
    """Write a cohort of two sites and return its folder."""
    text = table(path / "labels.csv").read_text(encoding="utf-8").splitlines()
    text = [f"{line},{'site,sex' if k == 0 else 'north,F' if k % 2 else 'south,M'}" for k, line in enumerate(text)]
    (path / "labels.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def test_sites_and_subgroups_of_a_cohort_are_judged_apart(tmp_path: Path) -> None:
    result = job.validate_on(EXAMPLE, apart(tmp_path), tmp_path / "out", draws=60)
    assert [(g.attribute, g.value, g.n) for g in result.found.subgroups] == [
        ("site", "north", 20), ("site", "south", 20), ("sex", "F", 20), ("sex", "M", 20),
    ]  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "out" / "tables" / "subgroups.csv").read_text(encoding="utf-8").splitlines()))
    (auc,) = [r for r in rows if r["value"] == "north" and r["score"] == "auc_roc"]
    found = result.found
    assert isinstance(found, Validation)
    ranked = [(c.predicted[1], c.truth == "wild") for c in found.cases[0::2]]
    pairs = [(a > b) + 0.5 * (a == b) for a, wild in ranked if wild for b, also in ranked if not also]
    assert float(auc["value_of_score"]) == pytest.approx(np.mean(pairs))
    assert "Subgroups" in result.report.read_text(encoding="utf-8")


def test_a_frozen_test_set_records_every_look(tmp_path: Path) -> None:
    record, cohort = tmp_path / "record.json", table(tmp_path / "labels.csv")
    words = ["model", "validate", str(EXAMPLE), "--on", str(cohort), "-o", str(tmp_path / "out"), "--frozen", str(record)]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0 and "(40 cases) was looked at once" in " ".join(found.output.split())
    packaged(tmp_path / "b.isocenter", "logistic")
    result = job.validate_on(tmp_path / "b.isocenter", cohort, tmp_path / "out", draws=60, frozen=record)
    assert "2 times with 2 models: the best of them is flattered" in result.frozen
    assert "flattered" in result.report.read_text(encoding="utf-8") and result.to_dict()["frozen"] == result.frozen
    scores = [look["scores"]["auc_roc"] for look in json.loads(record.read_text(encoding="utf-8"))["looks"]]
    assert scores[1] == result.found.scores["auc_roc"].value and len(scores) == 2
    # Renamed cases are the same; fewer or other ones are not the set; a record that was changed is none.
    cohort.write_text(cohort.read_text(encoding="utf-8").replace("case", "row"), encoding="utf-8")
    job.validate_on(EXAMPLE, cohort, tmp_path / "out", draws=60, frozen=record)
    before = record.read_bytes()
    with pytest.raises(ContentError, match="40 of its 40 cases are missing and 40 are others"):
        job.validate_on(EXAMPLE, table(tmp_path / "other.csv", seed=12), tmp_path / "never", draws=60, frozen=record)
    assert record.read_bytes() == before and not (tmp_path / "never").exists()
    record.write_text(record.read_text(encoding="utf-8").replace('"auc_roc": ', '"auc_roc": 0'), encoding="utf-8")
    with pytest.raises((ContentError, FormatError)):
        job.validate_on(EXAMPLE, cohort, tmp_path / "never", draws=60, frozen=record)


def test_a_model_of_images_asks_for_the_column_of_images(tmp_path: Path) -> None:
    from isocenter.learn.data.table import from_csv
    from isocenter.learn.package.validate import value_of

    package = packaged(tmp_path / "a.isocenter", "logistic")
    package.manifest["inputs"]["source"] = "image"
    with pytest.raises(ContentError, match="has no column 'image'"):
        value_of(package, from_csv(tmp_path, table(tmp_path / "labels.csv")), 0)


def test_cases_unlike_the_training_are_named(tmp_path: Path) -> None:
    path = table(tmp_path / "labels.csv")
    text = path.read_text(encoding="utf-8").splitlines()
    text[1] = ",".join([*text[1].split(",")[:4], "99.0", "0.0"])
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    result = job.validate_on(EXAMPLE, path, tmp_path / "out", draws=60)
    (warned,) = [c for c in result.found.cases if any("99" in w for w in c.warnings)]
    assert warned.identifier == "case0"
    assert "case0" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("learner", ["logistic", "svm"])
def test_models_of_tables_go_out_as_onnx(tmp_path: Path, learner: str) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX export needs the extra 'deep'")
    packaged(tmp_path / "a.isocenter", learner)
    first, *more = job.export(tmp_path / "a.isocenter", onnx=tmp_path / "a.onnx")
    assert float(first.rpartition(" ")[2].rstrip(".")) <= 1e-9  # both compute in double precision
    assert [("support vectors" in line) for line in more] == ([True] if learner == "svm" else [])
    job.export(tmp_path / "a.isocenter", onnx=tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_what_has_no_other_form_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="a MONAI bundle holds a network"):
        job.export(EXAMPLE, bundle=tmp_path / "bundle")
    with pytest.raises(ParameterError, match="Nothing to export to"):
        job.export(EXAMPLE)
    assert not (tmp_path / "bundle").exists()
