"""Every network in two and three dimensions: shape, a gradient everywhere, the same weights from the same seed; and it can learn."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isocenter import nets
from isocenter.core.errors import ParameterError, UnknownNameError

#: Name, parameters that make it small, shape of its input, shape of its result.
CASES: list[tuple[str, dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    ("unet", {"channels": (4, 8)}, (2, 1, 16, 16), (2, 2, 16, 16)),
    ("unet", {"channels": (4, 8), "dimensions": 3, "residual": True, "strides": [(1, 2, 2)]}, (1, 1, 5, 8, 8), (1, 2, 5, 8, 8)),
    ("v_net", {"dimensions": 2}, (2, 1, 32, 32), (2, 2, 32, 32)),
    ("attention_unet", {"channels": (4, 8)}, (2, 1, 16, 16), (2, 2, 16, 16)),
    ("attention_unet", {"channels": (4, 8), "dimensions": 3}, (2, 1, 8, 8, 8), (2, 2, 8, 8, 8)),
    ("dyn_unet", {"channels": (4, 8, 8), "dimensions": 2}, (2, 1, 16, 16), (2, 2, 16, 16)),
    ("dyn_unet", {"channels": (4, 8, 8)}, (2, 1, 8, 8, 8), (2, 2, 8, 8, 8)),
    ("swin_unetr", {"features": 12, "dimensions": 2}, (2, 1, 64, 64), (2, 2, 64, 64)),
    ("resnet_unet", {"depth": 10}, (2, 1, 32, 32), (2, 2, 32, 32)),
    ("vgg_unet", {"features": (4, 8, 8, 8, 8)}, (2, 1, 16, 16), (2, 2, 16, 16)),
    ("vgg_unet", {"features": (4, 4, 4, 4, 4), "dimensions": 3}, (2, 1, 16, 16, 16), (2, 2, 16, 16, 16)),
    ("resnet", {"depth": 18}, (2, 1, 32, 32), (2, 2)),
    ("resnet", {"depth": 50}, (2, 1, 32, 32), (2, 2)),
    ("resnet", {"depth": 10, "dimensions": 3}, (2, 1, 16, 16, 16), (2, 2)),
    ("vgg", {"features": (4, 8, 8, 8, 8)}, (2, 3, 32, 32), (2, 5)),
    ("vgg", {"features": (4, 4, 4, 4, 4), "depth": 11, "dimensions": 3}, (2, 1, 16, 16, 16), (2, 2)),
    ("inception_v3", {"width": 0.1}, (2, 1, 80, 80), (2, 2)),
    ("densenet", {"blocks": (2, 2), "growth": 8, "features": 8}, (2, 1, 32, 32), (2, 2)),
    ("densenet", {"blocks": (2,), "growth": 4, "features": 4, "dimensions": 3}, (2, 1, 16, 16, 16), (2, 2)),
    ("efficient_net", {}, (2, 1, 32, 32), (2, 2)),
    ("cnn_lstm", {"channels": (4, 8), "hidden": 8}, (2, 3, 1, 16, 16), (2, 2)),
    ("cnn_lstm", {"channels": (4,), "hidden": 4, "bidirectional": False, "every": True}, (2, 3, 1, 8, 8), (2, 3, 2)),
    ("mlp", {"in_channels": 7}, (4, 7), (4, 2)),
    ("denoising_autoencoder", {"channels": (4, 8)}, (2, 1, 16, 16), (2, 1, 16, 16)),
    ("heatmap_landmarks", {"channels": (4, 8), "out_channels": 3, "step": 2}, (2, 1, 16, 16), (2, 3, 8, 8)),
]
DETECTORS = {"one_stage_detector", "mask_rcnn"}  # their results are lists: tests/nets/test_detectors.py


def made(name: str, parameters: dict[str, Any], shape: tuple[int, ...], expected: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    extra = {"in_channels": 3, "out_channels": 5} if shape[1] == 3 and name == "vgg" else {}
    net: nn.Module = nets.build(name, **{**extra, **parameters})
    return net


@pytest.mark.parametrize(("name", "parameters", "shape", "expected"), CASES, ids=lambda v: str(v) if isinstance(v, str) else "")
def test_shape_gradient_and_repetition(
    name: str, parameters: dict[str, Any], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    net = made(name, parameters, shape, expected)
    torch.manual_seed(1)
    x = torch.randn(shape)
    y = net(x)
    assert tuple(y.shape) == expected
    assert bool(torch.isfinite(y).all())
    y.square().mean().backward()
    dead = [k for k, p in net.named_parameters() if p.grad is None or not bool(torch.isfinite(p.grad).all())]
    assert not dead, f"without a finite gradient: {dead}"
    net.eval()
    with torch.inference_mode():
        first = net(x[:1])
        assert torch.equal(first, net(x[:1]))
    divisor = getattr(net, "divisor", None)
    assert divisor is None or all(s % d == 0 for s, d in zip(shape[2:], divisor, strict=True)), "what it asks of a size is said"


def learned(net: nn.Module, x: Tensor, truth: Tensor, steps: int, rate: float = 1e-2) -> float:
    optimizer = torch.optim.AdamW(net.parameters(), rate)
    net.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), truth)
        torch.autograd.backward(loss)
        optimizer.step()
    return float((net(x).argmax(1) == truth).float().mean())


LEARNERS = ("unet", "attention_unet", "dyn_unet", "vgg_unet", "cnn_lstm", "mlp", "densenet", "inception_v3")
SMALL = [c for c in CASES if c[0] in LEARNERS and "every" not in c[1]]


@pytest.mark.parametrize(("name", "parameters", "shape", "expected"), SMALL, ids=lambda v: str(v) if isinstance(v, str) else "")
def test_two_tiny_cases_are_learnt_by_heart(
    name: str, parameters: dict[str, Any], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    net = made(name, parameters, shape, expected)
    torch.manual_seed(2)
    x = torch.randn(shape)
    if len(expected) == 2:
        truth = torch.arange(shape[0]) % expected[1]
    else:
        truth = (x[:, 0] > 0).long()
    assert learned(net, x, truth, 40) > 0.9


def test_every_network_is_tested_and_listed_without_torch() -> None:
    assert set(nets.names()) == {c[0] for c in CASES} | DETECTORS
    for name in nets.names():
        assert nets.summary(name).split(":")[0], name
    code = "import sys, isocenter.nets as n; n.names(); n.summary('unet'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'unet'"):
        nets.build("unett")
    with pytest.raises(ParameterError, match="no_such"):
        nets.build("nets.unet", no_such=1)
    with pytest.raises(ParameterError, match="instance, batch, group or none"):
        nets.build("unet", norm="layer")
    with pytest.raises(ParameterError, match="strides"):
        nets.build("unet", strides=[2])
    for name, wrong in (
        ("resnet", {"depth": 7}),
        ("vgg", {"depth": 7}),
        ("efficient_net", {"size": 9}),
        ("dyn_unet", {"channels": (4, 8)}),
    ):
        with pytest.raises(ParameterError, match="expected"):
            nets.build(name, **wrong)


def test_deep_supervision_is_for_training_alone() -> None:
    net = nets.build("unet", channels=(4, 4, 8, 8), deep_supervision=True)
    found = net(torch.zeros(1, 1, 16, 16))
    assert [tuple(f.shape[2:]) for f in found] == [(16, 16), (8, 8)]
    assert isinstance(net.eval()(torch.zeros(1, 1, 16, 16)), Tensor)
