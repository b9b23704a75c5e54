"""Does a map depend on what the network learnt: weights are randomised, and the map must change.

Some maps look convincing because they trace the edges of the image, whatever the network: such a map says nothing of the
model. The layers are randomised one after the other from the output on, and the map is compared with the first one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats
from torch import nn

from isocenter.core.errors import ParameterError

__all__ = ["SanityCheck", "randomised", "rank_correlation", "sanity_check"]

FloatArray = npt.NDArray[np.float64]


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return Spearman's correlation of two maps; 0 where one of them is the same everywhere."""
    a, b = (np.asarray(v, np.float64).ravel() for v in (first, second))
    if a.size != b.size or not a.size:
        raise ParameterError(f"Maps of {a.size} and {b.size} samples: expected as many.")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


def _layers(net: nn.Module) -> list[str]:
    """Return the names of the parts that hold weights of their own, from input to output."""
    return [name for name, module in net.named_modules() if any(True for _ in module.parameters(recurse=False))]


def randomised(net: nn.Module, names: list[str], seed: int) -> nn.Module:
    """Return a copy of a network with the weights of some parts drawn anew.

    Parameters
    ----------
    net
        Stays as it is.
    names
        Of the parts.
    seed
        Of the weights: as the part would start a training; where it does not say how, normal with the spread that it has now.
    """
    other = copy.deepcopy(net)
    known = dict(other.named_modules())
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        torch.manual_seed(seed)
        for name in names:
            reset = getattr(known[name], "reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for weight in known[name].parameters(recurse=False):
                weight.normal_(0.0, max(float(weight.std(unbiased=False)), 1e-3))
    return other


@dataclass(frozen=True)
class SanityCheck:
    """How alike a map stays when its network forgets.

    Attributes
    ----------
    layers
        The part down to which weights were randomised, from the output on.
    correlations
        Spearman's correlation of the map with the first one at each of these; the last network is all random.
    draws
        Absolute correlations of the maps of several networks that are all random.
    bound
        Largest mean of `draws` that passes.
    """

    layers: tuple[str, ...]
    correlations: tuple[float, ...]
    draws: tuple[float, ...]
    bound: float

    @property
    def value(self) -> float:
        """Mean absolute correlation with the maps of random networks."""
        return float(np.mean(self.draws))

    @property
    def passed(self) -> bool:
        """Whether the map depends on the weights."""
        return self.value <= self.bound

    @property
    def sentence(self) -> str:
        """The finding in words; a warning where the check failed."""
        found = f"mean absolute rank correlation {self.value:.2f} over {len(self.draws)} random networks, bound {self.bound:.2f}"
        if self.passed:
            return f"With random weights the map changes ({found})."
        return (
            f"Warning: with random weights the map stays much the same ({found}): it shows the image rather than what the network "
            "learnt, and must not be read as its reason."
        )


def sanity_check(
    explain: Callable[[nn.Module], npt.ArrayLike],
    net: nn.Module,
    *,
    bound: float = 0.5,
    stages: int = 5,
    draws: int = 5,
    seed: int = 0,
) -> SanityCheck:
    """Randomise a network from its output to its input and compare its maps with the first one.

    Parameters
    ----------
    explain
        Returns the map of a network, for one fixed image and class.
    net
        The trained network.
    bound
        Largest mean absolute rank correlation with the maps of random networks.
    stages
        Steps of the cascade, evenly over the parts with weights.
    draws
        Random networks that decide: the sign of one correlation is chance, so that one draw proves little.
    seed
        Of the weights.

    References
    ----------
    Adebayo et al. Sanity checks for saliency maps. NeurIPS 2018.
    """
    if stages < 1 or draws < 1 or not 0.0 <= bound < 1.0:
        raise ParameterError(f"{stages} stages, {draws} draws and a bound of {bound}: expected 1 or more, and 0 to less than 1.")
    names = _layers(net)
    if not names:
        raise ParameterError("The network has no weights: expected some that can be randomised.")
    first = np.asarray(explain(net), np.float64)
    back = names[::-1]
    depth = sorted({max(1, round(len(back) * (k + 1) / stages)) for k in range(stages)})
    correlations = [rank_correlation(first, explain(randomised(net, back[:d], seed))) for d in depth]
    final = [abs(correlations[-1])]
    final += [abs(rank_correlation(first, explain(randomised(net, back, seed + k)))) for k in range(1, draws)]
    return SanityCheck(tuple(back[d - 1] for d in depth), tuple(correlations), tuple(final), bound)
