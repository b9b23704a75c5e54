"""Attention U-Net, MONAI's."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import AttentionUnet as MonaiAttentionUnet
from torch import Tensor, nn

__all__ = ["AttentionUnet"]


class AttentionUnet(nn.Module):
    """U-Net whose skips pass through gates that learn where to look.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3.
    channels
        Features of each level, the finest first.
    dropout
        Probability of dropping a feature.

    References
    ----------
    Oktay et al. (2018) Attention U-Net: learning where to look for the pancreas. MIDL.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 2,
        channels: Sequence[int] = (16, 32, 64, 128),
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.divisor = (2 ** (len(channels) - 1),) * dimensions
        self.body = MonaiAttentionUnet(
            dimensions, in_channels, out_channels, tuple(channels), (2,) * (len(channels) - 1), dropout=dropout
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels, *spatial)."""
        result: Tensor = self.body(x)
        return result
