"""Denoising autoencoder: it predicts the noise, and may be trained on noisy images alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isocenter.nets.unet import Unet

__all__ = ["DenoisingAutoencoder", "blind_loss", "blind_spots"]


class DenoisingAutoencoder(nn.Module):
    """Denoising autoencoder: an encoder and a decoder that predict what to take off a noisy image.

    Trained on pairs of noisy images of one object (Noise2Noise), on clean ones with noise added, or on single noisy images with
    `blind_spots` and `blind_loss` (Noise2Void). Noise2Void needs noise that is independent from sample to sample.

    Parameters
    ----------
    in_channels
        Channels of the image and of the result.
    dimensions
        2 or 3.
    channels
        Features of each level, the finest first.
    residual
        Predict the noise and subtract it; otherwise predict the image.

    References
    ----------
    Lehtinen et al. (2018) Noise2Noise: learning image restoration without clean data. ICML.
    Krull, Buchholz, Jug (2019) Noise2Void: learning denoising from single noisy images. CVPR.
    """

    def __init__(
        self, in_channels: int = 1, dimensions: int = 2, channels: Sequence[int] = (16, 32, 64), *, residual: bool = True
    ) -> None:
        super().__init__()
        self.body = Unet(in_channels, in_channels, dimensions, channels, norm="none")
        self.divisor = self.body.divisor
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Return the denoised image, of the input's shape."""
        found: Tensor = self.body(x)
        return x - found if self.residual else found


def blind_spots(image: Tensor, part: float = 0.02, radius: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return a copy of noisy images in which some samples are replaced by neighbours, and where.

    Parameters
    ----------
    image
        Shape (batch, channels, *spatial).
    part
        Part of the samples that are replaced.
    radius
        Neighbours lie up to this many samples away along each axis, never at the place itself.
    seed
        Chooses places and neighbours.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (image.shape[0], 1, *image.shape[2:])
    where = (torch.rand(shape, generator=generator) < part).to(image.device)
    places = where[:, 0].nonzero()
    spatial = torch.tensor(image.shape[2:], device=image.device)
    axes = len(spatial)
    shift = torch.randint(-radius, radius + 1, (len(places), axes), generator=generator).to(image.device)
    target = places[:, 1:] + shift
    # Beyond the border the neighbour is the mirrored one; a shift of nothing, or back onto itself, takes the next sample.
    target = torch.where(target < 0, -target, target)
    target = torch.where(target >= spatial, 2 * (spatial - 1) - target, target).clamp(min=0)
    own = (target == places[:, 1:]).all(1)
    last = target[:, -1]
    target[:, -1] = torch.where(own, torch.where(last + 1 < spatial[-1], last + 1, last - 1), last)
    replaced = image.clone()
    source = (places[:, 0], slice(None), *target.unbind(1))
    replaced[(places[:, 0], slice(None), *places[:, 1:].unbind(1))] = image[source]
    return replaced, where


def blind_loss(prediction: Tensor, image: Tensor, where: Tensor) -> Tensor:
    """Return the mean squared error to the noisy image at the replaced samples only."""
    weight = where.to(prediction.dtype).expand_as(prediction)
    return ((prediction - image).square() * weight).sum() / weight.sum().clamp(min=1.0)
