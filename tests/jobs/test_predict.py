"""A package on new images: predictions with a report, cached, verified, and warned of."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from isocenter.cli.main import app
from isocenter.core import models
from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io import door
from isocenter.jobs.predict import predict
from isocenter.jobs.verify import verify
from isocenter.learn.package.fingerprint import case_digest, fingerprint_of, image_facts
from isocenter.learn.package.model import Package
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.reading import Training, write_package
from isocenter.learn.prove import FoldModel
from isocenter.learn.recipe import Recipe, Table
from isocenter.learn.represent import represent


def picture(k: int, bright: float = 1.0) -> Image:
    """Return stripes across (even) or along (odd), with noise."""
    y, x = np.mgrid[:40, :40]
    wave = np.sin((x if k % 2 else y) / 2.5)
    noise = np.random.default_rng(k).normal(size=(40, 40))
    array = np.clip(128 + bright * (60 * wave + 8 * noise), 0, 255).astype(np.uint8)
    return Image(array, ("y", "x"), Geometry.pixels((40, 40)), modality="XC")


def stripes(path: Path, count: int = 16) -> Package:
    """Write a package that tells stripes across from stripes along."""
    images = [picture(k) for k in range(count)]
    rows = [represent(i) for i in images]
    values = np.stack([r.values for r in rows])
    target = np.arange(count) % 2
    table = Table(values, target, np.arange(count).astype(str), np.full(count, ""), rows[0].names, ("across", "along"))
    model = TableModel((FoldModel(Recipe("logistic", {"strength": 0.01}, keep=20).fit(table), None, 0.5, {}),), table.names)
    return write_package(
        path,
        model,
        name="stripes",
        fingerprint=fingerprint_of([image_facts(i) for i in images], values, table.names),
        training=Training("stripes", count, count, digests=tuple(case_digest(i) for i in images)),
    )


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(models.FOLDERS, "")
    stripes(tmp_path / "stripes.isocenter")
    (tmp_path / "new").mkdir()
    for k in (100, 101):
        door.write(picture(k), tmp_path / "new" / f"case{k}.png")
    return tmp_path


def test_every_case_is_predicted_reported_and_verified(files: Path) -> None:
    out = files / "out"
    summary = predict([files / "new"], files / "stripes.isocenter", out, workers=1)
    assert summary.exit_code == 0 and len(summary.cases) == 2
    rows = list(csv.DictReader((out / "tables" / "predictions.csv").read_text(encoding="utf-8").splitlines()))
    called = {row["case"]: row["called"] for row in rows}
    assert sorted(called.values()) == ["across", "along"]
    for name in called:
        own = [float(r["value"]) for r in rows if r["case"] == name]
        assert sum(own) == pytest.approx(1.0) and max(own) > 0.5
        report = (out / "cases" / name / "report.html").read_text(encoding="utf-8")
        assert f"The case is called &#39;{called[name]}&#39;" in report or f"The case is called '{called[name]}'" in report
        assert "not calibrated" in report
        assert "no decision about a patient may rest on it alone" in report
        lineage = json.loads((out / "cases" / name / "lineage.json").read_text(encoding="utf-8"))
        cells = [m for m in lineage["measurements"] if m["slot"] == "prediction"]
        assert len(cells) == 2 and all(m["table"] == "tables/predictions.csv" for m in cells)
        assert str(files) not in json.dumps(lineage), "no path of this machine"
    again = predict([files / "new"], files / "stripes.isocenter", out, workers=1)
    assert again.reused
    assert verify(out).sound
    assert verify(out, recompute=True).sound


def test_an_image_unlike_the_training_is_warned_of(files: Path) -> None:
    door.write(picture(101, bright=0.05), files / "pale.png")
    summary = predict([files / "pale.png"], files / "stripes.isocenter", files / "out")
    assert any("Its values differ" in note and "not trained on such a case" in note for note in summary.cases[0].notes)


def test_a_model_and_a_study_exclude_each_other(files: Path) -> None:
    with pytest.raises(ParameterError, match="expected one of them"):
        predict([files / "new"], files / "stripes.isocenter", files / "out", study="photo")


def test_a_model_of_tables_takes_no_images(files: Path) -> None:
    from isocenter.ops.classify.package import Package as Step

    with pytest.raises(ParameterError, match="takes rows of a table"):
        predict([files / "new"], Step.examples()[0].package, files / "out")


def test_a_segmenter_labels_new_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the network of a package needs the extra 'deep'")
    from isocenter.ops.segment.package import Package as Step

    monkeypatch.setenv(models.FOLDERS, "")
    step = Step.examples()[0]
    (image,) = step.example_inputs()[0]
    door.write(image, tmp_path / "volume.nii.gz")
    out = tmp_path / "out"
    told = CliRunner().invoke(app, ["run", str(tmp_path / "volume.nii.gz"), "--model", step.package, "-o", str(out)])
    assert told.exit_code == 0, told.output
    found = door.read_labels(out / "labels" / "predicted.nii.gz")
    assert np.array_equal(np.asarray(found.array), np.asarray(step(image).array))
    assert verify(out, recompute=True).sound


def test_a_calibrated_probability_says_what_it_means() -> None:
    from isocenter.core.results import Prediction
    from isocenter.core.study import Study
    from isocenter.jobs.predictions import prediction_sections
    from isocenter.ops.classify.package import Package as Step
    from isocenter.pipeline.model import Pipeline
    from isocenter.pipeline.model import Step as Written

    step = Step.examples()[0]
    pipeline = Pipeline("p", (Written("classify.package", {"package": step.package, "sha256": step.sha256}, ("image",), "said"),))
    (section,) = prediction_sections(Study("case", {"said": Prediction(("calm", "wild"), (0.35, 0.65))}), pipeline)
    text = section.blocks[1].text  # type: ignore[union-attr]  # a paragraph, as the section has it
    assert "called 'calm'" in text, "0.65 lies below the operating point of the example, 0.70"
    assert "about 35 are expected to be 'calm'" in text and "auc roc 0.938 (0.811 to 1)" in text
