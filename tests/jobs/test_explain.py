"""``isocenter model explain``: maps on the image's own grid, shares of features, their checks, and one sentence for what does not fit."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

import isocenter as iso
from isocenter.cli.main import app
from isocenter.core import models
from isocenter.core.errors import ContentError, GridMismatchError, IsocenterError, ParameterError, UnknownNameError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.io import door
from isocenter.io.dicom.write_series import write_series
from isocenter.jobs.explain import ExplainOptions, explain
from isocenter.jobs.options import Options
from isocenter.jobs.predict import with_model
from isocenter.jobs.verify import verify
from isocenter.learn.package.fingerprint import case_digest, fingerprint_of, image_facts
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.reading import Training, write_package
from isocenter.learn.prove import FoldModel
from isocenter.learn.recipe import Recipe, Table
from isocenter.ops.resample.to_spacing import ToSpacing
from isocenter.pipeline.model import Pipeline, Step
from tests.jobs.test_predict import picture, stripes

NAMES = ("width", "height", "contrast", "depth")
VGG = {"depth": 11, "features": (4, 4, 4, 4, 4)}
UNET = {"in_channels": 1, "out_channels": 2, "dimensions": 2, "channels": [4, 8], "strides": [[2, 2]], "kernels": [[3, 3]] * 2}
RESAMPLED = Step("resample.to_spacing", {"spacing": 2.0}, ("image",), "coarse")


def square(seed: int, axes: int = 2, reverse: bool = False) -> tuple[Image, LabelMap]:
    """Return noise with a bright square in the patient's left half, stored to the left or to the right, and its mask."""
    shape = (40, 36) if axes == 2 else (8, 32, 32)
    data = np.random.default_rng(seed).normal(100.0, 2.0, shape)
    mask = np.zeros(shape, np.uint8)
    mask[(slice(4, 7),) * (axes - 2) + (slice(8, 16), slice(24, 32))] = 1
    grid = Geometry.regular(shape, (3.0, 1.0, 1.0)[-axes:], (-7.0, 3.0, 11.0))
    array = np.rint(data + 300.0 * mask).astype(np.int16)
    if reverse:
        array, mask, grid = np.flip(array, -1), np.flip(mask, -1), grid.flip(axes - 1)
    dims = ("z", "y", "x")[-axes:]
    image = Image(np.ascontiguousarray(array), dims, grid, modality="MR")
    return image, LabelMap(np.ascontiguousarray(mask), dims, grid, (Segment(1, "liver"),))


def networks(path: Path, axes: int = 2, segments: bool = False, before: bool = False) -> Path:
    """Write a package of a network with random weights: what is tested is where its maps lie, not what it learnt."""
    torch = pytest.importorskip("torch", reason="the network of a package needs the extra 'deep'")
    from isocenter import nets
    from isocenter.learn.package.networks import NetworkPredictor, NetworkSegmenter
    from isocenter.learn.train.heads import ClassHead
    from isocenter.learn.train.images import TrainedNetwork
    from isocenter.learn.train.plan import Plan
    from isocenter.learn.train.segmentation import TrainedSegmenter

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        if segments:
            net = nets.build("unet", **UNET)
        else:
            net = nets.build("vgg", in_channels=1, out_channels=2, dimensions=axes, **VGG)
    seen = [square(k, axes)[0] for k in range(3)]
    facts = [image_facts(ToSpacing(spacing=2.0)(i) if before else i) for i in seen]  # as the model gets them
    image_step = ("coarse",) if before else ("image",)
    name = "segment.package" if segments else "classify.package"
    model_step = Step(name, {}, image_step, "predicted" if segments else "prediction")
    pipeline = Pipeline("made-up", ((RESAMPLED, model_step) if before else (model_step,)))
    if segments:
        plan = Plan("unet", UNET, None, (32, 32), 2, "zscore", ({"mean": 0.0, "std": 1.0, "low": 0.0, "high": 1.0},), (Segment(1, "liver").to_dict(),))  # fmt: skip
        model: object = NetworkSegmenter(TrainedSegmenter(plan, (net.eval(),)))
    else:
        size = (32,) * axes  # five times halved
        model = NetworkPredictor(TrainedNetwork(ClassHead(("ill", "well")), size, 1, (net.eval(),)), "vgg", VGG)
    write_package(path, model, name="made-up", fingerprint=fingerprint_of(facts), pipeline=pipeline)
    return path


def left_of(found: Image) -> float:
    """Return by how many mm the middle of the attribution lies to the patient's left of the image's middle."""
    weight = np.abs(np.asarray(found.array, np.float64))
    places = found.geometry.to_world(np.argwhere(weight >= 0))
    return float((weight.ravel() / weight.sum() @ places)[0] - places.mean(axis=0)[0])


@pytest.mark.parametrize(("reverse", "before"), [(False, False), (True, True)])
def test_a_map_lies_on_the_grid_of_the_image_and_left_is_left(tmp_path: Path, reverse: bool, before: bool) -> None:
    """A random network attributes to what is bright: the square, on whichever side it is stored, resampled before or not."""
    image, mask = square(7, reverse=reverse)
    door.write(image, tmp_path / "image.nii.gz")
    door.write(mask, tmp_path / "mask.nii.gz")
    package = networks(tmp_path / "a.isocenter", before=before)
    options = ExplainOptions("integrated-gradients", mask=tmp_path / "mask.nii.gz")
    found = explain(package, tmp_path / "image.nii.gz", tmp_path / "out", options)
    back = door.read(tmp_path / "out" / "maps" / "attribution.nii.gz")
    assert back.geometry.matches(image.geometry) and back.array.shape == image.array.shape
    assert left_of(back) > 3.0
    rows = {r["name"]: float(r["value"]) for r in table(tmp_path / "out" / "tables" / "explanation.csv")}
    assert rows["area_share"] == pytest.approx(64 / 1440) and 0.0 <= rows["overlap_at_area"] <= 1.0
    assert 0.0 <= rows["sanity_correlation"] <= 1.0 and found.facts["sanity_correlation"] == rows["sanity_correlation"]
    assert any(text.startswith(("Sanity check", "Warning: with random weights")) for text in found.lines)
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "not that the model is right" in report and "rank correlation" in report
    assert len(re.findall(rb"/Type /Page\b", (tmp_path / "out" / "report.pdf").read_bytes())) == 1, "one page"
    assert verify(tmp_path / "out").sound
    (tmp_path / "out" / "explanation.png").write_bytes(b"other")
    assert not verify(tmp_path / "out").sound


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_a_dicom_series_gets_a_parametric_map_that_refers_to_it(tmp_path: Path) -> None:
    image, _ = square(7, axes=3)
    series = write_series(image, tmp_path / "series")
    package = networks(tmp_path / "a.isocenter", axes=3)
    explain(package, tmp_path / "series", tmp_path / "out", ExplainOptions("grad-cam", check=False))
    back = iso.read(tmp_path / "out" / "dicom" / "attribution.dcm")
    plain = iso.read(tmp_path / "out" / "maps" / "attribution.nii.gz")
    assert back.geometry.matches(plain.geometry.with_frame(back.geometry.frame))
    assert np.array_equal(back.array, plain.array)
    import pydicom

    header = pydicom.dcmread(tmp_path / "out" / "dicom" / "attribution.dcm", stop_before_pixels=True)
    assert str(header.StudyInstanceUID) == series.identity["StudyInstanceUID"]
    referred = {str(i.ReferencedSOPInstanceUID) for s in header.ReferencedSeriesSequence for i in s.ReferencedInstanceSequence}
    assert referred == set(series.identity["SOPInstanceUIDs"])
    again = tmp_path / "again"
    explain(package, tmp_path / "series", again, ExplainOptions("grad-cam", check=False))
    for name in ("lineage.json", "report.html", "report.pdf", "dicom/attribution.dcm", "maps/attribution.nii.gz"):
        assert (again / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name


def test_a_segmenter_says_why_it_labelled_a_region(tmp_path: Path) -> None:
    image, _ = square(7)
    door.write(image, tmp_path / "image.nii.gz")
    package = networks(tmp_path / "a.isocenter", segments=True, before=True)
    found = explain(package, tmp_path / "image.nii.gz", tmp_path / "out", ExplainOptions("grad-cam"))
    back = door.read(tmp_path / "out" / "maps" / "attribution.nii.gz")
    assert back.geometry.matches(image.geometry) and "samples that the network labelled 'liver'" in found.lines[0]
    with pytest.raises(UnknownNameError, match="No segment 'lever'.*Did you mean 'liver'"):
        explain(package, tmp_path / "image.nii.gz", tmp_path / "other", ExplainOptions(target="lever"))


def test_a_window_of_a_large_image_is_told(tmp_path: Path) -> None:
    image, _ = square(7)
    wide = Image(np.tile(np.asarray(image.array), (1, 3)), ("y", "x"), Geometry.regular((40, 108), (1.0, 1.0)), modality="MR")
    door.write(wide, tmp_path / "image.nii.gz")
    package = networks(tmp_path / "a.isocenter", segments=True)
    found = explain(package, tmp_path / "image.nii.gz", tmp_path / "out", ExplainOptions(check=False))
    assert any("one window of 32 x 32 samples" in text for text in found.lines)
    back = np.asarray(door.read(tmp_path / "out" / "maps" / "attribution.nii.gz").array)
    assert 0 < (back != 0).sum() <= 34 * 34


def rows_package(path: Path, learner: str = "logistic", classes: tuple[str, ...] = ("calm", "wild")) -> tuple[Path, Table]:
    """Write a package of rows whose target follows the first feature, and then the second."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=(60, 4))
    line = 2.0 * x[:, 0] + x[:, 1]
    y: npt.NDArray[np.generic] = (line > 0).astype(np.int64) if classes else 40.0 + line
    cases = Table(x, y, np.arange(60).astype(str), np.full(60, ""), NAMES, classes)
    model = TableModel((FoldModel(Recipe(learner, {}).fit(cases), None, 0.5, {}),), NAMES, "table")
    digests = tuple(case_digest(v) for v in x)
    write_package(
        path, model, name="rows", fingerprint=fingerprint_of([], x, NAMES), training=Training("c", 60, 60, digests=digests)
    )
    return path, cases


def written(path: Path, x: npt.NDArray[np.float64], labels: list[str] | None = None) -> Path:
    head = ["identifier", *(["label", "patient"] if labels else []), *NAMES]
    lines = [",".join(head)]
    for k, row in enumerate(x):
        own = [labels[k], f"p{k}"] if labels else []
        lines.append(",".join([f"case{k}", *own, *(repr(float(v)) for v in row)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_rows_are_shared_out_exactly_with_worth_and_neighbours(tmp_path: Path) -> None:
    package, cases = rows_package(tmp_path / "a.isocenter")
    new = np.random.default_rng(9).normal(size=(30, 4))
    both = np.concatenate([cases.values, new])
    labels = ["wild" if 2.0 * v[0] + v[1] > 0 else "calm" for v in both]
    (tmp_path / "cohort").mkdir()
    written(tmp_path / "cohort" / "labels.csv", both, labels)
    case = written(tmp_path / "new.csv", np.array([[1.5, 0.5, 0.0, 0.0], [-1.0, 0.2, 0.4, 9.0]]))
    found = explain(package, case, tmp_path / "out", ExplainOptions(cohort=tmp_path / "cohort"))
    shares = table(tmp_path / "out" / "tables" / "shap.csv")
    for name in ("case0", "case1"):
        own = [r for r in shares if r["case"] == name]
        total = float(own[0]["base"]) + sum(float(r["share"]) for r in own)
        assert total == pytest.approx(float(own[0]["prediction"]), abs=1e-9)
        assert max(own, key=lambda r: abs(float(r["share"])))["feature"] == "width"
    worth = table(tmp_path / "out" / "tables" / "importance.csv")
    assert [r["feature"] for r in worth[:2]] == ["width", "height"] and worth[0]["n"] == "30"
    assert any("60 cases of the cohort are those the model was made from" in text for text in found.lines)
    near = table(tmp_path / "out" / "tables" / "nearest.csv")
    assert {r["of_training"] for r in near} == {"1"} and all(int(r["nearest"].removeprefix("case")) < 60 for r in near)
    assert any("depth = 9" in text and "not trained on such a case" in text for text in found.lines)
    assert any(text.startswith("Sanity check passed") and "the shares change" in text for text in found.lines)
    assert verify(tmp_path / "out").sound


def test_numbers_are_shared_out_too_and_without_a_cohort_the_middle_stands_in(tmp_path: Path) -> None:
    package, _ = rows_package(tmp_path / "a.isocenter", classes=())
    case = written(tmp_path / "new.csv", np.array([[1.5, 0.5, 0.0, 0.0]]))
    told = CliRunner().invoke(app, ["model", "explain", str(package), str(case), "-o", str(tmp_path / "out"), "--json"])
    assert told.exit_code == 0, told.output
    plain = json.loads(told.output)
    assert plain["base"] == pytest.approx(40.0, abs=1.0) and plain["sanity_passed"] == 1.0
    assert any("middle of the training stands for not knowing" in text for text in plain["lines"])
    assert not (tmp_path / "out" / "tables" / "nearest.csv").exists()


def test_features_of_pictures_are_explained_by_map_and_by_family(tmp_path: Path) -> None:
    stripes(tmp_path / "a.isocenter")
    door.write(picture(100), tmp_path / "new.png")
    found = explain(tmp_path / "a.isocenter", tmp_path / "new.png", tmp_path / "map", ExplainOptions(patch=20.0, stride=20.0))
    assert "Occlusion of 'across'" in found.lines[0] and "sanity_correlation" in found.facts
    assert door.read(tmp_path / "map" / "maps" / "attribution.nii.gz").array.shape == (40, 40)
    explain(tmp_path / "a.isocenter", tmp_path / "new.png", tmp_path / "shares", ExplainOptions("shap", check=False))
    names = {r["feature"] for r in table(tmp_path / "shares" / "tables" / "shap.csv")}
    assert (
        names <= {"gradients", "gradients, coarse", "brightness", "spread", "left less right", "patterns", "histogram"} and names
    )


def test_what_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    rows, cases = rows_package(tmp_path / "rows.isocenter")
    images = networks(tmp_path / "images.isocenter")
    image, _ = square(7)
    door.write(image, tmp_path / "image.nii.gz")
    door.write(square(7, axes=3)[0], tmp_path / "volume.nii.gz")
    door.write(square(7, axes=3)[1], tmp_path / "mask.nii.gz")
    case = written(tmp_path / "new.csv", cases.values[:1])
    (tmp_path / "short.csv").write_text("identifier,width\na,1\n", encoding="utf-8")
    refused: list[tuple[Path, Path, ExplainOptions, type[IsocenterError], str]] = [
        (images, case, ExplainOptions(), ParameterError, "takes images"),
        (rows, tmp_path / "image.nii.gz", ExplainOptions(), ParameterError, "takes rows of a table"),
        (images, tmp_path / "image.nii.gz", ExplainOptions("shap"), ParameterError, "'shap' does not fit"),
        (rows, case, ExplainOptions("grad-cam"), ParameterError, "'grad-cam' does not fit"),
        (images, tmp_path / "image.nii.gz", ExplainOptions("gradcam"), UnknownNameError, "Did you mean 'grad-cam'"),
        (images, tmp_path / "image.nii.gz", ExplainOptions(target="il"), UnknownNameError, "Did you mean 'ill'"),
        (images, tmp_path / "volume.nii.gz", ExplainOptions(), ContentError, "was trained on y x"),
        (
            images,
            tmp_path / "image.nii.gz",
            ExplainOptions(mask=tmp_path / "mask.nii.gz", check=False),
            GridMismatchError,
            "mask",
        ),
        (rows, case, ExplainOptions(mask=tmp_path / "mask.nii.gz"), ParameterError, "A mask judges maps"),
        (rows, tmp_path / "short.csv", ExplainOptions(), ContentError, "column 'height' is missing"),
    ]
    for package, given, options, kind, words in refused:
        with pytest.raises(kind, match=words) as raised:
            explain(package, given, tmp_path / "out", options)
        assert "\n" not in str(raised.value)


def test_a_run_writes_a_map_beside_each_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(models.FOLDERS, "")
    image, _ = square(7)
    door.write(image, tmp_path / "image.nii.gz")
    package = networks(tmp_path / "a.isocenter", before=True)
    arguments = ["run", str(tmp_path / "image.nii.gz"), "--model", str(package), "--explain", "-o", str(tmp_path / "out")]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    back = door.read(tmp_path / "out" / "maps" / "attribution-prediction.nii.gz")
    assert back.geometry.matches(image.geometry)
    assert "Where the model looked" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert verify(tmp_path / "out", recompute=True).sound
    with pytest.raises(ParameterError, match="An explanation without a model"):
        predict_options()


def predict_options() -> None:
    with with_model(Options(explain=True)):
        raise AssertionError("an explanation without a model was taken")
