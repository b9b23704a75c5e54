"""What a training step takes: memory and arithmetic counted without computing, time by taking one step on zeros.

How long a training is follows from its arithmetic and a nominal machine, never from a clock: the same budget gives the same plan on
every machine, and so the same network. The clock is asked for the forecast that is shown, and for nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from isocenter.learn.train.architecture import built_net, shell
from isocenter.learn.train.muon import Muon, hidden, operations
from isocenter.learn.train.settings import FitSettings, Optimizer

__all__ = ["NOMINAL_RATE", "nominal_seconds", "optimizer_seconds", "step_seconds", "suited_optimizer", "training_bytes"]

#: Operations (multiplications and additions) a second of the nominal machine: about two cores without an accelerator.
NOMINAL_RATE = 60e9
#: The same of the products of matrices of Muon, in bfloat16: 116 to 153e9 were measured for matrices of 128 and 256 rows, less below.
PRODUCT_RATE = 150e9
#: Seconds that Muon takes of a matrix beside its products (averages, copies, and that small products are slow): 0.5 to 1.4 ms measured.
MATRIX_SECONDS = 1e-3
#: Muon is taken where it adds at most this part to a step, unless more was shown to be worth it.
MOST_ADDED = 0.75


def training_bytes(network: str, parameters: Mapping[str, Any], shape: Sequence[int], optimizer: Optimizer = "adamw") -> int:
    """Return the bytes that weights, gradients, the optimizer's state and the activations of a batch take.

    Parameters
    ----------
    network, parameters
        Name in `isocenter.nets` and its parameters.
    shape
        (batch, channels, *spatial) of the input.
    optimizer
        It keeps two averages of each weight (AdamW) or one (SGD, and Muon of the weights of hidden layers).
    """
    net, image = shell(network, parameters).train(), torch.empty(tuple(shape), device="meta")
    kept = [0]

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not any(module.children()):
            kept[0] += 4 * output.numel()

    for module in net.modules():
        module.register_forward_hook(count)
    net(image)
    weights = sum(4 * p.numel() for p in net.parameters())
    averages = weights if optimizer == "sgd" else 2 * weights
    if optimizer == "muon":
        averages -= sum(4 * p.numel() for p in hidden(net))
    return 2 * weights + averages + int(1.5 * kept[0]) + 4 * image.numel()  # gradients of two layers stand beside the activations


def nominal_seconds(network: str, parameters: Mapping[str, Any], shape: Sequence[int], optimizer: Optimizer = "adamw") -> float:
    """Return the seconds of one training step on the nominal machine: forward once, backward twice as much.

    Parameters
    ----------
    network, parameters
        Name in `isocenter.nets` and its parameters.
    shape
        (batch, channels, *spatial) of the input.
    optimizer
        What it takes is added.
    """
    net, image = shell(network, parameters).train(), torch.empty(tuple(shape), device="meta")
    with FlopCounterMode(display=False) as counter:
        net(image)
    return 3.0 * counter.get_total_flops() / NOMINAL_RATE + optimizer_seconds(network, parameters, optimizer)


def optimizer_seconds(network: str, parameters: Mapping[str, Any], optimizer: Optimizer) -> float:
    """Return the seconds that an optimizer takes of a step on the nominal machine, whatever the batch: 0 for all but Muon.

    Parameters
    ----------
    network, parameters
        Name in `isocenter.nets` and its parameters.
    optimizer
        Its name.
    """
    if optimizer != "muon":
        return 0.0
    return sum(MATRIX_SECONDS + operations(p.shape) / PRODUCT_RATE for p in hidden(shell(network, parameters)))


def suited_optimizer(network: str, parameters: Mapping[str, Any], shape: Sequence[int], most: float = MOST_ADDED) -> Optimizer:
    """Return ``muon`` where it adds little to a step, else ``adamw``: of small batches of small patches it would take most of the time.

    Parameters
    ----------
    network, parameters
        Name in `isocenter.nets` and its parameters.
    shape
        (batch, channels, *spatial) of the input.
    most
        Part of a step with AdamW that it may add.
    """
    added = optimizer_seconds(network, parameters, "muon")
    return "muon" if added <= most * nominal_seconds(network, parameters, shape) else "adamw"


def step_seconds(network: str, parameters: Mapping[str, Any], shape: Sequence[int], settings: FitSettings) -> float:
    """Return the wall seconds of one training step on this machine (the second of two: the first one prepares kernels)."""
    with torch.random.fork_rng(devices=[]):
        net = built_net(network, parameters).train()
        image = torch.zeros(tuple(shape))
        if settings.channels_last and image.ndim == 4:
            image = image.contiguous(memory_format=torch.channels_last)
        seconds = 0.0
        for _ in range(2):
            start = time.perf_counter()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings.precision == "bfloat16"):
                output = net(image)
            levels = [output] if isinstance(output, Tensor) else list(output)
            torch.autograd.backward(torch.stack([level.float().square().mean() for level in levels]).sum())
            if settings.optimizer == "muon":  # what other optimizers take is nothing beside the arithmetic
                Muon(net, settings.learning_rate).step()
            seconds = time.perf_counter() - start
    return seconds
