"""Prepared cases of a training: in memory, or mapped from a folder where they are many or several processes load them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import isocenter
from isocenter.core.provenance import digest_json
from isocenter.learn.loading.cache import Case, Prepared, hold, store
from isocenter.learn.loading.estimate import LoadingCost, cost
from isocenter.learn.loading.loader import Recipe
from isocenter.learn.train import distributed

__all__ = ["forecast", "kept"]


def forecast(
    recipe: Recipe, channels: int, size: int, workers: int, cache: Path | str | None, folder: Path | None
) -> tuple[LoadingCost, Path | None]:
    """Return what loading will take, and the folder that cases are mapped from; None keeps them in memory.

    Parameters
    ----------
    recipe, channels
        Of the batches.
    size
        Bytes of all prepared cases.
    workers
        Loading processes.
    cache
        The folder, where one is wanted.
    folder
        Of the training: takes the cases where they do not fit into memory, or where workers would each need a copy.

    Raises
    ------
    BudgetError
        If it does not fit.
    """

    def taking(held: int) -> LoadingCost:
        shape, batch = recipe.patch, recipe.batch // distributed.world()
        return cost(shape, channels, batch, workers, augment=recipe.augment.active, held=held, prepared=False)

    place = Path(cache) if cache is not None else None
    if place is None and folder is not None and (workers or not taking(size).fits):
        place = folder / "cache"
    found = taking(0 if place is not None else size)
    found.require()
    return found, place


def kept(names: Sequence[str], cache: Path | None, keys: Callable[[int], Any], make: Callable[[int], Prepared]) -> list[Case]:
    """Return the prepared cases.

    Parameters
    ----------
    names
        Of the cases.
    cache
        Folder of mapped arrays; None keeps them in memory.
    keys
        Gives plain values that the arrays of a case depend on.
    make
        Gives the arrays of a case.
    """
    if cache is None:
        return [hold(name, *make(k)) for k, name in enumerate(names)]
    found: list[Case] = []
    with distributed.first():
        for k, name in enumerate(names):
            key = digest_json(["training", 1, isocenter.__version__, keys(k)]).removeprefix("sha256:")[:32]
            found.append(store(cache, name, key, lambda k=k: make(k)))  # type: ignore[misc]  # the default binds this k
    return found
