"""Beginning a training with the weights of an earlier one: one way for all tasks.

The network is the earlier one. What it gives may differ: the last layers then begin at random, and all others where they ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.learn.train.architecture import last_layers
from isocenter.learn.train.fingerprint import channels_of
from isocenter.learn.train.settings import FitSettings
from isocenter.nets import weights

__all__ = ["begun", "gentler", "require_kind"]

#: Part of the usual learning rate: weights that were learnt are refined, not learnt again.
RATE = 0.3


def begun(
    net: nn.Module, name: str, parameters: Mapping[str, Any], start: nn.Module, *, same: bool | None = None
) -> tuple[str, ...]:
    """Begin a network with the weights of an earlier one and return the names of the weights that stay random.

    Parameters
    ----------
    net
        Changed in place.
    name, parameters
        Of the network.
    start
        The earlier one.
    same
        Whether it gives the same classes: else its last layers stay random. None looks at their number alone.

    Raises
    ------
    ParameterError
        If it is another network; nothing is changed then.
    """
    state = start.state_dict()
    last = last_layers(name, parameters)
    own = net.state_dict()
    if same is None:
        same = all(key in state and own[key].shape == state[key].shape for key in last)
    return weights.begin_with(net, state, frozenset() if same else last)


def gentler(settings: FitSettings, steps: int) -> FitSettings:
    """Return settings for weights that were learnt already: smaller steps, which grow over the first tenth of the training.

    Parameters
    ----------
    settings
        Of a training from random weights.
    steps
        Of the whole training.
    """
    return replace(settings, learning_rate=RATE * settings.learning_rate, warmup=max(steps // 10, 1))


def require_kind(image: Image, axes: int, channels: int, what: str = "The network to begin with") -> None:
    """Refuse images that a network was not made for.

    Parameters
    ----------
    image
        One of those of the training.
    axes, channels
        That the network takes.
    what
        It is called in the message.

    Raises
    ------
    ParameterError
        If the image has others.
    """
    own, seen = image.geometry.ndim, channels_of(image)
    if own == axes and seen == channels:
        return
    raise ParameterError(
        f"{what} takes images of {_words(axes, channels)}; these have {_words(own, seen)}: expected one that was made for such images; "
        "begin with another one, or without."
    )


def _words(axes: int, channels: int) -> str:
    return f"{axes} spatial axes and {channels} channel{'' if channels == 1 else 's'}"
