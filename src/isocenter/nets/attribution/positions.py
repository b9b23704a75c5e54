"""Where on its input each place of a feature map lies.

A convolution of stride 2 with 3 weights and one sample of padding looks at samples 0, 2, 4 ..., not at 0.5, 2.5, 4.5 as
stretching its output over the extent of its input assumes. Five of them in a row put a stretched map half of 31 samples
off. Here the places are followed through the layers instead.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isocenter.nets.attribution.features import module_named, watched

__all__ = ["feature_positions", "on_input"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
#: Layers that change values, not places.
_POINTWISE = (
    "BatchNorm", "InstanceNorm", "GroupNorm", "LayerNorm", "ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "GELU", "SiLU", "Mish", "Dropout",
    "Swish", "MemoryEfficientSwish", "AlphaDropout", "Hardswish", "SELU", "_AveragePool",
)  # fmt: skip
_DIMENSIONS = re.compile(r"[123]d$")
#: Added to every coordinate, so that gates (sigmoids that multiply a map) are open wherever they look.
_FAR = 4096.0


class _Places(nn.Module):
    """The plain mean in the window of a convolution or a pooling; beyond the edge coordinates go on as a straight line."""

    def __init__(self, layer: nn.Module, channels: int | None) -> None:
        super().__init__()
        self.channels = channels
        self.layer = layer

    def _each(self, name: str, axes: int, default: int) -> list[int]:
        value = getattr(self.layer, name, default)
        if value is None:
            value = self.layer.kernel_size
        if isinstance(value, str):
            if value != "same":
                return [0] * axes
            spread = zip(self._each("kernel_size", axes, 1), self._each("dilation", axes, 1), strict=True)
            return [d * (k - 1) // 2 for k, d in spread]
        return [int(value)] * axes if isinstance(value, int) else [int(v) for v in value]

    def forward(self, x: Tensor) -> Tensor:
        """Return the coordinates at the places of the output."""
        axes = x.ndim - 2
        kernel, stride = self._each("kernel_size", axes, 1), self._each("stride", axes, 1)
        padding, dilation = self._each("padding", axes, 0), self._each("dilation", axes, 1)
        if self.channels is not None:
            x = x.mean(dim=1, keepdim=True)
        for k in range(axes):
            n = x.shape[k + 2]
            reach = dilation[k] * (kernel[k] - 1)
            whole = n + 2 * padding[k] - reach - 1
            count = (-(-whole // stride[k]) if getattr(self.layer, "ceil_mode", False) else whole // stride[k]) + 1
            x = _line(x, k + 2, torch.arange(count, dtype=x.dtype) * stride[k] - padding[k] + reach / 2.0)
        return x if self.channels is None else x.repeat(1, self.channels, *[1] * axes)


class _Around(nn.Module):
    """Padding as a layer of its own: coordinates go on as a straight line."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.padding = [int(v) for v in layer.padding]

    def forward(self, x: Tensor) -> Tensor:
        """Return the coordinates with those of the margin."""
        for k in range(len(self.padding) // 2):
            axis, before, after = x.ndim - 1 - k, self.padding[2 * k], self.padding[2 * k + 1]
            x = _line(x, axis, torch.arange(-before, x.shape[axis] + after, dtype=x.dtype))
        return x


def _line(x: Tensor, axis: int, places: Tensor) -> Tensor:
    """Return the straight line through the first two samples of an axis at other places."""
    first = x.narrow(axis, 0, 1)
    step = x.narrow(axis, 1, 1) - first if x.shape[axis] > 1 else torch.zeros_like(first)
    shape = [1] * x.ndim
    shape[axis] = len(places)
    return first + step * places.reshape(shape)


def _twin(net: nn.Module) -> nn.Module:
    """Return a network of the same plan that carries coordinates instead of features."""
    twin = copy.deepcopy(net).eval()
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            kind = _DIMENSIONS.sub("", type(child).__name__)
            if isinstance(child, _CONVOLUTIONS):
                setattr(parent, name, _Places(child, child.out_channels))
            elif isinstance(child, _POOLS):
                setattr(parent, name, _Places(child, None))
            elif kind in _POINTWISE:
                setattr(parent, name, nn.Identity())
            elif kind in ("ConstantPad", "ZeroPad", "ReflectionPad", "ReplicationPad"):
                setattr(parent, name, _Around(child))
    return twin.double()


def feature_positions(net: nn.Module, layer: str, shape: Sequence[int], channels: int) -> list[tuple[float, float]] | None:
    """Return step and first position of the feature map along each axis, in samples of the input.

    Parameters
    ----------
    net, layer
        The network and the name of the layer.
    shape
        Samples along each spatial axis of the input.
    channels
        Of the input.

    Returns
    -------
    list or None
        (step, first position) for each axis; None where places cannot be followed (attention, learned upsampling).
    """
    twin = _twin(net)
    axes = len(shape)
    probe = torch.full((1 + axes, channels, *shape), _FAR, dtype=torch.float64)
    for k, n in enumerate(shape):
        along = [1] * axes
        along[k] = n
        probe[k + 1] += torch.arange(n, dtype=torch.float64).reshape(along)
    with torch.no_grad(), watched(module_named(twin, layer)) as found:
        # What comes after the layer may refuse coordinates; only what reached the layer counts.
        try:
            twin(probe)
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError):
            if not found:
                return None
    seen = found[-1]
    if seen.ndim != axes + 2:
        return None
    mean = seen.mean(dim=1)
    result = []
    for k in range(axes):
        share = (_FAR * (mean[k + 1] - mean[0]) / mean[0]).movedim(k, 0)
        line = share.flatten(1).mean(1)
        step = float(line[1] - line[0]) if len(line) > 1 else float(shape[k])
        first = float(line[0])
        straight = first + step * torch.arange(len(line), dtype=torch.float64)
        flat = share - straight.reshape(-1, *[1] * (axes - 1))
        if not torch.isfinite(share).all() or step <= 0 or float(flat.abs().max()) > 1e-6 * max(shape):
            return None
        result.append((step, first))
    return result


def on_input(values: Tensor, shape: Sequence[int], positions: list[tuple[float, float]] | None) -> Tensor:
    """Return a feature map (batch, *places) at the samples of the input, linear between places and even beyond the last.

    Parameters
    ----------
    values
        Of the map.
    shape
        Samples of the input along each axis.
    positions
        As `feature_positions` gives them; None spreads the map over the extent of the input.
    """
    result = values
    for k, n in enumerate(shape):
        m = values.shape[k + 1]
        step, first = (n / m, (n / m - 1.0) / 2.0) if positions is None else positions[k]
        place = ((torch.arange(n, dtype=torch.float64) - first) / step).clamp(0.0, m - 1.0)
        low = place.floor().long().clamp(max=max(m - 2, 0))
        share = (place - low).to(values)
        high = (low + 1).clamp(max=m - 1)
        line = [1] * result.ndim
        line[k + 1] = n
        share = share.reshape(line)
        low, high = low.to(values.device), high.to(values.device)
        result = result.index_select(k + 1, low) * (1.0 - share) + result.index_select(k + 1, high) * share
    return result
