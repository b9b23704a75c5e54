"""U-Net in two and three dimensions: plain or residual, with a stride and a kernel per level, and deep supervision."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isocenter.core.errors import ParameterError
from isocenter.nets.blocks import ConvBlock, ResidualBlock, convolution, same, transposed

__all__ = ["Unet"]


class Unet(nn.Module):
    """U-Net: an encoder, a decoder, and skips between levels of one size.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3.
    channels
        Features of each level, the finest first.
    strides
        Step between a level and the next, one less than `channels`; each a number or one per axis. Default: 2 everywhere.
    kernels
        Kernel size of each level, a number or one per axis. Default: 3 everywhere.
    residual
        Residual blocks instead of plain pairs of convolutions.
    norm
        ``instance``, ``batch``, ``group`` or ``none``.
    dropout
        Probability of dropping a feature map.
    bias
        Shifts in the convolutions as well, though a norm follows them: networks trained elsewhere have them.
    deep_supervision
        While training, return logits of the coarser levels as well: a list, the finest first.

    References
    ----------
    Ronneberger, Fischer, Brox (2015) U-Net: convolutional networks for biomedical image segmentation. MICCAI.
    Isensee et al. (2021) nnU-Net. Nature Methods 18:203-211.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 2,
        channels: Sequence[int] = (16, 32, 64, 128),
        *,
        strides: Sequence[int | Sequence[int]] | None = None,
        kernels: Sequence[int | Sequence[int]] | None = None,
        residual: bool = False,
        norm: str = "instance",
        dropout: float = 0.0,
        bias: bool = False,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        levels = len(channels)
        steps = [same(s, dimensions) for s in (strides if strides is not None else [2] * (levels - 1))]
        sizes = [same(k, dimensions) for k in (kernels if kernels is not None else [3] * levels)]
        if len(steps) != levels - 1 or len(sizes) != levels:
            raise ParameterError(
                f"{len(steps)} strides and {len(sizes)} kernels for {levels} levels: expected one less, and as many."
            )
        block = ResidualBlock if residual else ConvBlock
        #: A patch is a whole number of these along each axis.
        self.divisor = tuple(math.prod(s[k] for s in steps) for k in range(dimensions))
        self.deep_supervision = deep_supervision
        stages: list[nn.Module] = []
        before = in_channels
        for level, features in enumerate(channels):
            stride = steps[level - 1] if level else (1,) * dimensions
            stages.append(block(dimensions, before, features, sizes[level], stride, norm, dropout, bias))
            before = features
        self.encoder = nn.ModuleList(stages)
        self.up = nn.ModuleList(
            transposed(dimensions, channels[k + 1], channels[k], steps[k], bias) for k in reversed(range(levels - 1))
        )
        self.decoder = nn.ModuleList(
            block(dimensions, 2 * channels[k], channels[k], sizes[k], (1,) * dimensions, norm, dropout, bias)
            for k in reversed(range(levels - 1))
        )
        heads = range(max(levels - 2, 1)) if deep_supervision else range(1)
        self.heads = nn.ModuleList(convolution(dimensions, channels[k], out_channels, (1,) * dimensions) for k in heads)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Return logits of shape (batch, out_channels, *spatial); a list of them under deep supervision while training."""
        skips: list[Tensor] = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        skips.pop()
        levels = len(self.up)
        found: list[Tensor] = []
        for k, (up, stage) in enumerate(zip(self.up, self.decoder, strict=True)):
            x = stage(torch.cat([up(x), skips.pop()], dim=1))
            level = levels - 1 - k
            if level == 0 or (self.deep_supervision and self.training and level < len(self.heads)):
                found.append(self.heads[level](x))
        found.reverse()
        return found if self.deep_supervision and self.training else found[0]
