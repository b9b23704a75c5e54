"""Grad-CAM and Grad-CAM++: by hand on a linear head, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from isocenter.core.errors import ParameterError, UnknownNameError
from isocenter.nets.attribution.grad_cam import grad_cam
from isocenter.nets.attribution.grad_cam_plus_plus import grad_cam_plus_plus


class _Linear(nn.Module):
    """Class k is the mean of feature k, less the mean of the other."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.conv = (nn.Conv2d if axes == 2 else nn.Conv3d)(1, 2, 1)
        self.head = nn.Linear(2, 2, bias=False)
        nn.init.constant_(self.conv.bias, 0.0)
        with torch.no_grad():
            self.conv.weight[:] = torch.tensor([1.0, -1.0]).reshape(self.conv.weight.shape)
            self.head.weight[:] = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.conv(x).relu().flatten(2).mean(2))


@pytest.mark.parametrize("axes", [2, 3])
def test_the_map_of_a_linear_head_is_the_feature_itself(axes: int) -> None:
    net = _Linear(axes)
    x = torch.zeros((1, 1, *[6] * axes))
    x[(0, 0, *[1] * axes)], x[(0, 0, *[4] * axes)] = 3.0, -2.0
    # The layer's own output is taken before the ReLU: the gradient passes where a feature is above zero, one place of each.
    first, second = grad_cam(net, x, 0, "conv")[0], grad_cam(net, x, 1, "conv")[0]
    assert first.argmax() == x.argmax() and second.argmax() == x.argmin()
    places = 6**axes
    assert float(first.max()) == pytest.approx(2 * 3.0 / places**2)
    assert float(second.max()) == pytest.approx(2 * 2.0 / places**2)


@pytest.mark.parametrize("method", [grad_cam, grad_cam_plus_plus])
def test_weights_modes_and_gradients_stay_as_they_were(method: Callable[..., Tensor]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.randn(2, 1, 9, 7)
    assert method(net, x, 1).shape == (2, 9, 7)
    assert net.training and all(w.requires_grad and w.grad is None for w in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_two_objects_of_different_strength_weigh_alike_in_the_second_kind() -> None:
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 1, 1], x[0, 0, 6, 6] = 4.0, 1.0
    found = grad_cam_plus_plus(_Linear(2), x, 0, "conv")[0]
    assert set(found.nonzero().flatten().tolist()) == {1, 6} and float(found[6, 6]) > 0.2 * float(found[1, 1])


def test_a_layer_that_is_not_there_is_refused() -> None:
    x = torch.ones(1, 1, 4, 4)
    with pytest.raises(UnknownNameError, match="Did you mean 'conv'"):
        grad_cam(_Linear(2), x, 0, "convs")
    with pytest.raises(ParameterError, match="no map of features"):
        grad_cam(_Linear(2), x, 0, "head")
    with pytest.raises(ParameterError, match="Class 2"):
        grad_cam(_Linear(2), x, 2, "conv")
