"""The network of a MONAI bundle is read as data; expressions and foreign code are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets import UNet

from isocenter.core.errors import ContentError, MissingInputError, UnsupportedError
from isocenter.nets.monai_bundle import read_bundle

DEFINITION = {
    "_target_": "UNet",
    "spatial_dims": 2,
    "in_channels": "@channels",
    "out_channels": 2,
    "channels": [4, 8],
    "strides": [2],
}


def bundle(folder: Path, definition: dict[str, Any]) -> UNet:
    torch.manual_seed(0)
    net = UNet(2, 1, 2, (4, 8), (2,))
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs" / "inference.json").write_text(json.dumps({"channels": 1, "network_def": definition}))
    torch.save(net.state_dict(), folder / "models" / "model.pt")
    return net.eval()


def test_the_network_gives_the_same_scores(tmp_path: Path) -> None:
    expected = bundle(tmp_path, DEFINITION)
    x = torch.randn(1, 1, 16, 16)
    with torch.inference_mode():
        assert torch.equal(read_bundle(tmp_path)(x), expected(x))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"_target_": "os.system"}, UnsupportedError, "os.system"),
        ({"_target_": "monai.apps.something.UNet"}, UnsupportedError, "other code is not run"),
        ({"in_channels": "$__import__('os').getpid()"}, UnsupportedError, "would have to be run"),
        ({"out_channels": 5}, ContentError, "do not fit"),
        ({"no_such": 1}, ContentError, "does not take"),
    ],
    ids=["code", "path", "expression", "weights", "parameter"],
)
def test_what_is_refused(tmp_path: Path, change: dict[str, Any], error: type[Exception], words: str) -> None:
    bundle(tmp_path, {**DEFINITION, **change})
    with pytest.raises(error, match=words):
        read_bundle(tmp_path)


def test_a_network_that_is_a_program_is_named_as_one(tmp_path: Path) -> None:
    """As the bundles that are exported here: 'has no network_def' was not true of them."""
    bundle(tmp_path, DEFINITION)
    text = json.dumps({"network_def": "$torch.export.load('models/model.pt2').module()"})
    (tmp_path / "configs" / "inference.json").write_text(text)
    with pytest.raises(UnsupportedError, match=r"is an expression, '\$torch\.export.*not run"):
        read_bundle(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"inference\.json"):
        read_bundle(tmp_path)
