"""Grad-CAM++: as Grad-CAM, but several objects of one class all count."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isocenter.nets.attribution.features import Target, frozen, last_feature_map
from isocenter.nets.attribution.grad_cam import features_and_gradient
from isocenter.nets.attribution.positions import feature_positions, on_input

__all__ = ["grad_cam_plus_plus"]


def grad_cam_plus_plus(net: nn.Module, x: Tensor, target: Target, layer: str | None = None) -> Tensor:
    """Return the Grad-CAM++ map: places where the gradient is positive weigh by how much of the score is theirs alone.

    Parameters
    ----------
    net, x, target, layer
        As for `grad_cam`.

    Returns
    -------
    Tensor
        Shape (batch, *spatial).

    References
    ----------
    Chattopadhay et al. Grad-CAM++: generalized gradient-based visual explanations for deep convolutional networks. WACV 2018,
    equation 19 (the score's exponential makes the higher derivatives powers of the gradient).
    """
    with frozen(net):
        layer = layer or last_feature_map(net, x)
    features, gradient = features_and_gradient(net, x, target, layer)
    unit = [1] * (x.ndim - 2)
    total = features.flatten(2).sum(2).reshape(*features.shape[:2], *unit)
    below = 2.0 * gradient**2 + total * gradient**3
    share = torch.where(below.abs() > 1e-20, gradient**2 / torch.where(below.abs() > 1e-20, below, 1.0), 0.0)
    weight = (share * gradient.relu()).flatten(2).sum(2).reshape(*gradient.shape[:2], *unit)
    cam = (weight * features).sum(1).relu()
    return on_input(cam, x.shape[2:], feature_positions(net, layer, x.shape[2:], x.shape[1]))
