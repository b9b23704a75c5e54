"""What is alike in all trained networks that find places: plan, weights, and what they are shown of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isocenter import nets
from isocenter.core.image import Image
from isocenter.learn.train.frames import Framed, framed, padded
from isocenter.learn.train.history import History
from isocenter.learn.train.place_plan import PlacePlan, read_place_plan, write_place_plan
from isocenter.learn.train.start import begun
from isocenter.nets import weights

__all__ = ["PlaceNet", "built", "laid_out", "new_net", "saved"]


@dataclass(frozen=True)
class PlaceNet:
    """A network with what images are brought to.

    Attributes
    ----------
    plan
        How it was made.
    network
        The net.
    history
        Of the training, where it was trained here.
    """

    plan: PlacePlan
    network: nn.Module
    history: History | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the landmarks, or classes of objects."""
        return self.plan.names

    def seen(self, image: Image) -> tuple[Framed, Tensor]:
        """Return an image on the grid of the plan, and what the network is shown of it, shape (1, channels, *size)."""
        net: Any = self.network
        seen = framed(image, self.plan.spacing, self.plan.channels, self.plan.quantity)
        return seen, laid_out(torch.from_numpy(padded(seen.data, self.plan.size, net.divisor)[None]), self.plan)

    def save(self, folder: Path | str) -> None:
        """Write the plan and the weights; `saved` reads them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_place_plan(self.plan, folder / "plan.yaml")
        weights.save(self.network.state_dict(), folder / "weights-1.safetensors")


def saved(folder: Path | str) -> tuple[PlacePlan, nn.Module]:
    """Return the plan and the network that `PlaceNet.save` wrote."""
    plan = read_place_plan(Path(folder) / "plan.yaml")
    net = built(plan)
    net.load_state_dict(weights.load(Path(folder) / "weights-1.safetensors"))
    return plan, net.eval()


def built(plan: PlacePlan) -> nn.Module:
    """Return a new network of a plan, its weights in the plan's layout: another one gives other last digits."""
    net: nn.Module = nets.build(plan.network, **plan.parameters)
    return net.to(memory_format=torch.channels_last) if plan.settings.channels_last and len(plan.size) == 2 else net


def new_net(plan: PlacePlan, seed: int, start: PlaceNet | None = None) -> nn.Module:
    """Return the network that a training begins with.

    Parameters
    ----------
    plan
        Of the training.
    seed
        Of random weights.
    start
        An earlier training whose weights are begun with; its last layers stay random where it finds something else.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = built(plan)
    if start is not None:
        begun(net, plan.network, plan.parameters, start.network, same=plan.names == start.names)
    return net


def laid_out(x: Tensor, plan: PlacePlan) -> Tensor:
    """Return images in the layout of the plan: another one gives other last digits."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 and plan.settings.channels_last else x
