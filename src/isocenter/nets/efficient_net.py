"""EfficientNet, MONAI's."""

from __future__ import annotations

from monai.networks.nets import EfficientNetBN
from torch import Tensor, nn

from isocenter.core.errors import ParameterError

__all__ = ["EfficientNet"]


class EfficientNet(nn.Module):
    """EfficientNet: a classifier whose depth, width and resolution grow together.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3.
    size
        0 to 7: ``b0`` to ``b7``.

    References
    ----------
    Tan, Le (2019) EfficientNet: rethinking model scaling for convolutional neural networks. ICML.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 2, dimensions: int = 2, *, size: int = 0) -> None:
        super().__init__()
        if not 0 <= size <= 7:
            raise ParameterError(f"EfficientNet of size {size}: expected 0 to 7.")
        self.body = EfficientNetBN(
            f"efficientnet-b{size}", pretrained=False, spatial_dims=dimensions, in_channels=in_channels, num_classes=out_channels
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels)."""
        result: Tensor = self.body(x)
        return result
