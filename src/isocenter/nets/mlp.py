"""Multi-layer perceptron for tables of features."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["Mlp"]


class Mlp(nn.Module):
    """Multi-layer perceptron: dense layers with normalisation and dropout between them.

    Parameters
    ----------
    in_channels, out_channels
        Columns of the table; classes (logits) or numbers of the result.
    hidden
        Width of each hidden layer.
    dropout
        Probability of dropping a value.
    """

    def __init__(
        self, in_channels: int = 1, out_channels: int = 2, *, hidden: Sequence[int] = (64, 32), dropout: float = 0.0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = in_channels
        for width in hidden:
            layers += [nn.Linear(before, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout)]
            before = width
        self.layers = nn.Sequential(*layers, nn.Linear(before, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of rows (batch, in_channels)."""
        result: Tensor = self.layers(x)
        return result
