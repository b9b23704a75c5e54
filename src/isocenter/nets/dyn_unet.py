"""DynUNet, MONAI's counterpart of nnU-Net's generated networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import DynUNet as MonaiDynUnet
from torch import Tensor, nn

from isocenter.core.errors import ParameterError
from isocenter.nets.blocks import same

__all__ = ["DynUnet"]


class DynUnet(nn.Module):
    """DynUNet: a U-Net built from a list of kernels and strides, as nnU-Net plans it.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3.
    channels
        Features of each level, the finest first; at least three levels.
    strides
        Step between a level and the next. Default: 2 everywhere.
    kernels
        Kernel size of each level. Default: 3 everywhere.
    residual
        Residual blocks.
    deep_supervision
        While training, return logits of the coarser levels as well, upsampled to the full size.

    References
    ----------
    Isensee et al. (2021) nnU-Net. Nature Methods 18:203-211.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 3,
        channels: Sequence[int] = (16, 32, 64, 128),
        *,
        strides: Sequence[int | Sequence[int]] | None = None,
        kernels: Sequence[int | Sequence[int]] | None = None,
        residual: bool = False,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        levels = len(channels)
        if levels < 3:
            raise ParameterError(f"DynUNet of {levels} levels: expected at least three.")
        steps = [same(s, dimensions) for s in (strides if strides is not None else [2] * (levels - 1))]
        sizes = [same(k, dimensions) for k in (kernels if kernels is not None else [3] * levels)]
        self.divisor = tuple(int(torch.tensor([s[k] for s in steps]).prod()) for k in range(dimensions))
        self.body = MonaiDynUnet(
            dimensions,
            in_channels,
            out_channels,
            sizes,
            [(1,) * dimensions, *steps],
            steps,
            filters=list(channels),
            res_block=residual,
            deep_supervision=deep_supervision,
            deep_supr_num=max(levels - 2, 1),
        )

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Return logits of shape (batch, out_channels, *spatial); a list under deep supervision while training."""
        result: Tensor = self.body(x)
        if self.training and self.body.deep_supervision:
            return list(result.unbind(1))
        return result
