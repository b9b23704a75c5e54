"""Batch normalisation over the whole batch where several processes hold its parts, on any device."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from isocenter.learn.train import distributed

__all__ = ["SharedBatchNorm", "with_shared_norm"]


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation whose mean and variance are those of all processes; elsewhere, and in evaluation, the usual one."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of spatial axes."""

    def forward(self, input: Tensor) -> Tensor:
        """Return normalised samples of shape (batch, channels, *spatial)."""
        if not self.training or distributed.world() == 1:
            return super().forward(input)
        axes = [0, *range(2, input.ndim)]
        wide = (1, -1) + (1,) * (input.ndim - 2)
        values = input.float()
        count = values.numel() // values.shape[1] * distributed.world()
        mean = distributed.summed(values.sum(axes)) / count
        centred = values - mean.reshape(wide)
        variance = distributed.summed(centred.square().sum(axes)) / count
        self._follow(mean.detach(), variance.detach() * (count / max(count - 1, 1)))
        result = centred * (variance + self.eps).rsqrt().reshape(wide)
        if self.affine:
            result = result * self.weight.reshape(wide) + self.bias.reshape(wide)
        return result.to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, which evaluation uses."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance, share)


def with_shared_norm(net: nn.Module) -> nn.Module:
    """Replace each batch normalisation within a network, in place; weights, statistics and their names stay."""
    for name, child in net.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
            made = SharedBatchNorm(child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats)
            made._parameters, made._buffers, made.training = child._parameters, child._buffers, child.training
            setattr(net, name, made)
        else:
            with_shared_norm(child)
    return net
