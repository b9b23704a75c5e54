"""The decoder of a U-Net over the features of any encoder: shared by the networks whose encoder is a classifier's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isocenter.nets.blocks import ConvBlock, convolution, transposed

__all__ = ["Decoder"]


class Decoder(nn.Module):
    """Brings features of several sizes, each half the one before, to logits of the image's size.

    Parameters
    ----------
    dimensions
        2 or 3.
    features
        Of each size, the finest first.
    strides
        Step between a size and the next.
    out_channels
        Classes.
    before
        Samples of the image per sample of the finest features: 1, or 2 where the encoder starts with a stride.
    """

    def __init__(
        self, dimensions: int, features: Sequence[int], strides: Sequence[int], out_channels: int, before: int = 1
    ) -> None:
        super().__init__()
        levels = range(len(features) - 1)
        self.up = nn.ModuleList(transposed(dimensions, features[k + 1], features[k], strides[k]) for k in reversed(levels))
        self.stages = nn.ModuleList(ConvBlock(dimensions, 2 * features[k], features[k], norm="batch") for k in reversed(levels))
        last: list[nn.Module] = []
        width = features[0]
        if before > 1:
            last = [transposed(dimensions, width, max(width // 2, 8), before)]
            width = max(width // 2, 8)
            last.append(ConvBlock(dimensions, width, width, norm="batch"))
        self.head = nn.Sequential(*last, convolution(dimensions, width, out_channels, 1))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return logits from features, the finest first."""
        x = features[-1]
        for up, stage, skip in zip(self.up, self.stages, reversed(features[:-1]), strict=True):
            x = stage(torch.cat([up(x), skip], dim=1))
        result: Tensor = self.head(x)
        return result
