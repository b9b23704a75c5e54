"""The feature maps of a network while it runs, and the score that an attribution explains."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from isocenter.core.errors import ParameterError, UnknownNameError, did_you_mean

__all__ = ["Target", "feature_maps", "frozen", "last_feature_map", "module_named", "places_of", "score_of", "watched"]

#: Index of a class (its logit, averaged over places where the network gives one for each), or a function of the output
#: that gives one number for each input.
Target = int | Callable[[Tensor], Tensor]


def score_of(output: Tensor, target: Target) -> Tensor:
    """Return the score of each input, shape (batch,)."""
    if callable(target):
        return target(output)
    if output.ndim < 2 or not 0 <= target < output.shape[1]:
        raise ParameterError(
            f"Class {target} of a network whose output has shape {tuple(output.shape)}: expected an index below {output.shape[-1]}."
        )
    chosen = output[:, target]
    return chosen.flatten(1).mean(1) if chosen.ndim > 1 else chosen


def module_named(net: nn.Module, name: str) -> nn.Module:
    """Return a part of a network.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    known = dict(net.named_modules())
    if name not in known or not name:
        raise UnknownNameError(f"The network has no layer '{name}'.{did_you_mean(name, known) or ' See named_modules().'}")
    return known[name]


@contextlib.contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Keep a network in evaluation and its weights without gradients, and put both back afterwards."""
    modes = {module: module.training for module in net.modules()}
    wanted = {weight: weight.requires_grad for weight in net.parameters()}
    net.eval()
    for weight in wanted:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for weight, needs in wanted.items():
            weight.requires_grad_(needs)


@contextlib.contextmanager
def watched(module: nn.Module) -> Iterator[list[Tensor]]:
    """Keep what a module gives while the block runs, one entry for each call."""
    found: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Tensor) -> Tensor:
        found.append(output)
        return output.clone()  # what follows may change its input in place

    handle = module.register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()


def feature_maps(net: nn.Module, x: Tensor) -> list[str]:
    """Return the names of the layers whose outputs have places, in the order in which they are called.

    Parameters
    ----------
    net
        Any network.
    x
        An input, shape (batch, channels, *spatial).
    """
    found: list[str] = []
    handles = []
    for name, module in net.named_modules():
        if name and not any(True for _ in module.children()):

            def note(_: nn.Module, __: object, output: object, name: str = name) -> None:
                if isinstance(output, Tensor) and output.ndim == x.ndim and max(output.shape[2:]) > 1:
                    found.append(name)

            handles.append(module.register_forward_hook(note))
    try:
        with torch.no_grad():
            net(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def last_feature_map(net: nn.Module, x: Tensor) -> str:
    """Return the name of the last layer whose output still has places.

    Parameters
    ----------
    net, x
        As of `feature_maps`.

    Raises
    ------
    ParameterError
        If no layer of the network gives a map.
    """
    found = feature_maps(net, x)
    if not found:
        raise ParameterError("No layer of the network gives a map of features: expected one; use integrated gradients instead.")
    return found[-1]


def places_of(net: nn.Module, x: Tensor, layer: str | None = None) -> tuple[int, ...]:
    """Return how many places the map of a layer (None: the last map) has along each axis: no map from it can be finer."""
    with frozen(net), torch.no_grad(), watched(module_named(net, layer or last_feature_map(net, x))) as found:
        net(x)
    return tuple(found[-1].shape[2:])
