"""Networks by the name and parameters that a plan or a package gives, and the same network with other outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from isocenter import nets

__all__ = ["built_net", "complete", "last_layers", "shell", "weights_of", "with_outputs"]


def built_net(name: str, parameters: Mapping[str, Any]) -> nn.Module:
    """Return a new network: of `isocenter.nets`, one of MONAI's that was imported (``monai.UNet``), or one that came as ONNX (``onnx``).

    Parameters
    ----------
    name, parameters
        As a plan or a package describes them.
    """
    if name.startswith("monai."):
        from isocenter.nets.monai_bundle import Turned, monai_network

        return Turned(monai_network(name.removeprefix("monai."), parameters["arguments"]))
    if name == "onnx":
        from isocenter.nets.onnx_runtime import OnnxNetwork

        return OnnxNetwork(int(parameters["bytes"]))
    net: nn.Module = nets.build(name, **parameters)
    return net


def with_outputs(name: str, parameters: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    """Return the parameters of a network with another number of outputs.

    Parameters
    ----------
    name, parameters
        Of the network.
    outputs
        Channels of its scores.
    """
    if not name.startswith("monai."):
        return {**parameters, "out_channels": outputs}
    from isocenter.nets.monai_bundle import outputs_key

    key = outputs_key(name.removeprefix("monai."))
    return {**parameters, "arguments": {**parameters["arguments"], key: outputs}}


def complete(name: str, parameters: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    """Return the parameters of a network of whole images for a number of outputs; an imported one knows its channels and axes itself.

    Parameters
    ----------
    name
        Of the network.
    parameters
        Channels and axes among them.
    outputs
        Of the network.
    """
    whole = with_outputs(name, parameters, outputs)
    return {"arguments": whole["arguments"]} if name.startswith("monai.") else whole


def last_layers(name: str, parameters: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the weights whose shape depends on the number of outputs.

    Parameters
    ----------
    name, parameters
        Of the network.
    """
    few, more = (_shapes(name, with_outputs(name, parameters, outputs)) for outputs in (2, 3))
    return frozenset(key for key in {*few, *more} if few.get(key) != more.get(key))


def weights_of(name: str, parameters: Mapping[str, Any]) -> int:
    """Return how many numbers a network learns.

    Parameters
    ----------
    name, parameters
        Of the network.
    """
    return sum(p.numel() for p in shell(name, parameters).parameters())


def shell(name: str, parameters: Mapping[str, Any]) -> nn.Module:
    """Return a network without memory for its weights: for shapes and costs.

    Parameters
    ----------
    name, parameters
        Of the network.
    """
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return built_net(name, parameters)
        except (RuntimeError, NotImplementedError):  # some networks compute with their weights while they are built
            return built_net(name, parameters).to("meta")


def _shapes(name: str, parameters: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in shell(name, parameters).state_dict().items()}
