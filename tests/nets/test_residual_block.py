"""The shortcut of a residual block: a convolution with a stride, whatever the layout of its samples."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.nets.blocks import ResidualBlock


@pytest.mark.parametrize("shape", [(2, 8, 64, 33), (1, 4, 9, 8, 10)])
def test_it_is_a_convolution_with_that_stride(shape: tuple[int, ...]) -> None:
    axes = len(shape) - 2
    block = ResidualBlock(axes, shape[1], 16, stride=2, norm="none")
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    convolution = functional.conv2d if axes == 2 else functional.conv3d
    found = block.get_parameter("shortcut.0.weight"), block.get_parameter("shortcut.0.bias")
    wanted = block.last(block.layers(image) + convolution(image, *found, stride=2))
    assert torch.equal(block(image), wanted)


def test_gradients_do_not_depend_on_the_layout() -> None:
    # With the stride in the convolution torch 2.13 wrote beyond its memory here, and the process ended.
    def gradients(layout: torch.memory_format) -> list[Tensor]:
        torch.manual_seed(1)
        block = ResidualBlock(2, 8, 16, stride=2, norm="group").to(memory_format=layout)
        image = torch.randn(8, 8, 64, 64).contiguous(memory_format=layout)
        block(image).square().mean().backward()
        return [p.grad for p in block.parameters() if p.grad is not None]

    for one, other in zip(gradients(torch.channels_last), gradients(torch.contiguous_format), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
