"""How the small networks of a proof are trained, chosen from the sizes of the images and the budget, or from a network to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from isocenter.learn.package.start import Start
from isocenter.learn.train.architecture import complete
from isocenter.learn.train.cost import nominal_seconds

__all__ = ["LEAST_EPOCHS", "SIDES", "NetworkPlan", "plan_network"]

#: Samples along the longest side that are tried, the most first: the first that leaves time to learn is taken.
SIDES = {2: (128, 96, 64, 48, 32), 3: (64, 48, 32)}
LEAST_EPOCHS, _ENOUGH_EPOCHS, _MOST_EPOCHS = 2, 24, 40
_DEPTH, _WIDTH, _BATCH = 18, 0.25, 16


@dataclass(frozen=True)
class NetworkPlan:
    """How each network of a proof is trained: chosen from the sizes of the images and the budget, before any score is seen.

    Attributes
    ----------
    size
        Samples that images are brought to along each axis.
    channels
        Of an image.
    epochs, batch
        Of a training.
    parts
        Networks of a fold: each is trained without one of so many parts of the fold's training patients.
    depth, width
        Of the ResNet.
    seed
        Of everything random.
    task
        ``classification`` or ``regression``.
    start
        Digest of the package whose weights are begun with, its network and what that was built with; None begins with random weights of a
        ResNet.
    quantity
        What samples measure, where they are shown on the scale of it; None where each image is normalised by itself.
    """

    size: tuple[int, ...]
    channels: int
    epochs: int
    batch: int = _BATCH
    parts: int = 3
    depth: int = _DEPTH
    width: float = _WIDTH
    seed: int = 0
    task: Literal["classification", "regression"] = "classification"
    start: tuple[str, str, Mapping[str, Any]] | None = None
    quantity: str | None = None

    @property
    def network(self) -> str:
        """Name in `isocenter.nets`, or of an imported network."""
        return "resnet" if self.start is None else self.start[1]

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the network, beside channels, outputs and axes."""
        return {"depth": self.depth, "width": self.width} if self.start is None else dict(self.start[2])

    def whole(self, outputs: int) -> dict[str, Any]:
        """Return all parameters of the network for a number of outputs."""
        own = {"in_channels": self.channels, "dimensions": len(self.size), **self.parameters}
        return complete(self.network, own, outputs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain = {**asdict(self), "size": list(self.size), "network": self.network}
        del plain["start"]
        if self.start is not None:
            del plain["depth"], plain["width"]
            plain |= {"parameters": dict(self.start[2]), "start": self.start[0]}
        return plain


def plan_network(
    shapes: Sequence[Sequence[int]],
    channels: int,
    outputs: int,
    cases: int,
    seconds: float,
    *,
    parts: int = 3,
    seed: int = 0,
    start: Start | None = None,
    quantity: str | None = None,
) -> NetworkPlan | None:
    """Return how to train one network, None where the time is too short to learn anything.

    Parameters
    ----------
    shapes
        Spatial shapes of the images.
    channels, outputs
        Of an image, and of the network: one for each class, or one for a number.
    cases
        That one training learns from.
    seconds
        Of one training on the nominal machine.
    parts, seed
        As of `NetworkPlan`.
    start
        A network to begin with: it, and the size and the scale that images are brought to, stay as they are.
    quantity
        That all images measure (`learn.train.scale.common_quantity`).
    """
    task: Literal["classification", "regression"] = "classification" if outputs > 1 else "regression"
    middle = np.median(np.asarray(shapes, np.float64), axis=0)
    batch = max(2, min(_BATCH, cases))
    steps = max(-(-cases // batch), 1)
    if start is not None:
        own = start.trained
        begun = (start.digest, own.network, dict(own.parameters))
        plan = NetworkPlan(own.size, channels, 1, batch, parts, seed=seed, task=task, start=begun, quantity=own.quantity)
        second = nominal_seconds(plan.network, plan.whole(outputs), (batch, channels, *plan.size))
        epochs = int(min(seconds / (steps * second), _MOST_EPOCHS))
        return replace(plan, epochs=epochs) if epochs >= LEAST_EPOCHS else None
    best: NetworkPlan | None = None
    wanted = {"in_channels": channels, "out_channels": outputs, "dimensions": len(middle), "depth": _DEPTH, "width": _WIDTH}
    base = (64,) * len(middle)
    # Arithmetic grows with the samples.
    sample = nominal_seconds("resnet", wanted, (batch, channels, *base)) / float(np.prod(base))
    for side in SIDES[len(middle)]:
        scale = min(1.0, side / float(middle.max()))
        size = tuple(int(max(32, round(n * scale / 8.0) * 8)) for n in middle)
        epochs = int(min(seconds / (steps * sample * float(np.prod(size))), _MOST_EPOCHS))
        if epochs >= LEAST_EPOCHS and (best is None or epochs > best.epochs):
            best = NetworkPlan(size, channels, epochs, batch, parts, seed=seed, task=task, quantity=quantity)
        if epochs >= _ENOUGH_EPOCHS:
            break
    return best
