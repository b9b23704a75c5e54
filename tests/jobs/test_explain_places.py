"""``isocenter model explain`` and ``run --explain`` of models that find boxes and points."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the networks of a package need the extra 'deep'")

import isocenter as iso
from isocenter.cli.main import app
from isocenter.core import models
from isocenter.core.errors import ContentError, ParameterError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io import door
from isocenter.io.dicom.write_series import write_series
from isocenter.jobs.explain import ExplainOptions, explain
from isocenter.jobs.verify import verify
from isocenter.learn.places.baselines import Blobs
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.places.places import Places
from tests.learn.place_nets import detector, landmark_net, packaged
from tests.learn.places_cohort import discs


def rows_of(path: Path) -> dict[str, float]:
    return {r["name"]: float(r["value"]) for r in csv.DictReader(path.read_text(encoding="utf-8").splitlines())}


def table(path: Path, truth: Places) -> Path:
    lines = ["label,row_low,column_low,row_high,column_high"]
    lines += [",".join([n, *(f"{v:.4f}" for v in p)]) for n, p in zip(truth.names, truth.samples, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("reverse", [False, True])
def test_the_map_of_a_candidate_is_judged_by_its_true_box_and_left_is_left(tmp_path: Path, reverse: bool) -> None:
    """One disc in the left half of the patient, stored to the left or to the right: the map lies on it in the world."""
    image, truth = discs(1)
    array = np.asarray(image.array)
    grid = Geometry.regular(array.shape, (1.5, 1.5), (-30.0, -20.0, 5.0))
    boxes = truth.samples
    if reverse:
        last = array.shape[1] - 1.0
        array, grid, boxes = np.flip(array, 1), grid.flip(1), np.array([1.0, -1.0, 1.0, -1.0]) * boxes + [0, last, 0, last]
        boxes = boxes[:, [0, 3, 2, 1]]
    image = Image(np.ascontiguousarray(array), ("y", "x"), grid, modality="US")
    door.write(image, tmp_path / "image.nii.gz")
    packaged(tmp_path / "a.isocenter", detector(), [discs(k)[0].replace(modality="US") for k in (1, 2, 4)])
    truth = Places("boxes", boxes, truth.names, grid)
    options = ExplainOptions("occlusion", mask=table(tmp_path / "true.csv", truth), patch=7.5, stride=7.5, check=not reverse)
    found = explain(tmp_path / "a.isocenter", tmp_path / "image.nii.gz", tmp_path / "out", options)
    back = door.read(tmp_path / "out" / "maps" / "attribution.nii.gz")
    assert back.geometry.matches(image.geometry) and back.array.shape == image.array.shape
    rows = rows_of(tmp_path / "out" / "tables" / "explanation.csv")
    assert rows["share_inside"] > 5.0 * rows["area_share"] and rows["probability"] > 0.3
    weight = np.maximum(np.asarray(back.array, np.float64), 0.0).ravel()
    middle = weight / weight.sum() @ back.geometry.to_world(np.argwhere(np.isfinite(back.array)))
    assert np.linalg.norm(middle - truth.positions[0]) < 9.0, "the picture is 66 mm wide"
    assert any("in the true box" in text for text in found.lines)
    assert reverse or (rows["sanity_passed"] == 1.0 and any("Sanity check passed" in text for text in found.lines))
    assert verify(tmp_path / "out").sound


def test_a_landmark_of_a_series_gets_a_parametric_map(tmp_path: Path) -> None:
    model, image = landmark_net(axes=3, spacing=1.5)
    image = image.replace(modality="MR")
    series = write_series(
        Image(np.rint(image.array).astype(np.int16), image.dims, image.geometry, modality="MR"), tmp_path / "series"
    )
    packaged(tmp_path / "a.isocenter", model, [image])
    (tmp_path / "true.csv").write_text("label,slice,row,column\nmiddle,8,12,12\n", encoding="utf-8")
    options = ExplainOptions(mask=tmp_path / "true.csv", check=False)
    found = explain(tmp_path / "a.isocenter", tmp_path / "series", tmp_path / "out", options)
    assert found.lines[0].startswith("Grad-CAM of 'middle'") and "of its heat map do" in found.lines[0]
    assert any("about the true landmark" in text for text in found.lines)
    back = iso.read(tmp_path / "out" / "dicom" / "attribution.dcm")
    plain = iso.read(tmp_path / "out" / "maps" / "attribution.nii.gz")
    assert back.geometry.matches(plain.geometry.with_frame(back.geometry.frame)) and np.array_equal(back.array, plain.array)
    import pydicom

    header = pydicom.dcmread(tmp_path / "out" / "dicom" / "attribution.dcm", stop_before_pixels=True)
    assert str(header.StudyInstanceUID) == series.identity["StudyInstanceUID"]
    explain(tmp_path / "a.isocenter", tmp_path / "series", tmp_path / "again", options)
    for name in ("lineage.json", "report.html", "dicom/attribution.dcm", "maps/attribution.nii.gz", "explanation.png"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name


def test_a_run_explains_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(models.FOLDERS, "")
    model, image = landmark_net()
    packaged(tmp_path / "a.isocenter", model, [image])
    door.write(image, tmp_path / "image.nii.gz")
    arguments = ["run", str(tmp_path / "image.nii.gz"), "--model", str(tmp_path / "a.isocenter"), "--explain"]
    told = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "out")])
    assert told.exit_code == 0, told.output
    assert door.read(tmp_path / "out" / "maps" / "attribution-found.nii.gz").geometry.matches(image.geometry)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Where the model looked" in page and "What the model found" in page
    assert re.search("rank correlation", page) and verify(tmp_path / "out", recompute=True).sound


def test_what_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    image, truth = discs(1)
    door.write(image, tmp_path / "image.nii.gz")
    boxes, points = tmp_path / "boxes.isocenter", tmp_path / "points.isocenter"
    packaged(boxes, detector(), [image])
    packaged(points, landmark_net()[0], [landmark_net()[1]])
    blobs = tmp_path / "blobs.isocenter"
    packaged(blobs, PlaceModel(Blobs(("disc",), (1.5, 1.5), 1, (10.0,), 1.0)), [image])
    far = Places("boxes", truth.samples * 0.0 + [0.0, 0.0, 2.0, 2.0], truth.names, truth.geometry)
    refused = [
        (blobs, ExplainOptions(), UnsupportedError, "finds places without a network"),
        (
            boxes,
            ExplainOptions("grad-cam"),
            ParameterError,
            "mean gradients over a map miss: expected occlusion or integrated-gradients",
        ),
        (boxes, ExplainOptions(candidate=99, check=False), ParameterError, "Candidate 99 of "),
        (points, ExplainOptions(candidate=1, check=False), ParameterError, "expected a detector"),
        (boxes, ExplainOptions(cohort=tmp_path / "labels.csv", check=False), ContentError, "finds places: nearest cases"),
    ]
    (tmp_path / "labels.csv").write_text("image,label\nimage.nii.gz,disc\n", encoding="utf-8")
    for package, options, kind, words in refused:
        with pytest.raises(kind, match=words) as raised:
            explain(package, tmp_path / "image.nii.gz", tmp_path / "out", options)
        assert "\n" not in str(raised.value)
    options = ExplainOptions(mask=table(tmp_path / "far.csv", far), check=False)
    found = explain(boxes, tmp_path / "image.nii.gz", tmp_path / "alarm", options)
    assert any("it is a false alarm" in text for text in found.lines) and "pointing_game" not in found.facts
