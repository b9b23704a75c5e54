"""V-Net, MONAI's."""

from __future__ import annotations

from monai.networks.nets import VNet as MonaiVNet
from torch import Tensor, nn

__all__ = ["VNet"]


class VNet(nn.Module):
    """V-Net: residual encoder and decoder for volumes, kernels of five samples.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image (16 must be a multiple of them); classes of the result (logits).
    dimensions
        2 or 3.
    dropout
        Probability of dropping a feature map in the lower levels.

    References
    ----------
    Milletari, Navab, Ahmadi (2016) V-Net: fully convolutional neural networks for volumetric medical image segmentation. 3DV.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 2, dimensions: int = 3, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.divisor = (16,) * dimensions
        self.body = MonaiVNet(
            spatial_dims=dimensions,
            in_channels=in_channels,
            out_channels=out_channels,
            dropout_prob_down=dropout,
            dropout_prob_up=(dropout, dropout),
            dropout_dim=dimensions,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels, *spatial)."""
        result: Tensor = self.body(x)
        return result
