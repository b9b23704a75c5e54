"""Models from elsewhere become packages by file and hash; what would run code, or does not fit, is one sentence."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="networks need the extra 'deep'")
pytest.importorskip("onnxruntime", reason="networks as ONNX need the extra 'deep'")

from isocenter import nets  # noqa: E402  # after the check for the extra
from isocenter.cli.main import app  # noqa: E402  # likewise
from isocenter.core import models  # noqa: E402  # likewise
from isocenter.core.errors import (  # noqa: E402  # likewise
    ContentError,
    FormatError,
    MissingInputError,
    ParameterError,
    SpecError,
    UnsupportedError,
    VerificationError,
)
from isocenter.core.geometry import Geometry  # noqa: E402  # likewise
from isocenter.core.image import Image  # noqa: E402  # likewise
from isocenter.core.labels import LabelMap  # noqa: E402  # likewise
from isocenter.io import door  # noqa: E402  # likewise
from isocenter.jobs.model_import import ImportOptions, import_model  # noqa: E402  # likewise
from isocenter.jobs.predict import predict  # noqa: E402  # likewise
from isocenter.learn.package.reading import read_package  # noqa: E402  # likewise
from isocenter.nets import weights  # noqa: E402  # likewise
from tests.learn.train.test_nnunet import written as nnunet_folder  # noqa: E402  # likewise
from tests.nets.test_weights import Evil  # noqa: E402  # likewise

UNET = {"channels": [4, 8], "strides": [[2, 2]], "kernels": [[3, 3], [3, 3]]}
SEGMENTER = """
task: segmentation
network: unet
parameters: {channels: [4, 8], strides: [[2, 2]], kernels: [[3, 3], [3, 3]]}
classes: [{name: finding, value: 5, code: ["4147007", "SCT", "Mass"]}]
size: [16, 16]
modality: [MR]
"""


def unet() -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nets.build("unet", in_channels=1, out_channels=2, dimensions=2, **UNET).eval()


def image(axes: int = 2) -> Image:
    shape = (20, 24)[:axes] if axes == 2 else (12, 20, 24)
    array = np.random.default_rng(1).normal(100.0, 20.0, shape).astype(np.float32)
    return Image(array, ("z", "y", "x")[-axes:], Geometry.regular(shape, (2.0, 1.0, 1.0)[-axes:]), modality="MR")


def described(folder: Path, text: str = SEGMENTER) -> Path:
    path = folder / "describe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_weights_of_torch_and_of_safetensors_give_the_same_package(tmp_path: Path) -> None:
    net = unet()
    torch.save({"epoch": 1, "state_dict": net.state_dict()}, tmp_path / "net.pt")
    lines = import_model(tmp_path / "net.pt", tmp_path / "net.safetensors")
    assert weights.digest(tmp_path / "net.pt") in lines[0] and lines[1].endswith(weights.digest(tmp_path / "net.safetensors"))
    options = ImportOptions(
        describe=described(tmp_path), sha256=weights.digest(tmp_path / "net.safetensors"), name="finding-finder"
    )
    lines = import_model(tmp_path / "net.safetensors", tmp_path / "a.isocenter", options)
    assert any("self-test passed" in line for line in lines) and any("is not known" in line for line in lines)
    package = read_package(tmp_path / "a.isocenter")
    found = package.predict(image())
    assert isinstance(found, LabelMap) and found.segments[0].value == 5
    assert found.segments[0].code is not None and found.segments[0].code.value == "4147007"
    import_model(tmp_path / "net.pt", tmp_path / "b.isocenter", ImportOptions(describe=options.describe, name="finding-finder"))
    again = read_package(tmp_path / "b.isocenter").predict(image())
    assert isinstance(again, LabelMap) and np.array_equal(found.array, again.array)
    assert any("CT" in text for text in package.check(image().replace(modality="CT"))), "its modality is known"
    assert package.check(image()) == []


def test_images_of_the_training_make_the_range_check(tmp_path: Path) -> None:
    weights.save(unet().state_dict(), tmp_path / "net.safetensors")
    (tmp_path / "like").mkdir()
    for k in range(2):
        door.write(image(), tmp_path / "like" / f"{k}.nii.gz")
    options = ImportOptions(describe=described(tmp_path), images=tmp_path / "like")
    import_model(tmp_path / "net.safetensors", tmp_path / "a.isocenter", options)
    bright = image().with_array(np.asarray(image().array) + 500.0)
    assert any("Its values differ" in text for text in read_package(tmp_path / "a.isocenter").check(bright))


def graph(path: Path) -> Any:
    """Write one convolution as ONNX and return its weights."""
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).normal(size=(2, 1, 3, 3)).astype(np.float32)
    node = helper.make_node("Conv", ["image", "head.weight"], ["scores"], pads=[1, 1, 1, 1])
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 16, 16])
    gives = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2, 16, 16])
    whole = helper.make_graph([node], "net", [given], [gives], [numpy_helper.from_array(weight, "head.weight")])
    made = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 9
    path.write_bytes(made.SerializeToString())
    return weight


def test_an_onnx_graph_predicts_as_it_computes(tmp_path: Path) -> None:
    weight = graph(tmp_path / "net.onnx")
    text = "\n".join(line for line in SEGMENTER.splitlines() if not line.startswith("parameters"))
    kept = described(tmp_path, text.replace("network: unet", "network: onnx"))
    import_model(tmp_path / "net.onnx", tmp_path / "a.isocenter", ImportOptions(describe=kept))
    value = Image(np.asarray(image().array)[:16, :16], ("y", "x"), Geometry.regular((16, 16), (1.0, 1.0)), modality="MR")
    found = read_package(tmp_path / "a.isocenter").predict(value)
    assert isinstance(found, LabelMap)
    data = np.asarray(value.array, np.float64)
    seen = torch.from_numpy(((data - data.mean()) / data.std()).astype(np.float32))[None, None]
    scores = torch.nn.functional.conv2d(seen, torch.from_numpy(weight), padding=1)[0]
    assert np.array_equal(np.asarray(found.array) > 0, (scores[1] > scores[0]).numpy())
    # The numbers of a graph come out by name, to be put into a network of these names.
    import_model(tmp_path / "net.onnx", tmp_path / "back.safetensors")
    assert np.array_equal(weights.load(tmp_path / "back.safetensors")["head.weight"].numpy(), weight)


def test_an_nnunet_folder_becomes_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nnunet_folder(tmp_path / "nnunet")
    lines = import_model(tmp_path / "nnunet", tmp_path / "a.isocenter")
    package = read_package(tmp_path / "a.isocenter")
    assert package.classes == ("liver", "lesion") and package.manifest["inputs"]["modality"] == ["CT"]
    assert any("splines" in line for line in lines) and "splines" in package.card and "imported" in package.card
    monkeypatch.setenv(models.FOLDERS, "")
    door.write(image(3), tmp_path / "ct.nii.gz")
    summary = predict([tmp_path / "ct.nii.gz"], tmp_path / "a.isocenter", tmp_path / "out")
    assert summary.exit_code == 0 and (tmp_path / "out" / "labels" / "predicted.nii.gz").is_file()


def bundle(folder: Path, transforms: list[dict[str, Any]]) -> Any:
    from monai.networks.nets import UNet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = UNet(3, 1, 2, (4, 8), (2,)).eval()
    definition = {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]}
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    config = {
        "network_def": definition,
        "preprocessing": {"_target_": "Compose", "transforms": transforms},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [24, 20, 12]},
    }
    (folder / "configs" / "inference.json").write_text(json.dumps(config), encoding="utf-8")
    given = {"num_channels": 1, "spatial_shape": [24, 20, 12]}
    gives = {"format": "segmentation", "channel_def": {"0": "background", "1": "spleen"}}
    metadata = {"network_data_format": {"inputs": {"image": given}, "outputs": {"pred": gives}}}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    (folder / "LICENSE").write_text("Apache-2.0\n", encoding="utf-8")
    torch.save(net.state_dict(), folder / "models" / "model.pt")
    return net


LOAD = [{"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"}]
NORMALISE = {"_target_": "NormalizeIntensityd", "keys": "image"}
ORIENT = {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"}


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")  # MONAI tells of a decoder that is not installed
@pytest.mark.parametrize("orient", [False, True])
def test_a_bundle_labels_as_monai_does(tmp_path: Path, orient: bool) -> None:
    """MONAI stores the axes x first: both must call the same samples of the same file the same, turned before or not."""
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, NormalizeIntensityd, Orientationd

    net = bundle(tmp_path / "bundle", [*LOAD, *([ORIENT] if orient else []), NORMALISE])
    lines = import_model(tmp_path / "bundle", tmp_path / "a.isocenter")
    package = read_package(tmp_path / "a.isocenter")
    assert package.classes == ("spleen",) and package.licence.startswith("Apache-2.0") and "MONAI bundle" in lines[0]
    value = image(3)
    door.write(value, tmp_path / "image.nii.gz")
    found = package.predict(value)
    assert isinstance(found, LabelMap) and found.geometry.matches(value.geometry)
    steps: list[Any] = [LoadImaged(keys="image", reader="NibabelReader"), EnsureChannelFirstd(keys="image")]
    if orient:
        steps.append(Orientationd(keys="image", axcodes="RAS", labels=(("L", "R"), ("P", "A"), ("I", "S"))))
    seen = Compose([*steps, NormalizeIntensityd(keys="image")])({"image": str(tmp_path / "image.nii.gz")})["image"]
    with torch.inference_mode():
        called = net(torch.as_tensor(np.asarray(seen))[None]).argmax(1)[0].numpy().transpose(2, 1, 0)
    theirs = np.asarray(called)
    if orient:  # our phantom runs to the left and to the back: RAS turns both
        theirs = theirs[:, ::-1, ::-1]
    assert 0.02 < theirs.mean() < 0.98
    assert float((np.asarray(found.array) != theirs).mean()) < 1e-3


def test_a_bundle_that_does_more_is_refused(tmp_path: Path) -> None:
    bundle(tmp_path / "a", [*LOAD, {"_target_": "CropForegroundd", "keys": "image"}, NORMALISE])
    with pytest.raises(UnsupportedError, match="'CropForeground', which is not read"):
        import_model(tmp_path / "a", tmp_path / "a.isocenter")
    bundle(tmp_path / "b", LOAD)
    with pytest.raises(UnsupportedError, match="neither standardises"):
        import_model(tmp_path / "b", tmp_path / "b.isocenter")


def test_what_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    weights.save(unet().state_dict(), tmp_path / "net.safetensors")
    mark = tmp_path / "ran"
    torch.save({"w": Evil(mark)}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil(mark)))
    (tmp_path / "bad.onnx").write_bytes(b"not a graph")
    (tmp_path / "empty").mkdir()
    good, wide = described(tmp_path), tmp_path / "wide.yaml"
    wide.write_text(SEGMENTER.replace("[4, 8]", "[4, 16]"), encoding="utf-8")
    (tmp_path / "short.yaml").write_text("task: segmentation\n", encoding="utf-8")
    package = tmp_path / "a.isocenter"
    cases: list[tuple[Path, Path, ImportOptions, type[Exception], str]] = [
        (tmp_path / "none.pt", package, ImportOptions(), MissingInputError, "nothing is downloaded"),
        (tmp_path / "evil.pt", tmp_path / "x.safetensors", ImportOptions(), FormatError, "tensors and plain values"),
        (tmp_path / "plain.pt", package, ImportOptions(describe=good), FormatError, "tensors and plain values"),
        (tmp_path / "bad.onnx", tmp_path / "x.safetensors", ImportOptions(), FormatError, "no sound ONNX model"),
        (tmp_path / "net.safetensors", package, ImportOptions(), ParameterError, "--describe"),
        (
            tmp_path / "net.safetensors",
            package,
            ImportOptions(describe=tmp_path / "short.yaml"),
            SpecError,
            "does not describe a model",
        ),
        (tmp_path / "net.safetensors", package, ImportOptions(describe=wide), ContentError, "do not fit network 'unet'"),
        (
            tmp_path / "net.safetensors",
            package,
            ImportOptions(sha256="0" * 64),
            VerificationError,
            "not the model that was asked for",
        ),
        (tmp_path / "net.safetensors", tmp_path / "a.zip", ImportOptions(), ParameterError, "ends in .isocenter"),
        (tmp_path / "empty", package, ImportOptions(), ParameterError, "neither an nnU-Net folder"),
    ]
    for source, out, options, kind, words in cases:
        with pytest.raises(kind, match=words) as raised:
            import_model(source, out, options)
        assert "\n" not in str(raised.value)
    assert not mark.exists() and not package.exists()


def test_the_command_line_says_what_was_read(tmp_path: Path) -> None:
    weights.save(unet().state_dict(), tmp_path / "net.safetensors")
    arguments = ["model", "import", str(tmp_path / "net.safetensors"), "-o", str(tmp_path / "a.isocenter")]
    told = CliRunner().invoke(app, [*arguments, "--describe", str(described(tmp_path))])
    assert told.exit_code == 0, told.output
    assert "none of its code was run" in told.output and "model validate" in told.output
