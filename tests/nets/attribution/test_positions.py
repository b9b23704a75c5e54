"""Where the places of a feature map lie: against what is known of strides, and against what the layers really look at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isocenter import nets
from isocenter.nets.attribution.features import last_feature_map, module_named, watched
from isocenter.nets.attribution.positions import feature_positions, on_input

CHAINS = {
    "stride 2, padded": (nn.Sequential(*[nn.Conv2d(1, 1, 3, 2, 1) for _ in range(3)]), (8.0, 0.0)),
    "pooled": (nn.Sequential(nn.Conv2d(1, 2, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(2)), (4.0, 1.5)),
    "unpadded": (nn.Sequential(nn.Conv2d(1, 2, 5), nn.Conv2d(2, 2, 3, dilation=2)), (1.0, 4.0)),
    "padding apart": (nn.Sequential(nn.ConstantPad2d((1, 0, 1, 0), 0.0), nn.Conv2d(1, 2, 2, 2)), (2.0, -0.5)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_places_are_those_of_strides_and_padding(name: str) -> None:
    net, expected = CHAINS[name]
    found = feature_positions(net, str(len(net) - 1), (32, 40), 1)
    assert found is not None
    np.testing.assert_allclose(found, [expected] * 2)


@pytest.mark.parametrize("name", ["stride 2, padded", "unpadded"])
def test_places_are_where_the_layer_looks(name: str) -> None:
    net, _ = CHAINS[name]
    for module in net:
        nn.init.constant_(module.weight, 1.0)
    layer = str(len(net) - 1)
    found = feature_positions(net, layer, (64, 64), 1)
    assert found is not None
    x = torch.ones(1, 1, 64, 64, requires_grad=True)
    with watched(module_named(net, layer)) as seen:
        net(x)
    middle = seen[0].shape[-1] // 2
    (gradient,) = torch.autograd.grad(seen[0][0, :, middle, middle].sum(), x)
    weight = gradient[0, 0].sum(0)
    step, first = found[1]
    assert float((weight * torch.arange(64)).sum() / weight.sum()) == pytest.approx(first + step * middle, abs=1e-4)


NETS = [
    ("resnet", {"depth": 10}, 2, 64, (32.0, 0.0)),
    ("resnet", {"depth": 10}, 3, 32, (32.0, 0.0)),
    ("vgg", {"depth": 11, "features": (2, 2, 4, 4, 4)}, 2, 64, (16.0, 7.5)),
]


@pytest.mark.parametrize(("name", "parameters", "axes", "side", "expected"), NETS)
def test_the_networks_there_are(
    name: str, parameters: dict[str, object], axes: int, side: int, expected: tuple[float, float]
) -> None:
    net = nets.build(name, in_channels=1, out_channels=2, dimensions=axes, **parameters).eval()
    x = torch.zeros((1, 1, *[side] * axes))
    # A ResNet's last map of 32 samples has one place, which lies at the step's start; its step is the whole side then.
    assert feature_positions(net, last_feature_map(net, x) if side > 32 else "body.layer4", x.shape[2:], 1) == [expected] * axes


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map in which every place looks everywhere."""
        tokens = x.flatten(2)
        return self.conv((tokens.transpose(1, 2) @ tokens).softmax(-1)[:, None])


def test_places_that_cannot_be_followed_are_none() -> None:
    assert feature_positions(_Attention(), "conv", (8, 8), 1) is None


def test_a_map_is_put_where_its_places_lie() -> None:
    spike = torch.zeros(1, 4)
    spike[0, 2] = 1.0
    assert int(on_input(spike, (32,), [(8.0, 0.0)]).argmax()) == 16
    spread = on_input(spike, (32,), None)
    assert spread[0, 19] == spread[0, 20] == spread.max()
