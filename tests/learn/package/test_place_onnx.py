"""Networks that find places as ONNX: equal to the package, and read from the file by what its own metadata say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.points import Boxes
from isocenter.learn.package import selftest
from isocenter.learn.package.export import TOLERANCE, export_bundle, export_onnx
from isocenter.learn.package.place_onnx import KEY, decoding
from isocenter.learn.package.reading import read_package
from isocenter.learn.places.baselines import Blobs
from isocenter.learn.places.model import PlaceModel
from isocenter.nets.onnx_export import load_onnx
from isocenter.nets.onnx_runtime import read_onnx
from tests.learn.place_nets import detector, landmark_net, packaged
from tests.learn.places_cohort import discs

pytest.importorskip("onnxscript", reason="ONNX export needs the extra 'deep'")

FloatArray = npt.NDArray[np.float64]


def facts_of(path: Path) -> dict[str, Any]:
    import onnx

    found = {p.key: p.value for p in onnx.load(path).metadata_props}
    plain: dict[str, Any] = json.loads(found[KEY])
    return plain


def prepared(image: Image, facts: dict[str, Any]) -> tuple[npt.NDArray[np.float32], FloatArray]:
    """Return an image of the network's own spacing as the file wants it, and samples of it per sample of the network's."""
    assert np.allclose(image.geometry.spacing, facts["spacing"])
    data = np.asarray(image.array, np.float32)
    data = (data - data.mean()) / data.std()
    full = np.zeros(facts["input"]["shape"], np.float32)
    full[0, 0, : data.shape[0], : data.shape[1]] = data
    return full, np.ones(data.ndim)


def logistic(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def boxes_by_hand(scores: FloatArray, boxes: FloatArray, facts: dict[str, Any]) -> tuple[FloatArray, FloatArray]:
    """Return boxes and probabilities by the sentences of the metadata, one class."""
    numbers, size = facts["numbers"], np.array(facts["size"])
    p = logistic(scores[:, 0].astype(np.float64))
    order = np.argsort(-p, kind="stable")
    order = order[p[order] >= numbers["least"]]
    clipped = np.clip(boxes.astype(np.float64), -0.5, np.concatenate([size, size]) - 0.5)
    kept: list[int] = []

    def overlap(a: FloatArray, b: FloatArray) -> float:
        low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
        both = float(np.maximum(high - low, 0.0).prod())
        return both / float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both)

    for k in order:
        if all(overlap(clipped[k], clipped[j]) <= numbers["overlap"] for j in kept) and len(kept) < numbers["most"]:
            kept.append(int(k))
    score = np.clip(p[kept], 1e-6, 1.0 - 1e-6)
    return clipped[kept], logistic(numbers["slope"] * np.log(score / (1.0 - score)) + numbers["offset"])


def test_a_detector_goes_out_with_its_decoding(tmp_path: Path) -> None:
    image, _ = discs(2)
    package = packaged(tmp_path / "a.isocenter", detector(), [discs(k)[0] for k in (1, 2, 4)])
    first, second = export_onnx(package, tmp_path / "a.onnx")
    assert "scores and boxes out; differs by at most" in first and KEY in second
    facts = facts_of(tmp_path / "a.onnx")
    assert facts["package"] == package.digest and facts["names"] == ["disc"] and len(facts["decoding"]) == 5
    data, _ = prepared(image, facts)
    scores, boxes = load_onnx(tmp_path / "a.onnx")(data)
    trained = package.model.finder
    with torch.no_grad():
        raw = trained.network(trained.seen(image)[1])
    assert np.abs(scores - raw[0].numpy()).max() <= TOLERANCE
    assert np.abs(boxes - raw[1].numpy()).max() <= TOLERANCE * max(facts["size"])
    expected = package.model.predict(image)
    found, probability = boxes_by_hand(scores[0], boxes[0], facts)
    inside = np.array(image.geometry.shape * 2) - 0.5
    np.testing.assert_allclose(probability, expected.scores, atol=1e-4)
    np.testing.assert_allclose(np.clip(found, -0.5, inside), expected.samples, atol=1e-3)
    with pytest.raises(UnsupportedError, match="finds places: a MONAI bundle"):
        export_bundle(package, tmp_path / "bundle")
    with pytest.raises((UnsupportedError, FormatError), match="gives 2: expected one of each"):
        read_onnx(tmp_path / "a.onnx")


def test_a_landmark_net_goes_out_with_its_decoding(tmp_path: Path) -> None:
    model, image = landmark_net()
    image = Image(np.asarray(image.array)[:26, :30], image.dims, Geometry.regular((26, 30), (3.2, 3.2)))
    package = packaged(tmp_path / "a.isocenter", model, [image])
    export_onnx(package, tmp_path / "a.onnx")
    facts = facts_of(tmp_path / "a.onnx")
    data, _ = prepared(image, facts)
    heat = load_onnx(tmp_path / "a.onnx")(data)[0].astype(np.float64)
    step = facts["numbers"]["step"]
    lines = np.indices(heat.shape[1:])
    for line, n in zip(lines, image.geometry.shape, strict=True):
        heat[:, line > (n - 1 - (step - 1) / 2) / step + 0.5] = -1e4
    weight = np.exp(heat - heat.max(axis=(1, 2), keepdims=True))
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    means = np.stack([(weight * line).sum(axis=(1, 2)) for line in lines], 1)
    spread = np.stack([(weight * line**2).sum(axis=(1, 2)) for line in lines], 1) - means**2
    expected = package.model.predict(image)
    np.testing.assert_allclose(means * step + (step - 1) / 2, expected.samples, atol=1e-3)
    np.testing.assert_allclose(np.sqrt((spread * (step * 3.2) ** 2).mean(axis=1)), expected.scores, atol=1e-3)


def test_the_file_says_how_measured_values_are_prepared(tmp_path: Path) -> None:
    model, image = landmark_net()
    net = model.finder
    measured = PlaceModel(replace(net, plan=replace(net.plan, quantity="HU")))
    said = decoding(packaged(tmp_path / "a.isocenter", measured, [image]))["input"]["prepared"]
    assert "cut the values (HU) at -1024 and 2000, take -350 from them and divide by 500" in said and "deviation" not in said
    seen = read_package(tmp_path / "a.isocenter").model.finder.seen(image.with_array(np.full_like(image.array, 150)))[0]
    assert np.allclose(seen.data, 1.0)
    assert "its mean and divide" in decoding(packaged(tmp_path / "b.isocenter", model, [image]))["input"]["prepared"]


def test_networks_of_places_pass_their_self_test_and_baselines_have_no_graph(tmp_path: Path) -> None:
    model, image = landmark_net()
    packaged(tmp_path / "a.isocenter", model, [image])
    assert read_package(tmp_path / "a.isocenter").self_test().passed
    packaged(tmp_path / "b.isocenter", detector(), [discs(2)[0]])
    assert read_package(tmp_path / "b.isocenter").self_test().passed
    blobs = PlaceModel(Blobs(("disc",), (1.5, 1.5), 1, (10.0,), 1.0))
    package = packaged(tmp_path / "c.isocenter", blobs, [discs(2)[0]])
    with pytest.raises(UnsupportedError, match="no form in ONNX"):
        export_onnx(package, tmp_path / "c.onnx")
    assert not (tmp_path / "c.onnx").exists()


def test_a_self_test_tells_of_a_box_that_came_and_of_one_that_went() -> None:
    image = Image(np.zeros((8, 8), np.float32), ("y", "x"), Geometry.regular((8, 8), (1.0, 1.0)))
    bounds = np.array([[[0.0, 0.0, 0.0], [4.0, 4.0, 0.0]], [[5.0, 5.0, 0.0], [7.0, 7.0, 0.0]]])
    both = Boxes(bounds, ("a", "a"), np.array([0.9, 0.6]))
    one, none = Boxes(bounds[:1], ("a",), np.array([0.9])), Boxes(bounds[:0], (), np.zeros(0))
    for then, now, same in ((both, both, True), (both, one, False), (one, both, False), (none, one, False), (none, none, True)):
        plain, _, expected = selftest.described(image, then, 1e-2)
        assert selftest.compared(plain, expected, now).passed is same
