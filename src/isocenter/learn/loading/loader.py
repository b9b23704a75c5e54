"""Batches of patches: the same for any number of workers, because each patch draws from its own place in the epoch."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import BudgetError, ParameterError
from isocenter.learn.loading.augment import NONE, Augment
from isocenter.learn.loading.cache import Prepared, StoredCase
from isocenter.learn.loading.estimate import AHEAD, LoadingCost, cost
from isocenter.learn.loading.mixing import cut_mix, mix_up
from isocenter.learn.loading.patches import choose, cut

__all__ = ["Batch", "Loader", "Recipe"]

Mixing = Literal["", "cut-mix", "mix-up"]


@dataclass(frozen=True)
class Batch:
    """What a training step sees.

    Attributes
    ----------
    image
        (batch, channels, *patch), float32.
    truth
        (batch, *patch) class indices, None where cases have no masks.
    cases
        Position of each patch's case.
    starts
        First sample of each patch in its case.
    partner, share
        With mixing: which patch of the batch was mixed in, and the part that is a patch's own; None without.
    """

    image: npt.NDArray[np.float32]
    truth: npt.NDArray[np.uint8] | None
    cases: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]
    partner: npt.NDArray[np.intp] | None = None
    share: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Recipe:
    """How batches are made.

    Parameters
    ----------
    patch
        Samples along each spatial axis.
    batch
        Patches a batch.
    per_case
        Patches of each case an epoch.
    foreground
        Chance that a patch is laid around a sample of a class.
    augment
        What is done to each patch.
    mixing
        ``cut-mix``, ``mix-up`` or none, and its `alpha`.
    spacing
        mm per sample, for turning on uneven grids.
    seed
        Of everything.
    """

    patch: tuple[int, ...]
    batch: int = 2
    per_case: int = 1
    foreground: float = 0.0
    augment: Augment = NONE
    mixing: Mixing = ""
    alpha: float = 0.4
    spacing: tuple[float, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch", tuple(int(p) for p in self.patch))
        if min(self.patch, default=0) < 1 or self.batch < 1 or self.per_case < 1:
            raise ParameterError(
                f"Patches of {self.patch}, {self.batch} a batch, {self.per_case} a case: expected one positive size per axis and 1 or more."
            )
        if self.mixing not in ("", "cut-mix", "mix-up"):
            raise ParameterError(f"Mixing '{self.mixing}': expected 'cut-mix', 'mix-up' or none.")

    def make(self, opened: Sequence[Prepared], epoch: int, step: int, slots: Sequence[int], cases: Sequence[int]) -> Batch:
        """Return one batch.

        Parameters
        ----------
        opened
            Arrays of all cases.
        epoch, step
            Which batch it is.
        slots, cases
            Place of each patch in the epoch, and its case.
        """
        masks = all(opened[c][1] is not None for c in cases)
        image = np.empty((len(cases), opened[cases[0]][0].shape[0], *self.patch), np.float32)
        truth = np.empty((len(cases), *self.patch), np.uint8) if masks else None
        starts = []
        for k, (slot, case) in enumerate(zip(slots, cases, strict=True)):
            rng = np.random.default_rng([self.seed, epoch, slot])
            samples, mask = opened[case]
            start = choose(samples.shape[1:], self.patch, rng, mask, self.foreground)
            starts.append(start)
            cut(samples, start, self.patch, image[k])
            if truth is not None and mask is not None:
                cut(mask, start, self.patch, truth[k])
            if self.augment.active:
                one, labels = self.augment(image[k], None if truth is None else truth[k], rng, self.spacing)
                image[k] = one
                if truth is not None and labels is not None:
                    truth[k] = labels
        if not self.mixing:
            return Batch(image, truth, tuple(cases), tuple(starts))
        rng = np.random.default_rng([self.seed, epoch, step, 1])
        if self.mixing == "mix-up":
            image, partner, share = mix_up(image, self.alpha, rng)
        else:
            image, truth, partner, share = cut_mix(image, truth, self.alpha, rng)
        return Batch(image, truth, tuple(cases), tuple(starts), partner, share)


class Loader:
    """Feeds epochs of batches, from this process or from workers.

    Parameters
    ----------
    cases
        Prepared cases.
    recipe
        How batches are made.
    workers
        Processes; 0 works in this one. Batches are equal bit by bit for any number.
    available
        Free bytes that the estimate is held against; asked of the machine where None.

    Raises
    ------
    BudgetError
        If it would not fit into memory; the message says what would.
    """

    def __init__(self, cases: Sequence[StoredCase], recipe: Recipe, workers: int = 0, *, available: int | None = None) -> None:
        if not cases:
            raise ParameterError("A loader of no cases: expected one or more.")
        for case in cases:
            if len(case.shape) != len(recipe.patch) + 1 or case.shape[0] != cases[0].shape[0]:
                raise ParameterError(
                    f"'{case.identifier}': prepared with shape {case.shape}; expected {cases[0].shape[0]} channels and "
                    f"{len(recipe.patch)} spatial axes, as the patch has."
                )
        self.cases, self.recipe, self.workers = tuple(cases), recipe, int(workers)
        self.cost: LoadingCost = cost(
            recipe.patch, cases[0].shape[0], recipe.batch, self.workers, augment=recipe.augment.active, available=available
        )
        self.cost.require()
        self._opened: list[Prepared] = []
        self._pool: ProcessPoolExecutor | None = None

    def __len__(self) -> int:
        """Batches an epoch; the last may be smaller."""
        patches = len(self.cases) * self.recipe.per_case
        return (patches + self.recipe.batch - 1) // self.recipe.batch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and let go of the arrays."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._opened = []

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, in its own order."""
        order = np.random.default_rng([self.recipe.seed, number]).permutation(len(self.cases) * self.recipe.per_case)
        tasks = []
        for step in range(len(self)):
            slots = range(step * self.recipe.batch, min((step + 1) * self.recipe.batch, len(order)))
            tasks.append((number, step, list(slots), [int(order[s]) % len(self.cases) for s in slots]))
        if self.workers:
            yield from self._from_workers(tasks)
            return
        if not self._opened:
            self._opened = [case.open() for case in self.cases]
        for task in tasks:
            yield self.recipe.make(self._opened, *task)

    def _from_workers(self, tasks: list[tuple[int, int, list[int], list[int]]]) -> Iterator[Batch]:
        if self._pool is None:
            # A fresh interpreter: what the training has loaded (threads, an accelerator) does not survive a fork.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, context, _start, (self.cases, self.recipe))
        waiting: deque[Future[Batch]] = deque()
        rest = iter(tasks)
        try:
            for task in rest:
                waiting.append(self._pool.submit(_work, task))
                if len(waiting) >= self.workers * AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            self._pool = None
            raise BudgetError(
                f"A loading worker was ended by the system, most likely for want of memory: {self.cost.sentence()} "
                "Expected workers to live; use fewer, or a smaller batch or patch."
            ) from error
        finally:
            for one in waiting:
                one.cancel()


_STATE: dict[str, Any] = {}


def _start(cases: Sequence[StoredCase], recipe: Recipe) -> None:
    _STATE["recipe"], _STATE["opened"] = recipe, [case.open() for case in cases]


def _work(task: tuple[int, int, list[int], list[int]]) -> Batch:
    recipe: Recipe = _STATE["recipe"]
    return recipe.make(_STATE["opened"], *task)
