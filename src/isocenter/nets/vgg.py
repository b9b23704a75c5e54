"""VGG in two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from isocenter.core.errors import ParameterError
from isocenter.nets.blocks import convolution, max_pool, normalisation

__all__ = ["Vgg", "stages"]

#: Convolutions of each of the five stages.
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def stages(depth: int, dimensions: int, in_channels: int, features: Sequence[int], norm: str) -> list[nn.Sequential]:
    """Return the convolutions of each stage, without the pooling between them."""
    if depth not in _DEPTHS:
        raise ParameterError(f"VGG of depth {depth}: expected one of {', '.join(map(str, _DEPTHS))}.")
    if len(features) != 5:
        raise ParameterError(f"VGG with features {tuple(features)}: expected one number for each of five stages.")
    found = []
    before = in_channels
    for count, after in zip(_DEPTHS[depth], features, strict=True):
        layers: list[nn.Module] = []
        for _ in range(count):
            layers += [
                convolution(dimensions, before, after, bias=norm == "none"),
                normalisation(norm, dimensions, after),
                nn.ReLU(),
            ]
            before = after
        found.append(nn.Sequential(*layers))
    return found


class Vgg(nn.Module):
    """VGG: a classifier of stacked small convolutions; the mean over positions replaces its large dense layers.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3.
    depth
        11, 13, 16 or 19 layers.
    features
        Of each of the five stages.
    norm
        ``batch``, ``instance``, ``group`` or ``none``.
    dropout
        Probability of dropping a feature before the last layer.

    References
    ----------
    Simonyan, Zisserman (2015) Very deep convolutional networks for large-scale image recognition. ICLR.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 2,
        *,
        depth: int = 16,
        features: Sequence[int] = (64, 128, 256, 512, 512),
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for k, stage in enumerate(stages(depth, dimensions, in_channels, features, norm)):
            if k:
                parts.append(max_pool(dimensions))
            parts.append(stage)
        self.body = nn.Sequential(*parts)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features[-1], out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels)."""
        result: Tensor = self.head(self.body(x).flatten(2).mean(2))
        return result
