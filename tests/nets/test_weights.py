"""Weights travel by file and hash, never by running what a file holds; ONNX gives the same numbers."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter import nets
from isocenter.core.errors import ContentError, FormatError, MissingInputError, VerificationError
from isocenter.nets import weights
from isocenter.nets.onnx_export import export_onnx, load_onnx


def test_weights_come_back_bit_equal_and_equal_weights_give_equal_files(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = nets.build("unet", channels=(4, 8)).state_dict()
    digest = weights.save(state, tmp_path / "a.safetensors")
    assert digest == weights.save(dict(reversed(state.items())), tmp_path / "b.safetensors")
    back = weights.load(tmp_path / "a.safetensors", digest)
    assert set(back) == set(state)
    assert all(torch.equal(back[k], v) for k, v in state.items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"], "nothing half-written is left"


def test_a_wrong_or_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    weights.save({"w": torch.ones(3)}, path)
    with pytest.raises(VerificationError, match="not those asked for"):
        weights.load(path, "sha256:" + "0" * 64)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(FormatError, match="no sound safetensors file"):
        weights.load(path)
    with pytest.raises(MissingInputError, match="nothing is downloaded"):
        weights.load(tmp_path / "none.safetensors")


class Evil:
    """Would write a file where its pickle is opened carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_pt_files_are_imported_without_running_them(tmp_path: Path) -> None:
    state = {"w": torch.arange(4.0), "b": torch.zeros(2)}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "net.pt")
    digest = weights.import_pt(tmp_path / "net.pt", tmp_path / "net.safetensors")
    assert torch.equal(weights.load(tmp_path / "net.safetensors", digest)["w"], state["w"])
    with pytest.raises(FormatError, match="import_pt"):
        weights.load(tmp_path / "net.pt")
    mark = tmp_path / "ran"
    torch.save({"w": Evil(mark)}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil(mark)))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(FormatError, match="tensors and plain values"):
            weights.import_pt(tmp_path / name, tmp_path / "x.safetensors")
    assert not mark.exists()
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    with pytest.raises(ContentError, match="no weights found"):
        weights.import_pt(tmp_path / "none.pt", tmp_path / "x.safetensors")


def test_onnx_gives_the_same_scores(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nets.build("unet", channels=(4, 8), norm="batch")
    path = tmp_path / "net.onnx"
    assert export_onnx(net, (1, 1, 16, 16), path) <= 1e-4
    image = np.random.default_rng(0).normal(size=(3, 1, 16, 16)).astype(np.float32)
    with torch.inference_mode():
        expected = net.eval()(torch.from_numpy(image)).numpy()
    assert np.abs(load_onnx(path)(image) - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())
    with pytest.raises(VerificationError, match="nothing was written"):
        export_onnx(net, (1, 1, 16, 16), tmp_path / "other.onnx", tolerance=-1.0)
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
