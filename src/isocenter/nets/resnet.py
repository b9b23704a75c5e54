"""ResNet, MONAI's."""

from __future__ import annotations

from monai.networks.nets import resnet as monai_resnet
from torch import Tensor, nn

from isocenter.core.errors import ParameterError

__all__ = ["Resnet", "trunk"]

_DEPTHS = {
    10: monai_resnet.resnet10,
    18: monai_resnet.resnet18,
    34: monai_resnet.resnet34,
    50: monai_resnet.resnet50,
    101: monai_resnet.resnet101,
}


def trunk(depth: int, dimensions: int, in_channels: int, classes: int = 2, width: float = 1.0) -> nn.Module:
    """Return MONAI's ResNet of a depth and width; its parts are ``conv1 bn1 act maxpool layer1 .. layer4 avgpool fc``."""
    if not 0.0 < width <= 4.0 or int(64 * width) < 1:
        raise ParameterError(f"ResNet of width {width:g}: expected a share of the usual features, 1/64 to 4.")
    if depth not in _DEPTHS:
        raise ParameterError(f"ResNet of depth {depth}: expected one of {', '.join(map(str, _DEPTHS))}.")
    net: nn.Module = _DEPTHS[depth](
        spatial_dims=dimensions,
        n_input_channels=in_channels,
        num_classes=classes,
        shortcut_type="B",
        conv1_t_stride=2,
        widen_factor=width,
    )
    return net


class Resnet(nn.Module):
    """ResNet: a classifier of residual blocks.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3.
    depth
        10, 18, 34, 50 or 101 layers.
    width
        Share of the usual features (64 to 512): 0.25 is a small network for small cohorts.

    References
    ----------
    He et al. (2016) Deep residual learning for image recognition. CVPR.
    """

    def __init__(
        self, in_channels: int = 1, out_channels: int = 2, dimensions: int = 2, *, depth: int = 18, width: float = 1.0
    ) -> None:
        super().__init__()
        self.body = trunk(depth, dimensions, in_channels, out_channels, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels)."""
        result: Tensor = self.body(x)
        return result
