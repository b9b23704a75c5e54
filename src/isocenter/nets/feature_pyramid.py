"""A small feature pyramid for the detectors: strong features at every size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from isocenter.nets.blocks import ResidualBlock, convolution

__all__ = ["Pyramid"]


class Pyramid(nn.Module):
    """Residual stages, each half the size of the one before, and a path back that adds what coarser ones know.

    Parameters
    ----------
    in_channels
        Channels of the image.
    dimensions
        2 or 3.
    channels
        Features of the stages, the first at full size.
    levels
        The coarsest so many stages are given out.
    features
        Of every level that is given out.

    References
    ----------
    Lin et al. (2017) Feature pyramid networks for object detection. CVPR.
    """

    def __init__(self, in_channels: int, dimensions: int, channels: Sequence[int], levels: int, features: int) -> None:
        super().__init__()
        before = in_channels
        stages = []
        for k, width in enumerate(channels):
            stages.append(ResidualBlock(dimensions, before, width, stride=2 if k else 1, norm="group"))
            before = width
        self.stages = nn.ModuleList(stages)
        self.first = len(channels) - levels
        self.sides = nn.ModuleList(convolution(dimensions, w, features, 1) for w in channels[self.first :])
        self.smooth = nn.ModuleList(convolution(dimensions, features, features, 3) for _ in range(levels))
        #: Samples of the image per sample of each level.
        self.strides = tuple(2**k for k in range(self.first, len(channels)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of every level, the finest first."""
        found = []
        for k, stage in enumerate(self.stages):
            x = stage(x)
            if k >= self.first:
                found.append(self.sides[k - self.first](x))
        for k in reversed(range(len(found) - 1)):
            found[k] = found[k] + functional.interpolate(found[k + 1], size=found[k].shape[2:], mode="nearest")
        return [smooth(f) for smooth, f in zip(self.smooth, found, strict=True)]
