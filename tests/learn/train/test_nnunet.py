"""A folder as nnU-Net leaves it: its network gives the same scores in ours, and what is not read is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isocenter.core.errors import ContentError, MissingInputError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.train.nnunet import import_nnunet

FEATURES, STRIDES, KERNELS = [4, 6, 8], [[1, 1, 1], [1, 2, 2], [2, 2, 2]], [[1, 3, 3], [3, 3, 3], [3, 3, 3]]


class Unit(nn.Module):
    """Convolution, normalisation, rectifier, under nnU-Net's names (and once more as ``all_modules``)."""

    def __init__(self, before: int, after: int, kernel: list[int], stride: list[int]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(before, after, kernel, stride, padding=[k // 2 for k in kernel])
        self.norm = nn.InstanceNorm3d(after, eps=1e-5, affine=True)
        self.all_modules = nn.Sequential(self.conv, self.norm, nn.LeakyReLU(0.01))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.all_modules(x)
        return result


class Stage(nn.Module):
    def __init__(self, before: int, after: int, kernel: list[int], stride: list[int]) -> None:
        super().__init__()
        self.convs = nn.Sequential(Unit(before, after, kernel, stride), Unit(after, after, kernel, [1, 1, 1]))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.convs(x)
        return result


class Reference(nn.Module):
    """The plain U-Net of nnU-Net, written down from its description."""

    def __init__(self) -> None:
        super().__init__()
        stages, before = [], 1
        for features, kernel, stride in zip(FEATURES, KERNELS, STRIDES, strict=True):
            stages.append(nn.Sequential(Stage(before, features, kernel, stride)))
            before = features
        self.encoder = nn.Module()
        self.encoder.stages = nn.Sequential(*stages)
        self.decoder = nn.Module()
        levels = [(2, 1), (1, 0)]
        self.decoder.transpconvs = nn.ModuleList(
            nn.ConvTranspose3d(FEATURES[a], FEATURES[b], STRIDES[a], STRIDES[a]) for a, b in levels
        )
        self.decoder.stages = nn.ModuleList(Stage(2 * FEATURES[b], FEATURES[b], KERNELS[b], [1, 1, 1]) for _, b in levels)
        self.decoder.seg_layers = nn.ModuleList(nn.Conv3d(FEATURES[b], 3, 1) for _, b in levels)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for stage in self.encoder.stages:
            x = stage(x)
            skips.append(x)
        for k in range(2):
            x = self.decoder.stages[k](torch.cat([self.decoder.transpconvs[k](x), skips[1 - k]], 1))
        result: Tensor = self.decoder.seg_layers[-1](x)
        return result


def written(folder: Path, **changes: Any) -> Reference:
    torch.manual_seed(0)
    net = Reference()
    values = {
        "n_stages": 3, "features_per_stage": FEATURES, "kernel_sizes": KERNELS, "strides": STRIDES, "n_conv_per_stage": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2], "conv_bias": True, "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    }  # fmt: skip
    architecture = {"network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet", "arch_kwargs": values}
    own = {
        "patch_size": [8, 16, 16], "batch_size": 2, "spacing": [2.0, 1.0, 1.0], "normalization_schemes": ["CTNormalization"],
        "architecture": {**architecture, **changes},
    }  # fmt: skip
    intensity = {"0": {"mean": 10.0, "std": 5.0, "percentile_00_5": -20.0, "percentile_99_5": 40.0}}
    plans = {"configurations": {"3d_fullres": own}, "foreground_intensity_properties_per_channel": intensity}
    dataset = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1, "lesion": 2}}
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    state = {"network_weights": net.state_dict(), "logging": {"mean_fg_dice": [np.float64(0.5)]}, "current_epoch": 3}
    torch.save(state, folder / "fold_0" / "checkpoint_final.pth")
    return net


def test_the_network_gives_the_same_scores(tmp_path: Path) -> None:
    reference = written(tmp_path).eval()
    found = import_nnunet(tmp_path)
    x = torch.randn(1, 1, 8, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(found.networks[0](x), reference(x), atol=1e-5)
    assert [s.name for s in found.segments] == ["liver", "lesion"]
    grid = Geometry.regular((6, 20, 20), (2.5, 1.0, 1.0))
    image = Image(np.random.default_rng(0).normal(10, 5, (6, 20, 20)).astype(np.float32), ("z", "y", "x"), grid, quantity="HU")
    labels = found.predict(image)
    assert labels.geometry == grid
    assert set(labels.present) <= {0, 1, 2}


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"plans\.json"):
        import_nnunet(tmp_path)
    written(tmp_path / "residual", network_class_name="x.ResidualEncoderUNet")
    with pytest.raises(UnsupportedError, match="ResidualEncoderUNet"):
        import_nnunet(tmp_path / "residual")
    written(tmp_path / "plain")
    with pytest.raises(ContentError, match="2d"):
        import_nnunet(tmp_path / "plain", "2d")
    torch.save({"network_weights": {"a": torch.zeros(2)}}, tmp_path / "plain" / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(ContentError, match="seg_layers"):
        import_nnunet(tmp_path / "plain")
