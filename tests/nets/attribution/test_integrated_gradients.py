"""Integrated gradients: exact where they can be, complete to one percent elsewhere, and honest where they are not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isocenter import nets
from isocenter.core.errors import ParameterError
from isocenter.nets.attribution.integrated_gradients import integrated_gradients


def test_a_linear_network_shares_out_exactly() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    x, base = torch.randn(2, 1, 3, 4), torch.randn(2, 1, 3, 4)
    found = integrated_gradients(net, x, 2, base, steps=1, most=1)
    expected = (x - base) * net[1].weight[2].reshape(1, 1, 3, 4)
    torch.testing.assert_close(found.values, expected.detach())
    assert found.complete


@pytest.mark.parametrize("name", ["vgg", "resnet", "densenet"])
def test_attributions_add_up_to_what_the_input_changed(name: str) -> None:
    torch.manual_seed(0)
    known: dict[str, dict[str, Any]] = {"vgg": {"depth": 11, "features": (4, 4, 8, 8, 8)}, "resnet": {"depth": 10}}
    more = known.get(name, {})
    net = nets.build(name, in_channels=1, out_channels=2, dimensions=2, **more).eval()
    x = torch.randn(1, 1, 32, 32)
    found = integrated_gradients(net, x, 1, steps=16)
    with torch.no_grad():
        difference = float(net(x)[0, 1] - net(torch.zeros_like(x))[0, 1])
    assert found.complete
    assert float(found.values.double().sum()) == pytest.approx(difference, rel=0.0101, abs=1.1e-5)


class _Step(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Return a score that jumps on the way: its gradient nearly vanishes everywhere else."""
        s = torch.sigmoid(1e5 * (x.flatten(1).mean(1, keepdim=True) - 0.41234567))
        return torch.cat([-s, s], 1)


def test_a_gap_is_told() -> None:
    found = integrated_gradients(_Step(), torch.ones(1, 1, 2, 2), 1, steps=4, most=16)
    assert not found.complete and float(found.gap) > 0.5 and found.steps == 16


def test_batches_change_nothing() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.randn(1, 1, 8, 8)
    one, many = (integrated_gradients(net, x, 0, batch=b).values for b in (1, 16))
    torch.testing.assert_close(one, many)


def test_no_steps_are_refused() -> None:
    with pytest.raises(ParameterError, match="0 to 1024 steps"):
        integrated_gradients(nn.Flatten(), torch.ones(1, 4), 0, steps=0)
