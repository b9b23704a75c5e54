"""Integrated gradients: attributions that add up to what the input changed in the score."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isocenter.core.errors import ParameterError
from isocenter.nets.attribution.features import Target, frozen, score_of

__all__ = ["IntegratedGradients", "integrated_gradients"]


@dataclass(frozen=True, eq=False)
class IntegratedGradients:
    """Attributions and whether they are complete.

    Attributes
    ----------
    values
        Shape of the input.
    difference
        Score of the input less that of the baseline, for each input.
    gap
        By how much the attributions of each input miss that difference, as a share of it.
    steps
        Points on the way from the baseline.
    tolerance
        Largest share that counts as complete.
    """

    values: Tensor
    difference: Tensor
    gap: Tensor
    steps: int
    tolerance: float

    @property
    def complete(self) -> bool:
        """Whether the attributions of every input add up to the difference."""
        return bool((self.gap <= self.tolerance).all())


def integrated_gradients(
    net: nn.Module,
    x: Tensor,
    target: Target,
    baseline: Tensor | None = None,
    *,
    steps: int = 32,
    most: int = 1024,
    tolerance: float = 0.01,
    batch: int = 8,
) -> IntegratedGradients:
    """Return the gradient of the score averaged on the straight way from a baseline, times the way.

    The number of points doubles until the attributions add up to the difference of the scores, or `most` is reached.

    Parameters
    ----------
    net
        Any network that can be differentiated.
    x
        Input, shape (inputs, channels, *spatial).
    target
        Class whose logit is explained, or a function of the output.
    baseline
        What stands for no finding, of the input's shape; zeros when None (of a normalised image: its mean).
    steps, most
        Points at first, and at most.
    tolerance
        Allowed gap as a share of the difference.
    batch
        Points that are computed at once: bounds memory.

    References
    ----------
    Sundararajan, Taly, Yan. Axiomatic attribution for deep networks. ICML 2017.
    """
    start = torch.zeros_like(x) if baseline is None else baseline.to(x).expand_as(x)
    if steps < 1 or most < steps or batch < 1:
        raise ParameterError(f"{steps} to {most} steps in batches of {batch}: expected 1 or more, rising.")
    way = x.detach() - start
    with frozen(net):
        with torch.no_grad():
            difference = score_of(net(x), target).double() - score_of(net(start), target).double()
        while True:
            mean = torch.stack([_mean_gradient(net, start[k], way[k], target, steps, batch) for k in range(len(x))])
            values = mean * way.double()
            reached = values.flatten(1).sum(1)
            # Two equal scores have nothing to share: a gap is then measured against a thousandth of a logit.
            gap = (reached - difference).abs() / difference.abs().clamp(min=1e-3)
            if bool((gap <= tolerance).all()) or 2 * steps > most:
                return IntegratedGradients(values.to(x), difference, gap, steps, tolerance)
            steps *= 2


def _mean_gradient(net: nn.Module, start: Tensor, way: Tensor, target: Target, steps: int, batch: int) -> Tensor:
    """Return the mean gradient at the middles of `steps` equal parts of the way."""
    total = torch.zeros_like(way, dtype=torch.float64)
    places = (torch.arange(steps, dtype=torch.float64, device=way.device) + 0.5) / steps
    for part in places.split(batch):
        share = part.to(way).reshape(-1, *[1] * way.ndim)
        with torch.enable_grad():
            points = (start + share * way).requires_grad_(True)
            (gradient,) = torch.autograd.grad(score_of(net(points), target).sum(), points)
        total += gradient.double().sum(0)
    return total / steps
