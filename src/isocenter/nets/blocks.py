"""Building blocks that several networks share, for one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.core.errors import ParameterError

__all__ = [
    "ConvBlock",
    "ResidualBlock",
    "average_pool",
    "batch_norm",
    "convolution",
    "max_pool",
    "normalisation",
    "same",
    "transposed",
]

_CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_INSTANCE = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
_BATCH = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_DROPOUT = {1: nn.Dropout1d, 2: nn.Dropout2d, 3: nn.Dropout3d}
_AVERAGE = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_MAX = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}


def same(value: int | Sequence[int], dimensions: int) -> tuple[int, ...]:
    """Return one whole number per axis."""
    if isinstance(value, int):
        return (value,) * dimensions
    found = tuple(int(v) for v in value)
    if len(found) != dimensions:
        raise ParameterError(f"{found} for {dimensions} axes: expected one number, or one per axis.")
    return found


def _kind(table: dict[int, Any], dimensions: int) -> Any:
    if dimensions not in table:
        raise ParameterError(f"A network of {dimensions} dimensions: expected {' or '.join(map(str, table))}.")
    return table[dimensions]


def convolution(
    dimensions: int, before: int, after: int, kernel: int | Sequence[int] = 3, stride: int | Sequence[int] = 1, bias: bool = True
) -> nn.Module:
    """Return a convolution that keeps the size at stride 1 (odd kernels)."""
    kernel = same(kernel, dimensions)
    return _kind(_CONV, dimensions)(
        before, after, kernel, same(stride, dimensions), padding=tuple(k // 2 for k in kernel), bias=bias
    )


def transposed(dimensions: int, before: int, after: int, stride: int | Sequence[int] = 2, bias: bool = False) -> nn.Module:
    """Return a transposed convolution that undoes a stride."""
    step = same(stride, dimensions)
    return _kind(_TRANSPOSED, dimensions)(before, after, step, step, bias=bias)


def batch_norm(dimensions: int, features: int) -> nn.Module:
    """Return batch normalisation."""
    return _kind(_BATCH, dimensions)(features)


def max_pool(dimensions: int, kernel: int = 2, stride: int | None = None, padding: int = 0) -> nn.Module:
    """Return max pooling."""
    return _kind(_MAX, dimensions)(kernel, stride, padding)


def average_pool(dimensions: int, kernel: int = 3) -> nn.Module:
    """Return average pooling that keeps the size (odd kernels); what lies outside does not count."""
    return _AveragePool(dimensions, kernel)


class _AveragePool(nn.Module):
    """Pads by itself: torch's pooling of volumes refuses maps that are smaller than the kernel even where it pads them."""

    def __init__(self, dimensions: int, kernel: int) -> None:
        super().__init__()
        self.pool = _kind(_AVERAGE, dimensions)(kernel, 1)
        self.pads = (kernel // 2,) * (2 * dimensions)

    def forward(self, x: Tensor) -> Tensor:
        count = self.pool(functional.pad(torch.ones_like(x[:1, :1]), self.pads))
        result: Tensor = self.pool(functional.pad(x, self.pads)) / count
        return result


def normalisation(norm: str, dimensions: int, features: int) -> nn.Module:
    """Return a normalising layer by name: ``instance``, ``batch``, ``group`` or ``none``."""
    if norm == "instance":
        return _kind(_INSTANCE, dimensions)(features, affine=True)
    if norm == "batch":
        return batch_norm(dimensions, features)
    if norm == "group":
        return nn.GroupNorm(max(g for g in (8, 4, 2, 1) if features % g == 0), features)
    if norm == "none":
        return nn.Identity()
    raise ParameterError(f"Normalisation '{norm}' of a network: expected instance, batch, group or none.")


class ConvBlock(nn.Module):
    """Two convolutions, each normalised and rectified; the first takes the stride."""

    def __init__(
        self,
        dimensions: int,
        before: int,
        after: int,
        kernel: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        norm: str = "instance",
        dropout: float = 0.0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k in range(2):
            layers.append(
                convolution(dimensions, after if k else before, after, kernel, 1 if k else stride, bias=bias or norm == "none")
            )
            layers.append(normalisation(norm, dimensions, after))
            if dropout:
                layers.append(_kind(_DROPOUT, dimensions)(dropout))
            layers.append(nn.LeakyReLU(0.01, inplace=True))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the stride's size."""
        result: Tensor = self.layers(x)
        return result


class ResidualBlock(nn.Module):
    """Two convolutions with a shortcut around them; the first takes the stride."""

    def __init__(
        self,
        dimensions: int,
        before: int,
        after: int,
        kernel: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        norm: str = "instance",
        dropout: float = 0.0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        plain = bias or norm == "none"
        layers: list[nn.Module] = [
            convolution(dimensions, before, after, kernel, stride, bias=plain),
            normalisation(norm, dimensions, after),
            nn.LeakyReLU(0.01, inplace=True),
            convolution(dimensions, after, after, kernel, 1, bias=plain),
            normalisation(norm, dimensions, after),
        ]
        if dropout:
            layers.insert(2, _kind(_DROPOUT, dimensions)(dropout))
        self.layers = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        # The samples are taken here and not by the convolution: torch 2.13 writes beyond its memory in the gradient of one with a kernel
        # of 1, a stride and few channels, where the layout has the channels last.
        self.steps = tuple(slice(None, None, s) for s in same(stride, dimensions))
        if before != after or any(s.step != 1 for s in self.steps):
            self.shortcut = nn.Sequential(
                convolution(dimensions, before, after, 1, bias=plain), normalisation(norm, dimensions, after)
            )
        self.last = nn.LeakyReLU(0.01, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the stride's size."""
        result: Tensor = self.last(self.layers(x) + self.shortcut(x[(..., *self.steps)]))
        return result
