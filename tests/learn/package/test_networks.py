"""Networks in a package: equal after reading, as ONNX, and as a bundle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter import nets
from isocenter.core.errors import ContentError, FormatError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.results import Prediction
from isocenter.learn.evaluate.calibration import Calibrator
from isocenter.learn.package import selftest
from isocenter.learn.package.archive import pack, unpack
from isocenter.learn.package.export import export_bundle, export_onnx
from isocenter.learn.package.fingerprint import fingerprint_of, image_facts
from isocenter.learn.package.model import Package
from isocenter.learn.package.networks import NetworkPredictor, NetworkSegmenter, restore, take_apart
from isocenter.learn.package.reading import read_package, write_package
from isocenter.learn.standard import Standard
from isocenter.learn.train.heads import ClassHead, NumberHead
from isocenter.learn.train.images import TrainedNetwork
from isocenter.learn.train.plan import Plan
from isocenter.learn.train.preparation import prepared
from isocenter.learn.train.segmentation import TrainedSegmenter
from isocenter.nets.onnx_export import load_onnx
from isocenter.nets.sliding_window import predict_labels

PARAMETERS = {
    "in_channels": 1,
    "out_channels": 2,
    "dimensions": 2,
    "channels": [4, 8],
    "strides": [[2, 2]],
    "kernels": [[3, 3]] * 2,
}
VGG = {"depth": 11, "features": (4, 4, 4, 4, 4)}


def image(seed: int = 0) -> Image:
    array = np.random.default_rng(seed).normal(100.0, 20.0, (32, 36)).astype(np.float32)
    return Image(array, ("y", "x"), Geometry.regular((32, 36), (1.0, 1.0)), modality="MR")


def fingerprint() -> dict[str, object]:
    return fingerprint_of([image_facts(image(k)) for k in range(4)])


def built(name: str, seed: int, **parameters: object) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net: torch.nn.Module = nets.build(name, **parameters)
    return net.eval()


def segmenter(path: Path, members: int = 2) -> Package:
    plan = Plan("unet", PARAMETERS, None, (32, 32), 2, "zscore", ({"mean": 0.0, "std": 1.0, "low": 0.0, "high": 1.0},),
                (Segment(7, "liver").to_dict(),))  # fmt: skip
    networks = tuple(built("unet", k, **PARAMETERS) for k in range(members))
    model = NetworkSegmenter(TrainedSegmenter(plan, networks))
    return write_package(path, model, name="made-up-liver", fingerprint=fingerprint())


def classifier(path: Path, members: int = 2) -> Package:
    networks = tuple(built("vgg", k, in_channels=1, out_channels=2, dimensions=2, **VGG) for k in range(members))
    trained = TrainedNetwork(ClassHead(("ill", "well")), (32, 32), 1, networks)
    model = NetworkPredictor(trained, "vgg", VGG, Calibrator("temperature", 1.7), 0.4)
    return write_package(path, model, name="made-up-health", fingerprint=fingerprint())


def test_a_segmenter_labels_the_same_after_reading(tmp_path: Path) -> None:
    package = segmenter(tmp_path / "a.isocenter")
    found = package.predict(image())
    assert isinstance(found, LabelMap) and found.segments[0].value == 7 and found.segments[0].code is not None
    again = read_package(tmp_path / "a.isocenter").predict(image())
    assert isinstance(again, LabelMap)
    assert np.array_equal(found.array, again.array) and 0 < np.mean(found.array == 7) < 1
    assert package.self_test().passed
    with pytest.raises(ContentError, match="trained on y x"):
        package.predict(Image(np.zeros((4, 8, 8), np.float32), ("z", "y", "x"), Geometry.regular((4, 8, 8), (1.0,) * 3)))


def test_a_classifier_predicts_the_same_after_reading(tmp_path: Path) -> None:
    package = classifier(tmp_path / "a.isocenter")
    trained = package.model.trained
    expected = Calibrator("temperature", 1.7)(trained.answers([image()]))[0]
    found = package.predict(image())
    assert isinstance(found, Prediction)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-7)
    assert package.threshold == 0.4 and package.self_test().passed
    assert package.check(image()) == []
    assert any("CT" in text for text in package.check(image().replace(modality="CT")))


def test_a_classifier_keeps_the_scale_of_its_values(tmp_path: Path) -> None:
    networks = (built("vgg", 0, in_channels=1, out_channels=2, dimensions=2, **VGG),)
    trained = TrainedNetwork(ClassHead(("ill", "well")), (32, 32), 1, networks, quantity="HU")
    dense = Image(np.full((32, 32), 400.0, np.float32), ("y", "x"), Geometry.regular((32, 32)), modality="CT", quantity="HU")
    write_package(tmp_path / "a.isocenter", NetworkPredictor(trained, "vgg", VGG), name="made-up-bone", fingerprint=fingerprint())
    again = read_package(tmp_path / "a.isocenter").model.trained
    assert again.quantity == "HU" and np.allclose(again.seen(dense), (400 + 350) / 500)
    np.testing.assert_array_equal(again.answers([dense]), trained.answers([dense]))
    described, arrays = take_apart(NetworkPredictor(trained, "vgg", VGG))
    with pytest.raises(FormatError, match="a scale of 'furlongs'; expected one of HU, SUVbw"):
        restore({**described, "quantity": "furlongs"}, arrays)
    before = restore({k: v for k, v in described.items() if k != "quantity"}, arrays)
    assert before.trained.quantity is None  # type: ignore[union-attr]  # a predictor, not a segmenter


def regressor(path: Path, members: int = 2, logarithm: bool = False) -> Package:
    networks = tuple(built("vgg", k, in_channels=1, out_channels=1, dimensions=2, **VGG) for k in range(members))
    head = NumberHead(Standard(3.0, 0.5, True) if logarithm else Standard(70.0, 12.0, False))
    model = NetworkPredictor(TrainedNetwork(head, (32, 32), 1, networks), "vgg", VGG)
    return write_package(path, model, name="made-up-size", fingerprint=fingerprint(), unit="ml")


@pytest.mark.parametrize("logarithm", [False, True])
def test_a_network_of_numbers_predicts_the_same_after_reading(tmp_path: Path, logarithm: bool) -> None:
    package = regressor(tmp_path / "a.isocenter", logarithm=logarithm)
    trained = package.model.trained
    found = package.predict(image())
    assert isinstance(found, Prediction) and found.classes == () and found.unit == "ml"
    single = [replace(trained, networks=(net,)).answers([image()])[0] for net in trained.networks]
    assert found.value == pytest.approx(np.mean(single)) and package.manifest["task"] == "regression"
    assert package.threshold is None and not package.calibrated and package.self_test().passed
    regressor(tmp_path / "b.isocenter", logarithm=logarithm)
    assert (tmp_path / "a.isocenter").read_bytes() == (tmp_path / "b.isocenter").read_bytes()


def test_small_numbers_are_compared_by_their_spread() -> None:
    plain, _, expected = selftest.described(image(), Prediction(value=2e-4), 1e-4, spread=1e-3)
    assert selftest.compared(plain, expected, Prediction(value=2e-4 + 1e-8)).passed
    assert not selftest.compared(plain, expected, Prediction(value=2e-4 + 1e-6)).passed


def test_units_of_a_number_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    regressor(tmp_path / "a.isocenter", 1)
    members, _ = unpack(tmp_path / "a.isocenter")
    manifest = json.loads(members["manifest.json"])
    manifest["description"]["scale"] = 0.0
    changed = pack({**members, "manifest.json": json.dumps(manifest).encode()})
    (tmp_path / "b.isocenter").write_bytes(changed)
    with pytest.raises(FormatError, match="spread 0"):
        read_package(tmp_path / "b.isocenter")


def test_a_network_of_numbers_goes_out_in_its_unit(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="ONNX export needs the extra 'deep'")
    package = regressor(tmp_path / "a.isocenter", 1, logarithm=True)
    (line,) = export_onnx(package, tmp_path / "a.onnx")
    assert "number out; differs by at most" in line
    found = load_onnx(tmp_path / "a.onnx")(package.model.trained.seen(image())[None])
    said = package.predict(image())
    assert isinstance(said, Prediction) and float(found[0, 0]) == pytest.approx(said.value, rel=1e-4)
    export_bundle(package, tmp_path / "bundle")
    metadata = json.loads((tmp_path / "bundle" / "configs" / "metadata.json").read_text(encoding="utf-8"))
    outputs = metadata["network_data_format"]["outputs"]["pred"]
    assert outputs["format"] == "regression" and outputs["channel_def"] == {"0": "number, unit ml"}


def test_networks_go_out_as_onnx_and_as_a_bundle(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="ONNX export needs the extra 'deep'")
    package = segmenter(tmp_path / "a.isocenter", 1)
    (line,) = export_onnx(package, tmp_path / "a.onnx")
    assert "differs by at most" in line and (tmp_path / "a.onnx").is_file()
    _labels_outside(package, tmp_path / "a.onnx")
    export_bundle(package, tmp_path / "bundle")
    metadata = json.loads((tmp_path / "bundle" / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"] == {"0": "background", "1": "liver"}
    ConfigParser = pytest.importorskip("monai.bundle", reason="bundles are read by MONAI").ConfigParser
    parser = ConfigParser()
    parser.read_config(str(tmp_path / "bundle" / "configs" / "inference.json"))
    parser["bundle_root"], parser["device"] = str(tmp_path / "bundle"), "cpu"
    data = torch.randn((1, 1, 32, 32), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = parser.get_parsed_content("network")(data)
        ours = package.model.trained.networks[0](data)
    assert float((theirs - ours).abs().max()) <= 1e-4


def test_a_bundle_says_how_measured_values_are_scaled(tmp_path: Path) -> None:
    networks = (built("vgg", 0, in_channels=1, out_channels=2, dimensions=2, **VGG),)
    steps = {}
    for quantity in ("HU", None):
        trained = TrainedNetwork(ClassHead(("ill", "well")), (32, 32), 1, networks, quantity=quantity)
        path = tmp_path / f"{quantity}.isocenter"
        package = write_package(path, NetworkPredictor(trained, "vgg", VGG), name="made-up-bone", fingerprint=fingerprint())
        export_bundle(package, tmp_path / f"bundle-{quantity}")
        config = json.loads((tmp_path / f"bundle-{quantity}" / "configs" / "inference.json").read_text(encoding="utf-8"))
        steps[quantity] = {s["_target_"]: s for s in config["preprocessing"]["transforms"]}
    cut, shift = steps["HU"]["ScaleIntensityRanged"], steps["HU"]["NormalizeIntensityd"]
    assert (cut["a_min"], cut["a_max"], cut["b_min"], cut["b_max"], cut["clip"]) == (-1024.0, 2000.0, -1024.0, 2000.0, True)
    assert (shift["subtrahend"], shift["divisor"]) == (-350.0, 500.0) and "channel_wise" not in shift
    assert "ScaleIntensityRanged" not in steps[None] and steps[None]["NormalizeIntensityd"]["channel_wise"] is True


def _labels_outside(package: Package, path: Path) -> None:
    """The windows stay outside the file: with them it labels an image as the network of the package does."""
    run, net = load_onnx(path), package.model.trained.networks[0]
    plan = package.model.trained.plan
    data, _ = prepared(image(), plan.spacing, plan.normalisation, plan.intensity)

    def through_file(batch: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([run(one[None].numpy()) for one in batch]))

    found = predict_labels(data, through_file, plan.patch, overlap=plan.overlap)
    expected = predict_labels(data, net, plan.patch, overlap=plan.overlap)
    assert found.shape == (32, 36) and float((found != expected).mean()) <= 1e-3


def test_an_ensemble_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="averages 2 networks"):
        export_bundle(classifier(tmp_path / "a.isocenter"), tmp_path / "bundle")


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.isocenter"
    classifier(path, 1)
    members, _ = unpack(path)
    manifest = json.loads(members["manifest.json"])
    for key, value in (
        ("network", "no_such_net"),
        ("count", 2),
        ("size", None),
        ("classes", ["ill"]),
        ("parameters", {**VGG, "features": [10**6] * 5}),
    ):
        changed = {**manifest, "description": {**manifest["description"], key: value}}
        path.write_bytes(pack({**members, "manifest.json": json.dumps(changed).encode()}))
        with pytest.raises(FormatError, match="do not fit|not those of its model"):
            read_package(path)
