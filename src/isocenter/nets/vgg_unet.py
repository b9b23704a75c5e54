"""U-Net with the encoder of a VGG."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from isocenter.nets.blocks import max_pool
from isocenter.nets.encoder_unet import Decoder
from isocenter.nets.vgg import stages

__all__ = ["VggUnet"]


class VggUnet(nn.Module):
    """U-Net whose encoder is a VGG.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3. Each axis of an input is a multiple of 16.
    depth
        11, 13, 16 or 19 layers.
    features
        Of each of the five stages.

    References
    ----------
    Iglovikov, Shvets (2018) TernausNet: U-Net with VGG11 encoder. arXiv:1801.05746.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 2,
        *,
        depth: int = 11,
        features: Sequence[int] = (64, 128, 256, 512, 512),
    ) -> None:
        super().__init__()
        self.divisor = (16,) * dimensions
        self.encoder = nn.ModuleList(stages(depth, dimensions, in_channels, features, "batch"))
        self.pool = max_pool(dimensions)
        self.decoder = Decoder(dimensions, features, (2,) * 4, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels, *spatial)."""
        found = []
        for k, stage in enumerate(self.encoder):
            x = stage(self.pool(x) if k else x)
            found.append(x)
        result: Tensor = self.decoder(found)
        return result
