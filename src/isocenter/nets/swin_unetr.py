"""Swin UNETR, MONAI's."""

from __future__ import annotations

import warnings

from monai.networks.nets import SwinUNETR
from torch import Tensor, nn

__all__ = ["SwinUnetr"]


class SwinUnetr(nn.Module):
    """Swin UNETR: a transformer of shifted windows as encoder, convolutions as decoder.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3. Each axis of an input is a multiple of 32.
    features
        Features of the first stage, a multiple of 12.
    window
        Samples (of the embedded grid) of an attention window along each axis.
    checkpointing
        Compute activations twice to hold fewer of them.

    References
    ----------
    Hatamizadeh et al. (2022) Swin UNETR: Swin transformers for semantic segmentation of brain tumors in MRI images. BrainLes.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 3,
        *,
        features: int = 24,
        window: int = 7,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.divisor = (32,) * dimensions
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of MONAI's own arguments to come
            self.body = SwinUNETR(
                in_channels=in_channels,
                out_channels=out_channels,
                window_size=window,
                feature_size=features,
                use_checkpoint=checkpointing,
                spatial_dims=dimensions,
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels, *spatial)."""
        result: Tensor = self.body(x)
        return result
