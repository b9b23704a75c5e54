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
from isocenter.learn.loading.cache import Case, OpenCase
from isocenter.learn.loading.estimate import AHEAD, LoadingCost, cost
from isocenter.learn.loading.mixing import cut_mix, mix_up
from isocenter.learn.loading.patches import choose, take

__all__ = ["Batch", "Loader", "Recipe"]

_Task = tuple[int, int, list[int], list[int]]
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
        First sample of each patch in its case, as if it were neither turned nor scaled; rounded where it is copied.
    partner, share
        With mixing: which patch of the batch was mixed in, and the part that is a patch's own; None without.
    """

    image: npt.NDArray[np.float32]
    truth: npt.NDArray[np.uint8] | None
    cases: tuple[int, ...]
    starts: tuple[tuple[float, ...], ...]
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
        Patches of each case an epoch, where there are no `steps`.
    steps
        Batches an epoch, all of them full; cases are drawn as evenly as that allows. Default: `per_case` decides.
    foreground
        Chance that a patch is laid around a sample of a class, each class being as likely.
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
    steps: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch", tuple(int(p) for p in self.patch))
        if min(self.patch, default=0) < 1 or self.batch < 1 or self.per_case < 1 or (self.steps is not None and self.steps < 1):
            raise ParameterError(
                f"Patches of {self.patch}, {self.batch} a batch, {self.per_case} a case, {self.steps} batches an epoch: "
                "expected one positive size per axis and 1 or more."
            )
        if self.mixing not in ("", "cut-mix", "mix-up"):
            raise ParameterError(f"Mixing '{self.mixing}': expected 'cut-mix', 'mix-up' or none.")

    def length(self, cases: int) -> int:
        """Return the batches an epoch of so many cases."""
        return self.steps or (cases * self.per_case + self.batch - 1) // self.batch

    def order(self, cases: int, number: int, strata: Sequence[int] | None = None) -> list[int]:
        """Return the case of each patch of an epoch.

        Parameters
        ----------
        cases
            How many there are.
        number
            Of the epoch.
        strata
            Class of each case: patches take their classes in turn, so that each is as frequent.
        """
        rng = np.random.default_rng([self.seed, number])
        total = self.steps * self.batch if self.steps else cases * self.per_case
        if strata is None:
            return [int(c) for c in _evenly(np.arange(cases), total, rng)]
        known = np.asarray(strata)
        kinds = np.unique(known)
        queues = [_evenly(np.flatnonzero(known == k), -(-total // kinds.size), rng) for k in kinds]
        return [int(queues[slot % kinds.size][slot // kinds.size]) for slot in range(total)]

    def make(self, opened: Sequence[OpenCase], epoch: int, step: int, slots: Sequence[int], cases: Sequence[int]) -> Batch:
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
        masks = all(opened[c].truth is not None for c in cases)
        image = np.empty((len(cases), opened[cases[0]].image.shape[0], *self.patch), np.float32)
        truth = np.empty((len(cases), *self.patch), np.uint8) if masks else None
        starts = []
        for k, (slot, case) in enumerate(zip(slots, cases, strict=True)):
            # Numbers from 1: a generator's trailing zeros do not count, and the epoch's own order has none.
            rng = np.random.default_rng([self.seed, epoch, slot + 1])
            samples, mask, places = opened[case]
            start = choose(samples.shape[1:], self.patch, rng, places, self.foreground)
            placement = self.augment.placed(len(self.patch), rng, self.spacing)
            take(samples, mask, start, placement, rng, image[k], None if truth is None else truth[k])
            image[k] = self.augment.changed(image[k], rng)
            starts.append(start)
        if not self.mixing:
            return Batch(image, truth, tuple(cases), tuple(starts))
        rng = np.random.default_rng([self.seed, epoch, step, slots[0] + 1])
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
    strata
        Class of each case, to draw each class equally often.
    part
        Which of how many equal parts of every batch this loader makes: (0, 2) is the first half. So several processes that train
        together see the batches of one.
    available
        Free bytes that the estimate is held against; asked of the machine where None.

    Raises
    ------
    BudgetError
        If it would not fit into memory; the message says what would.
    ParameterError
        If cases do not fit together, or batches cannot be parted.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        recipe: Recipe,
        workers: int = 0,
        *,
        strata: Sequence[int] | None = None,
        part: tuple[int, int] = (0, 1),
        available: int | None = None,
    ) -> None:
        _check(cases, recipe, strata, part)
        self.cases, self.recipe, self.workers = tuple(cases), recipe, int(workers)
        self.strata, self.part = strata, part
        self.cost: LoadingCost = cost(
            recipe.patch,
            cases[0].shape[0],
            recipe.batch // part[1],
            self.workers,
            augment=recipe.augment.active,
            held=sum(case.held for case in cases) if self.workers else 0,
            available=available,
        )
        self.cost.require()
        self._opened: list[OpenCase] = []
        self._pool: ProcessPoolExecutor | None = None

    def __len__(self) -> int:
        """Batches an epoch; the last may be smaller."""
        return self.recipe.length(len(self.cases))

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
        order = self.recipe.order(len(self.cases), number, self.strata)
        rank, parts = self.part
        share = self.recipe.batch // parts
        tasks: list[_Task] = []
        for step in range(len(self)):
            first = step * self.recipe.batch + rank * share
            slots = list(range(first, min(first + share, len(order))))
            tasks.append((number, step, slots, [order[s] for s in slots]))
        if self.workers:
            yield from self._from_workers(tasks)
            return
        if not self._opened:
            self._opened = [case.open() for case in self.cases]
        for task in tasks:
            yield self.recipe.make(self._opened, *task)

    def _from_workers(self, tasks: list[_Task]) -> Iterator[Batch]:
        if self._pool is None:
            # A fresh interpreter: what the training has loaded (threads, an accelerator) does not survive a fork.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, context, _start, (self.cases, self.recipe))
        waiting: deque[Future[Batch]] = deque()
        begun = False
        try:
            for task in tasks:
                waiting.append(self._pool.submit(_work, task))
                if len(waiting) >= self.workers * AHEAD:
                    yield waiting.popleft().result()
                    begun = True
            while waiting:
                yield waiting.popleft().result()
                begun = True
        except BrokenProcessPool as error:
            self._pool = None
            if not begun:
                raise BudgetError(
                    "A loading worker ended before its first batch. Expected it to start: keep the calls of a script under "
                    "if __name__ == '__main__', as each worker reads the script anew; or there is too little memory, so use fewer workers."
                ) from error
            raise BudgetError(
                f"A loading worker was ended by the system, most likely for want of memory: {self.cost.sentence()} "
                "Expected workers to live; use fewer, or a smaller batch or patch."
            ) from error
        finally:
            for one in waiting:
                one.cancel()


_STATE: dict[str, Any] = {}


def _start(cases: Sequence[Case], recipe: Recipe) -> None:
    _STATE["recipe"], _STATE["opened"] = recipe, [case.open() for case in cases]


def _work(task: _Task) -> Batch:
    recipe: Recipe = _STATE["recipe"]
    return recipe.make(_STATE["opened"], *task)


def _evenly(members: npt.NDArray[np.intp], total: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return `total` of the members in random order, each as often as any other, or once more."""
    return rng.permutation(np.resize(rng.permutation(members), total))


def _check(cases: Sequence[Case], recipe: Recipe, strata: Sequence[int] | None, part: tuple[int, int]) -> None:
    if not cases:
        raise ParameterError("A loader of no cases: expected one or more.")
    for case in cases:
        if len(case.shape) != len(recipe.patch) + 1 or case.shape[0] != cases[0].shape[0]:
            raise ParameterError(
                f"'{case.identifier}': prepared with shape {case.shape}; expected {cases[0].shape[0]} channels and "
                f"{len(recipe.patch)} spatial axes, as the patch has."
            )
    if strata is not None and len(strata) != len(cases):
        raise ParameterError(f"{len(strata)} classes of {len(cases)} cases: expected one for each.")
    rank, parts = part
    if parts < 1 or not 0 <= rank < parts or recipe.batch % parts or (parts > 1 and recipe.steps is None):
        raise ParameterError(
            f"Part {rank + 1} of {parts} of batches of {recipe.batch} patches: expected a batch that {parts} processes share evenly, "
            "and a number of steps; take another number of processes, or another batch."
        )
