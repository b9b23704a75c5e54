"""Landmark net: a heat map per landmark, and its centre of mass as a differentiable position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isocenter.nets.unet import Unet

__all__ = ["HeatmapLandmarks", "landmark_loss", "soft_argmax"]


def soft_argmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the expected position and the spread of each heat map.

    Parameters
    ----------
    logits
        Shape (batch, landmarks, *spatial).

    Returns
    -------
    positions, spread
        Shape (batch, landmarks, axes), in samples, array order; the spread is the standard deviation along each axis.

    References
    ----------
    Nibali et al. (2018) Numerical coordinate regression with convolutional neural networks (DSNT). arXiv:1801.07372.
    """
    spatial = logits.shape[2:]
    weights = logits.float().flatten(2).softmax(2).reshape(logits.shape)
    positions, spread = [], []
    for axis, size in enumerate(spatial):
        others = [k + 2 for k in range(len(spatial)) if k != axis]
        line = weights.sum(others) if others else weights
        index = torch.arange(size, dtype=line.dtype, device=line.device)
        mean = (line * index).sum(2)
        positions.append(mean)
        spread.append(((line * (index - mean.unsqueeze(2)).square()).sum(2)).clamp(min=1e-12).sqrt())
    return torch.stack(positions, 2), torch.stack(spread, 2)


def landmark_loss(logits: Tensor, truth: Tensor, spread: float = 1.5, weight: float = 1.0) -> Tensor:
    """Return the mean distance to the true positions, plus how far each heat map is from a normal distribution around its own.

    The distance alone is content with a heat map of two equal peaks whose middle is right; the second part is not.

    Parameters
    ----------
    logits
        Shape (batch, landmarks, *spatial).
    truth
        Positions in samples (batch, landmarks, axes); NaN where a landmark is not visible: it takes no part.
    spread
        Standard deviation of the normal distribution in samples.
    weight
        Of the second part, a Kullback-Leibler divergence in nats.

    References
    ----------
    Nibali et al. (2018) Numerical coordinate regression with convolutional neural networks (DSNT). arXiv:1801.07372.
    """
    positions, _ = soft_argmax(logits)
    seen = torch.isfinite(truth).all(2)
    if not bool(seen.any()):
        return logits.sum() * 0.0
    wanted = truth[seen].to(positions.dtype)
    distance = (positions[seen] - wanted).square().sum(1).add(1e-6).sqrt()
    own = logits.float()[seen].flatten(1).log_softmax(1)
    normal = _normal(wanted, logits.shape[2:], spread).flatten(1)
    divergence = (normal * (normal.clamp(min=1e-12).log() - own)).sum(1)
    return distance.mean() + weight * divergence.mean()


def _normal(centres: Tensor, spatial: Sequence[int], spread: float) -> Tensor:
    """Return normal distributions around points (n, axes), each summing to 1 over the grid: shape (n, *spatial)."""
    result = torch.ones(len(centres), *([1] * len(spatial)), dtype=centres.dtype, device=centres.device)
    for axis, size in enumerate(spatial):
        index = torch.arange(size, dtype=centres.dtype, device=centres.device)
        # Taken relative to the nearest sample: a point beyond the edge must not make every value zero.
        exponent = -0.5 * ((index[None] - centres[:, axis : axis + 1]) / spread).square()
        line = (exponent - exponent.amax(1, keepdim=True)).exp()
        line = line / line.sum(1, keepdim=True)
        result = result * line.reshape(len(centres), *[size if k == axis else 1 for k in range(len(spatial))])
    return result


class HeatmapLandmarks(nn.Module):
    """Landmark net: a U-Net that gives one heat map per landmark.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; landmarks.
    dimensions
        2 or 3.
    channels
        Features of each level, the finest first.
    step
        Samples of the image per sample of the heat maps: 2 or 4 is faster, and the centre of mass keeps parts of a sample.

    References
    ----------
    Payer et al. (2019) Integrating spatial configuration into heatmap regression based CNNs for landmark localization. MedIA 54.
    Nibali et al. (2018) Numerical coordinate regression with convolutional neural networks (DSNT). arXiv:1801.07372.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        dimensions: int = 2,
        channels: Sequence[int] = (16, 32, 64, 64),
        *,
        step: int = 1,
    ) -> None:
        super().__init__()
        self.step = step
        self.body = Unet(in_channels, out_channels, dimensions, channels, norm="group")
        self.divisor = tuple(d * step for d in self.body.divisor)
        pool = {2: nn.AvgPool2d, 3: nn.AvgPool3d}[dimensions]
        self.shrink = pool(step) if step > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return heat maps (logits) of shape (batch, landmarks, *spatial / step)."""
        result: Tensor = self.body(self.shrink(x))
        return result

    def locate(self, x: Tensor) -> Tensor:
        """Return positions in samples of the image, (batch, landmarks, axes), array order."""
        positions, _ = soft_argmax(self(x))
        return positions * self.step + (self.step - 1) / 2.0
