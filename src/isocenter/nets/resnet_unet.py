"""U-Net with the encoder of a ResNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isocenter.nets.encoder_unet import Decoder
from isocenter.nets.resnet import trunk

__all__ = ["ResnetUnet"]


class ResnetUnet(nn.Module):
    """U-Net whose encoder is a ResNet, so that the weights of a classifier can start it.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3. Each axis of an input is a multiple of 32.
    depth
        10, 18, 34, 50 or 101 layers.

    References
    ----------
    He et al. (2016) Deep residual learning for image recognition. CVPR.
    Ronneberger, Fischer, Brox (2015) U-Net. MICCAI.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 2, dimensions: int = 2, *, depth: int = 18) -> None:
        super().__init__()
        self.divisor = (32,) * dimensions
        self.encoder = trunk(depth, dimensions, in_channels)
        self.encoder.fc = nn.Identity()
        with torch.no_grad():  # the widths follow from the depth: ask the network itself
            widths = [f.shape[1] for f in self._features(torch.zeros(1, in_channels, *(32,) * dimensions), probe=True)]
        self.decoder = Decoder(dimensions, widths, (2,) * (len(widths) - 1), out_channels, before=2)

    def _features(self, x: Tensor, probe: bool = False) -> list[Tensor]:
        net = self.encoder
        training = net.training
        if probe:
            net.eval()  # one small image has no batch statistics
        first = net.act(net.bn1(net.conv1(x)))
        found = [first]
        x = net.maxpool(first)
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            found.append(x)
        net.train(training)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels, *spatial)."""
        result: Tensor = self.decoder(self._features(x))
        return result
