"""Steps before and after a model: written, read, tested and used by a run; a package without its step, and inputs unlike the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the network of a package needs the extra 'deep'")

from isocenter import nets  # noqa: E402  # after the check for the extra
from isocenter.core import models  # noqa: E402  # likewise
from isocenter.core.codes import Code  # noqa: E402  # likewise
from isocenter.core.errors import FormatError  # noqa: E402  # likewise
from isocenter.core.geometry import Geometry  # noqa: E402  # likewise
from isocenter.core.image import Image  # noqa: E402  # likewise
from isocenter.core.labels import LabelMap, Segment  # noqa: E402  # likewise
from isocenter.io import door  # noqa: E402  # likewise
from isocenter.io.dicom.write_series import write_series  # noqa: E402  # likewise
from isocenter.jobs.predict import predict  # noqa: E402  # likewise
from isocenter.jobs.verify import verify  # noqa: E402  # likewise
from isocenter.kernels.labels import keep_largest  # noqa: E402  # likewise
from isocenter.learn.package.archive import pack, unpack  # noqa: E402  # likewise
from isocenter.learn.package.export import export_bundle  # noqa: E402  # likewise
from isocenter.learn.package.fingerprint import fingerprint_of, image_facts  # noqa: E402  # likewise
from isocenter.learn.package.model import Package  # noqa: E402  # likewise
from isocenter.learn.package.networks import NetworkSegmenter  # noqa: E402  # likewise
from isocenter.learn.package.reading import read_package, write_package  # noqa: E402  # likewise
from isocenter.learn.train.plan import Plan  # noqa: E402  # likewise
from isocenter.learn.train.segmentation import TrainedSegmenter  # noqa: E402  # likewise
from isocenter.ops.resample.orient import Orient  # noqa: E402  # likewise
from isocenter.pipeline.model import Pipeline, Step  # noqa: E402  # likewise

UNET: dict[str, Any] = {
    "in_channels": 1, "out_channels": 2, "dimensions": 3, "channels": [4, 6], "strides": [[2, 2, 2]], "kernels": [[3, 3, 3]] * 2,
}  # fmt: skip
LUMP = Segment(7, "lump", Code("4147007", "SCT", "Mass"))
STEPS = (
    Step("correct.bias_field", {}, ("image",), "even"),
    Step("resample.to_spacing", {"spacing": 2.0}, ("even",), "coarse"),
    Step("segment.package", {}, ("coarse",), "found"),
    Step("segment.clean", {"largest": 1, "holes": "keep"}, ("found",), "part"),
    Step("resample.to_grid", {}, ("part", "image"), "predicted"),
)


def volume(seed: int = 0, spacing: float = 1.5) -> Image:
    """Return smooth noise, so that a random network labels parts of some size."""
    noise = np.random.default_rng(seed).normal(size=(14, 22, 24))
    for axis in range(3):
        noise = (noise + np.roll(noise, 1, axis) + np.roll(noise, 2, axis)) / 1.7
    array = np.rint(200.0 + 30.0 * noise).astype(np.int16)
    return Image(array, ("z", "y", "x"), Geometry.regular(array.shape, (spacing,) * 3, (-9.0, 4.0, 2.0)), modality="MR")


def package(path: Path, steps: tuple[Step, ...] = STEPS) -> Package:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = nets.build("unet", **UNET).eval()
    with torch.no_grad():
        net.heads[0].bias[1] -= 0.9  # many small parts instead of one that goes everywhere
    plan = Plan(
        "unet", UNET, None, (8, 16, 16), 2, "zscore", ({"mean": 0.0, "std": 1.0, "low": 0.0, "high": 1.0},), (LUMP.to_dict(),)
    )
    model = NetworkSegmenter(TrainedSegmenter(plan, (net,)))
    facts = [image_facts(volume(k)) for k in range(3)]
    pipeline = Pipeline("lumps", steps, report={"labels": [steps[-1].to], "figures": [steps[-1].to]})
    return write_package(path, model, name="lumps", fingerprint=fingerprint_of(facts), pipeline=pipeline)


def test_steps_are_written_read_tested_and_used_by_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = package(tmp_path / "a.isocenter")
    again = read_package(tmp_path / "a.isocenter")
    assert [s.op for s in again.pipeline.steps] == [s.op for s in STEPS] and again.self_test().passed
    value = volume(9)
    found = again.predict(value)
    assert isinstance(found, LabelMap) and found.geometry.matches(value.geometry)
    raw = made.apply(made.prepared(value))
    assert isinstance(raw, LabelMap) and raw.geometry.spacing == pytest.approx((2.0, 2.0, 2.0))
    assert int(np.asarray(keep_largest(np.asarray(raw.array) > 0, 1, 26)).sum()) < int((np.asarray(raw.array) > 0).sum())
    monkeypatch.setenv(models.FOLDERS, "")
    series = write_series(value, tmp_path / "series")
    summary = predict([tmp_path / "series"], tmp_path / "a.isocenter", tmp_path / "out")
    assert summary.exit_code == 0, summary.set_aside
    back = door.read_labels(tmp_path / "out" / "labels" / "predicted.nii.gz")
    assert isinstance(back, LabelMap) and set(back.present) == {0, 7}
    assert np.array_equal(np.asarray(back.array), np.asarray(found.array))
    import pydicom

    (segment,) = pydicom.dcmread(tmp_path / "out" / "dicom" / "seg-predicted.dcm").SegmentSequence
    code = segment.SegmentedPropertyTypeCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == ("4147007", "SCT", "Mass")
    assert series.identity["SeriesInstanceUID"]
    assert verify(tmp_path / "out", recompute=True).sound


def test_a_step_that_is_not_installed_here_is_named(tmp_path: Path) -> None:
    package(tmp_path / "a.isocenter")
    members, _ = unpack(tmp_path / "a.isocenter")
    changed = members["pipeline.yaml"].replace(b"correct.bias_field", b"correct.bias_feild")
    (tmp_path / "b.isocenter").write_bytes(pack({**members, "pipeline.yaml": changed}))
    with pytest.raises(FormatError, match=r"correct\.bias_feild") as raised:
        read_package(tmp_path / "b.isocenter")
    assert "b.isocenter" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda i: i.with_array(np.asarray(i.array).max() - np.asarray(i.array)), "Its values differ"),
        (lambda i: i.replace(modality="CT"), "Its modality, CT, is none of those of the training (MR)"),
        (lambda i: i.replace(geometry=Geometry.regular(i.array.shape, (6.0, 1.5, 1.5))), "Its spacing of 6 x 1.5 x 1.5 mm"),
        (lambda i: i.with_array(np.asarray(i.array) * 4), "Its values differ"),
    ],
    ids=["inverted", "modality", "spacing", "scaled"],
)
def test_inputs_unlike_the_training_are_warned_of(tmp_path: Path, change: Any, words: str) -> None:
    made = package(tmp_path / "a.isocenter", (Step("segment.package", {}, ("image",), "predicted"),))
    assert made.check(volume(9)) == []
    told = made.check(change(volume(9)))
    assert any(words in text for text in told) and all("\n" not in text for text in told)


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")  # MONAI tells of a decoder that is not installed
@pytest.mark.parametrize("code", ["SPL", "SAR", "LIP"])
def test_the_preprocessing_of_a_bundle_shows_the_network_what_the_package_shows_it(tmp_path: Path, code: str) -> None:
    """MONAI reads the axes of a file x first; the exported steps turn them, and volumes that are stored otherwise than the training."""
    from monai.bundle import ConfigParser

    made = package(tmp_path / "a.isocenter", (Step("segment.package", {}, ("image",), "predicted"),))
    export_bundle(made, tmp_path / "bundle")
    value = Orient(code=code)(volume(9))
    door.write(value, tmp_path / "image.nii.gz")
    parser = ConfigParser()
    parser.read_config(str(tmp_path / "bundle" / "configs" / "inference.json"))
    parser["bundle_root"], parser["device"] = str(tmp_path / "bundle"), "cpu"
    seen = parser.get_parsed_content("preprocessing")({"image": str(tmp_path / "image.nii.gz")})["image"]
    network, inferer = parser.get_parsed_content("network"), parser.get_parsed_content("inferer")
    with torch.no_grad():
        called = inferer(torch.as_tensor(np.asarray(seen))[None].float(), network).argmax(1)[0].numpy()
    there = made.predict(value)
    assert isinstance(there, LabelMap) and there.geometry == value.geometry
    found = Orient()(there)
    assert isinstance(found, LabelMap) and called.shape == found.array.shape
    assert 0.02 < called.mean() < 0.98
    # The windows of both lie otherwise: samples where two windows disagree may be called otherwise.
    assert float(((np.asarray(found.array) == 7) == called).mean()) > 0.9
