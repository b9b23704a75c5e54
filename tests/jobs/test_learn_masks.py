"""Learning from masks, from the command to the package: what is left behind, and what the package does with new images."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

import isocenter as iso
from isocenter.cli.main import app
from isocenter.core.errors import ContentError, UnsupportedError
from isocenter.core.labels import LabelMap
from isocenter.io import door
from isocenter.io.dicom.write_series import write_series
from isocenter.jobs.learn import Learned, LearnOptions, learn
from isocenter.jobs.model import export, self_test, validate_on
from isocenter.jobs.predict import predict
from isocenter.jobs.predicted_masks import write_predicted
from isocenter.jobs.verify import verify
from isocenter.learn.package.reading import read_package
from tests.learn.make_masks import SIDE, disc, discs

NETWORK = LearnOptions(folds=2, minutes=0.006)
PIXELS = LearnOptions(folds=2, minutes=0.0)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return discs(tmp_path_factory.mktemp("learn-masks") / "in", 12)


@pytest.fixture(scope="module")
def network(cohort: Path) -> Learned:
    return learn(cohort, cohort / "labels.csv", cohort.parent / "network", NETWORK)


@pytest.fixture(scope="module")
def pixels(cohort: Path) -> Learned:
    return learn(cohort, cohort / "labels.csv", cohort.parent / "pixels", PIXELS)


def test_it_leaves_everything_and_verifies(network: Learned) -> None:
    names = {p.relative_to(network.out).as_posix() for p in network.out.rglob("*") if p.is_file()}
    tables = {f"tables/{n}.csv" for n in ("scores", "cases", "comparisons", "splits", "leakage", "set_aside", "worst_cases")}
    rest = {"report.html", "report.pdf", "splits.json", "leakage.json", "methods.txt", "lineage.json", "run.json"}
    assert names >= tables | rest | {"tables/scores.tex", "model.isocenter"}
    assert verify(network.out).sound and network.exit_code == 0
    text = (network.out / "report.html").read_text()
    assert (
        "named beforehand" in text and "TRIPOD+AI" in text and text.count("true and predicted") == 2 * 10
    )  # caption and alternative text
    with (network.out / "tables" / "scores.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {r["model"] for r in rows} == {"atlas", "pixels", "network"}
    assert {"dice", "jaccard", "hausdorff_95", "assd", "surface_dice", "lesion_sensitivity"} <= {r["score"] for r in rows}
    assert all(float(r["low_95"]) <= float(r["value"]) <= float(r["high_95"]) for r in rows if r["low_95"])


def test_the_outlines_that_were_judged_are_files_on_the_grid_of_their_images(cohort: Path, network: Learned) -> None:
    with (network.out / "tables" / "cases.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    named = {r["case"]: r for r in rows if r["predicted"]}
    assert {r["model"] for r in named.values()} == {"network"} and len(named) == 12
    for case, row in named.items():
        outline, image = door.read_labels(network.out / row["predicted"]), iso.read(cohort / case)
        assert isinstance(outline, LabelMap) and outline.geometry.matches(image.geometry)
        with (cohort / "labels.csv").open(newline="") as handle:
            truth = next(r["label"] for r in csv.DictReader(handle) if r["image"] == case)
        p, t = np.asarray(outline.array) > 0, np.asarray(door.read_labels(cohort / truth).array) > 0
        assert 2.0 * float((p & t).sum()) / max(float(p.sum() + t.sum()), 1.0) == pytest.approx(float(row["dice"]), abs=1e-9)


def test_outlines_of_a_former_run_are_taken_away_and_nothing_else(tmp_path: Path) -> None:
    _, truth = disc(3)
    (tmp_path / "tables").mkdir()
    before = write_predicted(tmp_path, [("old.png", truth), ("A_b.png", truth)])
    rows = "".join(
        f"{case},{name}\n"
        for case, name in {**before, "up": "predicted/../own.txt", "folder": "predicted/..", "none": ""}.items()
    )
    (tmp_path / "tables" / "cases.csv").write_text(f"case,predicted\n{rows}")
    own = [tmp_path / "own.txt", tmp_path / "predicted" / "own.txt"]
    for path in own:
        path.write_text("mine")
    files = write_predicted(tmp_path, [("a/b.nii.gz", truth), ("a b.nii", truth), ("A_b.png", truth)])
    assert list(files.values()) == ["predicted/a_b.nii.gz", "predicted/a_b-2.nii.gz", "predicted/A_b-3.nii.gz"]
    assert {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "predicted").iterdir()} == {
        *files.values(),
        "predicted/own.txt",
    }
    assert all(path.read_text() == "mine" for path in own)


def test_two_runs_are_bit_equal(cohort: Path, network: Learned, tmp_path: Path) -> None:
    again = learn(cohort, cohort / "labels.csv", tmp_path / "again", NETWORK)
    for path in (
        network.package,
        *sorted((network.out / "tables").iterdir()),
        *sorted((network.out / "predicted").iterdir()),
        network.out / "report.html",
    ):
        assert (again.out / path.relative_to(network.out)).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("kind", ["network", "pixels"])
def test_the_package_outlines_new_images_on_their_own_grid(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    learned: Learned = request.getfixturevalue(kind)
    package, result = self_test(learned.package)
    assert result.passed and package.manifest["task"] == "segmentation" and package.classes == ("disc",)
    image, truth = disc(77)
    folder = tmp_path / "new"
    folder.mkdir()
    fine = iso.Image(
        np.kron(np.asarray(image.array), np.ones((2, 2), np.uint8)), ("y", "x"), iso.Geometry.regular((2 * SIDE, 2 * SIDE), 0.5)
    )
    iso.write(fine, folder / "new.nii.gz")
    done = predict([folder], learned.package, tmp_path / "out")
    assert done.exit_code == 0
    labels = door.read_labels(next((tmp_path / "out").rglob("labels/*.nii.gz")))
    assert isinstance(labels, LabelMap) and labels.geometry.matches(fine.geometry) and labels.shape == (2 * SIDE, 2 * SIDE)
    wanted = np.kron(np.asarray(truth.array), np.ones((2, 2))) > 0
    got = np.asarray(labels.array) > 0
    if kind == "pixels":  # so short a training teaches a network nothing that lasts
        assert 2 * (got & wanted).sum() / (got.sum() + wanted.sum()) > 0.7
    text = (tmp_path / "out" / "report.html").read_text()
    assert "a Dice of" in text and "medical device" in text


def test_dicom_in_dicom_seg_out(pixels: Learned, tmp_path: Path) -> None:
    image, _ = disc(78)
    picture = iso.Image(np.asarray(image.array).astype(np.int16), image.dims, image.geometry, modality="CR")
    write_series(picture, tmp_path / "dicom")
    predict([tmp_path / "dicom"], pixels.package, tmp_path / "out")
    seg = pydicom.dcmread(next((tmp_path / "out").rglob("seg-*.dcm")))
    assert seg.Modality == "SEG" and seg.pixel_array.any() and (seg.Rows, seg.Columns) == (SIDE, SIDE)
    assert [s.SegmentLabel for s in seg.SegmentSequence] == ["disc"]
    labels = door.read_labels(next((tmp_path / "out").rglob("labels/*.nii.gz")))
    assert isinstance(labels, LabelMap) and np.array_equal(np.asarray(labels.array) > 0, np.squeeze(seg.pixel_array) > 0)


@pytest.mark.parametrize("kind", ["network", "pixels"])
def test_validation_scores_masks(kind: str, request: pytest.FixtureRequest, cohort: Path, tmp_path: Path) -> None:
    learned: Learned = request.getfixturevalue(kind)
    other = discs(tmp_path / "other", 6, seed=5, sites="ns")
    (other / "p001.nii.gz").write_bytes(b"broken")
    found = validate_on(learned.package, other, tmp_path / "out")
    assert found.exit_code == 1 and [name for name, _ in found.found.aside] == ["p001.nii.gz"]
    assert found.found.scores["dice"].n == 5 and (kind == "network" or found.found.scores["dice"].value > 0.7)
    assert {"dice", "hausdorff_95"} <= set(found.to_dict()["scores"])
    text = found.report.read_text()
    assert "External validation" in text and text.count("true and predicted") == 2 * 5
    assert (tmp_path / "out" / "tables" / "cases.csv").is_file()
    assert len(list((tmp_path / "out" / "predicted").glob("*.nii.gz"))) == 5
    assert [(g.attribute, g.value, g.n) for g in found.found.subgroups] == [("site", "n", 3), ("site", "s", 2)]
    assert (tmp_path / "out" / "tables" / "subgroups.csv").is_file() and "Subgroups" in text
    with pytest.raises(ContentError, match="among those that the model was made from"):
        validate_on(learned.package, cohort, tmp_path / "own")


def test_a_classifier_of_samples_says_that_no_network_was_trained(pixels: Learned, tmp_path: Path) -> None:
    text = (pixels.out / "report.html").read_text()
    assert "No network was trained" in text and "no minutes were given" in text
    package = read_package(pixels.package)
    assert "no network" in package.manifest["model"]
    with pytest.raises(UnsupportedError, match="no form in ONNX"):
        export(pixels.package, onnx=tmp_path / "model.onnx")
    with pytest.raises(UnsupportedError, match="no form in ONNX"):
        export(pixels.package, bundle=tmp_path / "bundle")


def test_the_command_line_sets_aside_and_goes_on(tmp_path: Path) -> None:
    folder = discs(tmp_path / "in", 9)
    (folder / "p004.nii.gz").write_bytes(b"broken")
    out = tmp_path / "out"
    command = ["run", str(folder), "--labels", str(folder / "labels.csv"), "-o", str(out), "--folds", "2", "--minutes", "0"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1, done.output
    with (out / "tables" / "set_aside.csv").open(newline="") as handle:
        rows = list(csv.reader(handle))
    assert [r[0] for r in rows[1:]] == ["p004.nii.gz"]
    assert json.loads((out / "run.json").read_text())["set_aside"] == 1
    iso.write(disc(1)[0], folder / "p002.nii.gz")
    refused = CliRunner().invoke(app, [*command[:5], str(tmp_path / "refused"), *command[6:]])
    assert refused.exit_code != 0 and not (tmp_path / "refused" / "report.html").exists()
