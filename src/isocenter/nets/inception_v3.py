"""Inception v3 in two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from isocenter.nets.blocks import average_pool, batch_norm, convolution, max_pool

__all__ = ["InceptionV3"]

#: Scales a published number of features.
Width = Callable[[int], int]


class InceptionV3(nn.Module):
    """Inception v3: a classifier of parallel branches with factorised convolutions.

    In three dimensions a convolution of n x 1 and 1 x n becomes one along each axis in turn. The auxiliary classifier is left out.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image; classes of the result (logits).
    dimensions
        2 or 3. Each axis of an input has 75 samples or more.
    width
        Part of the published number of features of every layer.
    dropout
        Probability of dropping a feature before the last layer.

    References
    ----------
    Szegedy et al. (2016) Rethinking the Inception architecture for computer vision. CVPR.
    """

    def __init__(
        self, in_channels: int = 1, out_channels: int = 2, dimensions: int = 2, *, width: float = 1.0, dropout: float = 0.5
    ) -> None:
        super().__init__()
        d = dimensions

        def w(features: int) -> int:
            return max(round(features * width), 4)

        self.stem = nn.Sequential(
            _unit(d, in_channels, w(32), 3, stride=2, pad=False),
            _unit(d, w(32), w(32), 3, pad=False),
            _unit(d, w(32), w(64), 3),
            max_pool(d, 3, 2),
            _unit(d, w(64), w(80), 1),
            _unit(d, w(80), w(192), 3, pad=False),
            max_pool(d, 3, 2),
        )
        blocks: list[nn.Module] = []
        before = w(192)
        for pooled in (32, 64, 64):
            blocks.append(_Branches(_block_a(d, before, pooled, w)))
            before = w(64) + w(64) + w(96) + w(pooled)
        blocks.append(_Branches(_reduction_a(d, before, w)))
        before = w(384) + w(96) + before
        for middle in (128, 160, 160, 192):
            blocks.append(_Branches(_block_b(d, before, middle, w)))
            before = 4 * w(192)
        blocks.append(_Branches(_reduction_b(d, before, w)))
        before = w(320) + w(192) + before
        for _ in range(2):
            blocks.append(_Branches(_block_c(d, before, w)))
            before = w(320) + 2 * d * w(384) + w(192)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(before, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, out_channels)."""
        result: Tensor = self.head(self.blocks(self.stem(x)).flatten(2).mean(2))
        return result


class _Branches(nn.Module):
    """Parallel branches whose features stand side by side; the last step of a branch may fork once more."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _unit(d: int, before: int, after: int, kernel: int | Sequence[int], stride: int = 1, pad: bool = True) -> nn.Module:
    layer = convolution(d, before, after, kernel, stride, bias=False)
    if not pad:
        layer.padding = (0,) * d
    return nn.Sequential(layer, batch_norm(d, after), nn.ReLU())


def _lines(d: int, size: int) -> list[tuple[int, ...]]:
    """Return one kernel along each axis, the last axis first."""
    return [tuple(size if k == axis else 1 for k in range(d)) for axis in reversed(range(d))]


def _block_a(d: int, n: int, pooled: int, w: Width) -> list[nn.Module]:
    return [
        _unit(d, n, w(64), 1),
        nn.Sequential(_unit(d, n, w(48), 1), _unit(d, w(48), w(64), 5)),
        nn.Sequential(_unit(d, n, w(64), 1), _unit(d, w(64), w(96), 3), _unit(d, w(96), w(96), 3)),
        nn.Sequential(average_pool(d), _unit(d, n, w(pooled), 1)),
    ]


def _reduction_a(d: int, n: int, w: Width) -> list[nn.Module]:
    return [
        _unit(d, n, w(384), 3, stride=2, pad=False),
        nn.Sequential(_unit(d, n, w(64), 1), _unit(d, w(64), w(96), 3), _unit(d, w(96), w(96), 3, stride=2, pad=False)),
        max_pool(d, 3, 2),
    ]


def _block_b(d: int, n: int, middle: int, w: Width) -> list[nn.Module]:
    def chain(lines: Sequence[tuple[int, ...]]) -> nn.Module:
        last = len(lines) - 1
        steps = [_unit(d, w(middle), w(192) if k == last else w(middle), s) for k, s in enumerate(lines)]
        return nn.Sequential(_unit(d, n, w(middle), 1), *steps)

    return [
        _unit(d, n, w(192), 1),
        chain(_lines(d, 7)),
        chain([*_lines(d, 7), *_lines(d, 7)]),
        nn.Sequential(average_pool(d), _unit(d, n, w(192), 1)),
    ]


def _reduction_b(d: int, n: int, w: Width) -> list[nn.Module]:
    lines = [_unit(d, w(192), w(192), s) for s in _lines(d, 7)]
    return [
        nn.Sequential(_unit(d, n, w(192), 1), _unit(d, w(192), w(320), 3, stride=2, pad=False)),
        nn.Sequential(_unit(d, n, w(192), 1), *lines, _unit(d, w(192), w(192), 3, stride=2, pad=False)),
        max_pool(d, 3, 2),
    ]


def _block_c(d: int, n: int, w: Width) -> list[nn.Module]:
    def fork() -> nn.Module:
        return _Branches([_unit(d, w(384), w(384), s) for s in _lines(d, 3)])

    return [
        _unit(d, n, w(320), 1),
        nn.Sequential(_unit(d, n, w(384), 1), fork()),
        nn.Sequential(_unit(d, n, w(448), 1), _unit(d, w(448), w(384), 3), fork()),
        nn.Sequential(average_pool(d), _unit(d, n, w(192), 1)),
    ]
