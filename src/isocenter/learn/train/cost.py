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
from isocenter.learn.train.settings import FitSettings

__all__ = ["NOMINAL_RATE", "nominal_seconds", "step_seconds", "training_bytes"]

#: Operations (multiplications and additions) a second of the nominal machine: about two cores without an accelerator.
NOMINAL_RATE = 60e9


def training_bytes(network: str, parameters: Mapping[str, Any], shape: Sequence[int]) -> int:
    """Return the bytes that weights, gradients, the optimizer's state and the activations of a batch take.

    Parameters
    ----------
    network, parameters
        Name in `isocenter.nets` and its parameters.
    shape
        (batch, channels, *spatial) of the input.
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
    return 4 * weights + int(1.5 * kept[0]) + 4 * image.numel()  # the gradients of two layers stand beside the activations


def nominal_seconds(network: str, parameters: Mapping[str, Any], shape: Sequence[int]) -> float:
    """Return the seconds of one training step on the nominal machine: forward once, backward twice as much.

    Parameters
    ----------
    network, parameters
        Name in `isocenter.nets` and its parameters.
    shape
        (batch, channels, *spatial) of the input.
    """
    net, image = shell(network, parameters).train(), torch.empty(tuple(shape), device="meta")
    with FlopCounterMode(display=False) as counter:
        net(image)
    return 3.0 * counter.get_total_flops() / NOMINAL_RATE


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
            seconds = time.perf_counter() - start
    return seconds
