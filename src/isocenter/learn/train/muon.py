"""Muon: momentum whose matrices are made orthogonal before they are stepped along; what is no matrix is trained by AdamW.

Of the same number of steps it makes more than AdamW, and costs a few products of matrices a step, which pay off where a batch costs
more than they do. `docs/concepts/training.md` tells what was measured.

References
----------
Jordan et al. (2024) Muon: an optimizer for hidden layers in neural networks (the coefficients of the Newton-Schulz iteration).
Bernstein, Newhouse (2024) Old optimizer, new norm: an anthology. arXiv:2409.20325.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isocenter.learn.train.decay import decay_groups

__all__ = ["Muon", "hidden", "operations", "orthogonal"]

#: Step of an orthogonal update, in multiples of the learning rate that suits AdamW.
FACTOR = 15.0

#: Quintic Newton-Schulz iteration whose slope at 0 is steepest: singular values come to between 0.7 and 1.2, which is enough.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon:
    """An optimizer for the hidden layers of a network, with AdamW for its first and last layers, norms and shifts.

    Parameters
    ----------
    net
        Its parameters that need gradients.
    learning_rate
        One that suits AdamW; orthogonal updates take `FACTOR` times it.
    momentum
        Of the gradients, with Nesterov's correction.
    weight_decay
        Decoupled, of weights with two axes or more.
    """

    def __init__(self, net: nn.Module, learning_rate: float, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        inner = list(hidden(net))
        taken = {id(p) for p in inner}
        groups = decay_groups((p for p in net.parameters() if id(p) not in taken), weight_decay)
        self.parts: list[torch.optim.Optimizer] = []
        if inner:
            self.parts.append(_Orthogonal(inner, learning_rate, momentum, weight_decay))
        if groups:
            self.parts.append(torch.optim.AdamW(groups, lr=learning_rate))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts; ``lr`` of each may be set."""
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        """Change the weights by their gradients."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parts."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the state that `state_dict` gave."""
        for part, kept in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(kept)


def hidden(net: nn.Module) -> Iterable[nn.Parameter]:
    """Give the weights of layers between others: those of images (few columns in) and of scores (few rows out) are left out."""
    for parameter in net.parameters():
        if parameter.requires_grad and parameter.ndim > 1 and min(parameter.shape[:2]) >= 4:
            yield parameter


def orthogonal(matrix: Tensor, iterations: int = _ITERATIONS) -> Tensor:
    """Return about the nearest matrix with orthogonal rows or columns, times a number near 1.

    Parameters
    ----------
    matrix
        Shape (rows, columns).
    iterations
        Of Newton and Schulz.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    found = (matrix.T if tall else matrix).to(_precision(matrix.device))
    found = found / (found.norm() + 1e-7)
    for _ in range(iterations):
        square = found @ found.T
        found = a * found + (b * square + c * (square @ square)) @ found
    return (found.T if tall else found).to(matrix.dtype)


def _precision(device: torch.device) -> torch.dtype:
    """Return what matrices are multiplied in: only directions matter, and eight bits are enough where they are the faster ones."""
    slow = device.type == "cpu" and torch.backends.cpu.get_cpu_capability() != "AVX512"  # four times as slow as float32 with AVX2
    return torch.float32 if slow else torch.bfloat16


def operations(shape: Sequence[int], iterations: int = _ITERATIONS) -> int:
    """Return the multiplications and additions of the products of matrices that `orthogonal` takes.

    Parameters
    ----------
    shape
        Of weights: rows, and what is flattened to columns.
    iterations
        Of Newton and Schulz.
    """
    less, more = sorted((shape[0], math.prod(shape[1:])))
    return iterations * (4 * less * less * more + 2 * less**3)


class _Orthogonal(torch.optim.Optimizer):
    """Steps along orthogonal matrices."""

    def __init__(self, parameters: list[nn.Parameter], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            rate = FACTOR * group["lr"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "average" not in state:
                    state["average"] = torch.zeros_like(parameter)
                average = state["average"].lerp_(parameter.grad, 1.0 - group["momentum"])
                update = parameter.grad.lerp(average, group["momentum"]).flatten(1)
                rows, columns = update.shape
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                parameter.add_(orthogonal(update).view_as(parameter), alpha=-rate * max(1.0, rows / columns) ** 0.5)
