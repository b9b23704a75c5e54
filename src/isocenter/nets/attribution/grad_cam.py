"""Grad-CAM: which places of a feature map raise the score."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isocenter.core.errors import ParameterError
from isocenter.nets.attribution.features import Target, frozen, last_feature_map, module_named, score_of, watched
from isocenter.nets.attribution.positions import feature_positions, on_input

__all__ = ["features_and_gradient", "grad_cam"]


def features_and_gradient(net: nn.Module, x: Tensor, target: Target, layer: str) -> tuple[Tensor, Tensor]:
    """Return the feature map of a layer and the gradient of the score with respect to it, both (batch, features, *places).

    Raises
    ------
    ParameterError
        If the layer gives no map, or the score does not depend on it.
    """
    with frozen(net), torch.enable_grad(), watched(module_named(net, layer)) as found:
        scores = score_of(net(x.detach().clone().requires_grad_(True)), target)
        if not found or not isinstance(found[-1], Tensor) or found[-1].ndim != x.ndim:
            raise ParameterError(f"Layer '{layer}' gives no map of features: expected one with as many axes as the input.")
        (gradient,) = torch.autograd.grad(scores.sum(), found[-1], allow_unused=True)
    if gradient is None:
        raise ParameterError(f"The score does not depend on layer '{layer}': expected a layer between input and output.")
    return found[-1].detach(), gradient


def grad_cam(net: nn.Module, x: Tensor, target: Target, layer: str | None = None) -> Tensor:
    """Return the Grad-CAM map: feature maps weighted by their mean gradient, and what is negative cut off.

    Parameters
    ----------
    net
        A network in two or three dimensions.
    x
        Input, shape (batch, channels, *spatial).
    target
        Class whose logit is explained, or a function of the output.
    layer
        Name of the layer; None takes the last one whose output still has places.

    Returns
    -------
    Tensor
        Shape (batch, *spatial): on the samples of the input, each place of the map where its layer looks.

    References
    ----------
    Selvaraju et al. Grad-CAM: visual explanations from deep networks via gradient-based localization. ICCV 2017.
    """
    with frozen(net):
        layer = layer or last_feature_map(net, x)
    features, gradient = features_and_gradient(net, x, target, layer)
    weight = gradient.flatten(2).mean(2).reshape(*gradient.shape[:2], *[1] * (x.ndim - 2))
    cam = (weight * features).sum(1).relu()
    return on_input(cam, x.shape[2:], feature_positions(net, layer, x.shape[2:], x.shape[1]))
