"""Does the explanation of a table model depend on what the model learnt: its weights are drawn anew, and the shares must change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.learn.explain.sanity import SanityCheck, rank_correlation
from isocenter.learn.package.estimators import from_arrays, to_arrays
from isocenter.learn.package.models import TableModel

__all__ = ["randomised_table", "sanity_of_table"]

#: What a kind of model learnt: drawn anew (normal, with the spread that it has), or exchanged among its rows.
_DRAWN = ("slopes", "weights", "units")
_EXCHANGED = ("value", "values", "feature")


def randomised_table(model: TableModel, seed: int) -> TableModel | None:
    """Return a copy of a model whose weights are random; None where it has none (it says the same of every case).

    Slopes and weights are drawn anew; trees look at other features and their leaves are exchanged; stored cases get each other's
    labels. What is done to the features before stays.

    Parameters
    ----------
    model
        Stays as it is.
    seed
        Of the weights.
    """
    members, changed = [], False
    for k, member in enumerate(model.members):
        description, arrays = to_arrays(member.fitted.model)
        other = dict(arrays)
        generator = np.random.default_rng([seed, k])
        for name in sorted(arrays):
            last = name.rpartition("/")[2]
            value = arrays[name]
            if last.startswith(_DRAWN):
                spread = float(value.std()) or float(np.abs(value).max())
                other[name] = generator.normal(0.0, max(spread, 1e-12), value.shape)
                changed = True
            elif last in _EXCHANGED and _learnt(description, name):
                other[name] = _exchanged(value, other, name, generator)
                changed = True
        members.append(replace(member, fitted=replace(member.fitted, model=from_arrays(description, other))))
    return replace(model, members=tuple(members)) if changed else None


def _learnt(description: Any, name: str) -> bool:
    """Return whether an array called value belongs to a model that looks at the case at all."""
    while "members" in description:
        k, _, name = name.partition("/")
        description = description["members"][int(k)]
    return description["kind"] not in ("prior", "constant")


def _exchanged(
    value: npt.NDArray[Any], arrays: dict[str, npt.NDArray[Any]], name: str, generator: np.random.Generator
) -> npt.NDArray[Any]:
    start = name.removesuffix(name.rpartition("/")[2])
    if name.endswith("feature"):
        return np.asarray(generator.permutation(int(arrays[f"{start}features"][0]))[value])
    if f"{start}left" not in arrays:
        return np.asarray(value[generator.permutation(len(value))])
    leaves = np.flatnonzero(arrays[f"{start}left"] < 0)
    found = value.copy()
    found[leaves] = value[generator.permutation(leaves)]
    return found


def sanity_of_table(
    explain: Callable[[TableModel], npt.ArrayLike],
    model: TableModel,
    *,
    signed: bool = False,
    bound: float = 0.5,
    draws: int = 11,
    seed: int = 0,
) -> SanityCheck | None:
    """Compare the explanation of a model with those of random ones; None where it has no weights.

    Parameters
    ----------
    explain
        Returns the shares, or the map, that belong to a model.
    model
        The model of the package.
    signed
        A correlation below 0 counts as 0, not by its size: shares of few features are alike or opposite by chance too often, and those
        that turn their sign say the opposite.
    bound
        Largest mean correlation that passes.
    draws
        Random models.
    seed
        Of their weights.

    References
    ----------
    Adebayo et al. Sanity checks for saliency maps. NeurIPS 2018.
    """
    others = [randomised_table(model, seed + k) for k in range(draws)]
    first = np.asarray(explain(model), np.float64)
    found = [rank_correlation(first, explain(other)) for other in others if other is not None]
    return SanityCheck(("all",), (found[0],), tuple(max(f, 0.0) if signed else abs(f) for f in found), bound) if found else None
