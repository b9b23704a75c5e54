"""Batches of a loader as the engine takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt

from isocenter.learn.loading.loader import Loader

__all__ = ["Feed"]


class Feed:
    """Epochs of mappings with ``image``, ``truth`` and ``names``.

    Parameters
    ----------
    loader
        Makes the batches.
    names
        Of its cases, for messages.
    targets
        Truth of each case where it is no mask.

    Attributes
    ----------
    shared_by
        Processes among which each batch is parted already.
    """

    def __init__(self, loader: Loader, names: Sequence[str], targets: npt.NDArray[Any] | None = None) -> None:
        self.loader, self.names, self.targets = loader, list(names), targets
        self.shared_by = loader.part[1]

    def __len__(self) -> int:
        return len(self.loader)

    def epoch(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch; each depends on the loader's seed, the epoch and its step alone."""
        for batch in self.loader.epoch(number):
            truth = batch.truth if self.targets is None else self.targets[list(batch.cases)]
            yield {"image": batch.image, "truth": truth, "names": [self.names[c] for c in batch.cases]}
