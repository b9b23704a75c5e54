"""What loading will take, said before it starts: memory of batches in flight and of workers, against what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil

from isocenter.core.errors import BudgetError

__all__ = ["LoadingCost", "cost"]

#: Bytes of one worker process before it holds any data (interpreter, NumPy, SciPy, compiled kernels), measured.
WORKER = 170 << 20
#: Batches that are ready or on their way for each worker.
AHEAD = 2
#: Share of the free memory that loading may take; the training needs the rest.
SHARE = 0.5


@dataclass(frozen=True)
class LoadingCost:
    """Memory of a loader.

    Attributes
    ----------
    batch
        Bytes of one batch.
    work
        Bytes that cutting and augmenting one patch takes for a moment.
    workers
        Processes beside the training's own.
    peak
        Bytes in all.
    available
        Bytes that were free when it was asked.
    held
        Bytes of the cases that are kept in memory.
    """

    batch: int
    work: int
    workers: int
    peak: int
    available: int
    held: int = 0

    def sentence(self) -> str:
        """Return the estimate in words."""
        return (
            f"Loading takes about {_mib(self.peak)} with {self.workers} workers "
            f"({_mib(self.batch)} a batch, {AHEAD} in flight each); {_mib(self.available)} are free."
        )

    @property
    def fits(self) -> bool:
        """Whether it leaves the training its half of the free memory."""
        return self.peak <= int(self.available * SHARE)

    def require(self) -> None:
        """Raise if it would not fit.

        Raises
        ------
        BudgetError
            With the number of workers that fits.
        """
        if self.fits:
            return
        allowed = int(self.available * SHARE)
        each = WORKER + self.held + AHEAD * self.batch + self.work
        fits = max((allowed - 2 * self.batch - self.work) // each, 0)
        raise BudgetError(
            f"{self.sentence()} Expected at most half of it, as the training needs the rest: "
            + (f"use {fits} workers, or a smaller batch or patch" if fits < self.workers else "use a smaller batch or patch")
            + ("; or keep the cases in a cache folder, from which they are mapped." if self.held else ".")
        )


def cost(
    patch: Sequence[int],
    channels: int,
    batch: int,
    workers: int,
    *,
    augment: bool,
    held: int = 0,
    prepared: bool = True,
    available: int | None = None,
) -> LoadingCost:
    """Return what loading takes.

    Parameters
    ----------
    patch, channels, batch
        Size of what is loaded.
    workers
        Processes.
    augment
        Whether patches are augmented, which takes room for coordinates.
    held
        Bytes of the cases that are kept in memory, of which each worker gets a copy; none where they are mapped from files.
    prepared
        Whether they stand in memory already, and so take nothing more but for the workers.
    available
        Free bytes; asked of the machine where None.
    """
    samples = int(np.prod(patch, dtype=np.int64))
    one = samples * (4 * channels + 1)
    work = samples * (24 + 12 * channels) if augment else 0
    whole = one * batch
    peak = (0 if prepared else held) + 2 * whole + work + workers * (WORKER + held + AHEAD * whole + work)
    free = int(psutil.virtual_memory().available) if available is None else available
    return LoadingCost(whole, work, workers, peak, free, held)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.{1 if size < 10 << 20 else 0}f} MiB"
