"""DenseNet, MONAI's."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import DenseNet
from torch import Tensor, nn

__all__ = ["Densenet"]


class Densenet(nn.Module):
    """DenseNet: a classifier in which each layer sees all earlier ones of its block.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3.
    blocks
        Layers of each block; the default is DenseNet-121.
    growth
        Features that a layer adds.
    features
        Features of the first convolution.
    dropout
        Probability of dropping a feature.

    References
    ----------
    Huang et al. (2017) Densely connected convolutional networks. CVPR.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 2,
        *,
        blocks: Sequence[int] = (6, 12, 24, 16),
        growth: int = 32,
        features: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.body = DenseNet(
            dimensions,
            in_channels,
            out_channels,
            init_features=features,
            growth_rate=growth,
            block_config=tuple(blocks),
            dropout_prob=dropout,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels)."""
        result: Tensor = self.body(x)
        return result
