"""Training the planned network of one fold, within its part of a run's budget."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from isocenter.core.image import Image
from isocenter.core.labels import LabelMap

if TYPE_CHECKING:  # torch is loaded where a network is trained, and nowhere else
    from isocenter.learn.train.plan import Plan
    from isocenter.learn.train.segmentation import TrainedSegmenter

__all__ = ["NetworkSettings", "can_train", "train_network"]

#: Steps below which smaller batches are taken.
STEPS = 200


@dataclass(frozen=True)
class NetworkSettings:
    """What a network may take, whatever the cohort.

    Attributes
    ----------
    seconds
        Of one training, on the nominal machine.
    features
        Of the finest level, at most.
    epochs
        At most.
    """

    seconds: float
    features: int = 32
    epochs: int = 200


def can_train() -> bool:
    """Return whether what trains networks is installed."""
    return importlib.util.find_spec("torch") is not None


def train_network(
    images: Sequence[Image],
    masks: Sequence[LabelMap],
    names: Sequence[str],
    held: Sequence[int],
    settings: NetworkSettings,
    *,
    start: TrainedSegmenter | None = None,
    seed: int = 0,
    say: Callable[[int, int], None] | None = None,
) -> TrainedSegmenter:
    """Train the network that the cases of a training fold and the budget plan.

    Parameters
    ----------
    images, masks, names
        The training fold, in the same order; nothing of the tested cases enters the plan.
    held
        Positions of the cases, of other patients than the rest, that choose the best epoch; none keeps the last.
    settings
        What it may take.
    start
        A network whose weights are begun with; the plan keeps its architecture, spacing and normalisation.
    seed
        Of weights and patches.
    say
        Called with the epochs done, and of how many.

    Returns
    -------
    TrainedSegmenter
        Its plan holds no measured time, so that equal trainings give equal values.
    """
    from isocenter.learn.train.fingerprint import fingerprint
    from isocenter.learn.train.plan import Budget, make_plan
    from isocenter.learn.train.segmentation import train_segmenter
    from isocenter.learn.train.start_plan import plan_from

    budget = Budget(seconds=settings.seconds, features=settings.features, epochs=settings.epochs)
    known = fingerprint(images, masks, names)
    plan = make_plan(known, budget) if start is None else plan_from(start.plan, known, budget)
    plan = replace(_smaller_batches(plan, len(images) - len(held), settings), seconds=None)
    # Validation costs time that the budget does not count: a dozen looks find the best epoch nearly as well as one after each.
    plan = replace(plan, settings=replace(plan.settings, every=max(plan.settings.epochs // 12, 1)))

    def progress(row: Any) -> None:
        if say is not None:
            say(int(row.epoch), plan.settings.epochs)

    return train_segmenter(
        images, masks, names=names, validation=list(held), plan=plan, start=start, seed=seed, progress=progress
    )


def _smaller_batches(plan: Plan, cases: int, settings: NetworkSettings) -> Plan:
    """Return a plan whose batches are halved while the budget would allow fewer than `STEPS` steps: steps teach more than averages.

    What Muon adds to a step stays, so that small batches may be left to AdamW.
    """
    from isocenter.learn.train.cost import nominal_seconds, suited_optimizer

    batch, own = plan.batch, plan.settings
    optimizer = own.optimizer
    while True:
        shape = (batch, len(plan.intensity), *plan.patch)
        if own.optimizer == "muon":
            optimizer = suited_optimizer(plan.network, plan.parameters, shape)
        second = nominal_seconds(plan.network, plan.parameters, shape, optimizer)
        if batch <= 2 or settings.seconds >= STEPS * second:
            break
        batch //= 2
    if batch == plan.batch:
        return plan
    steps = max(math.ceil(cases / batch), 1)
    epochs = int(min(max(settings.seconds / (second * steps), 1), settings.epochs))
    warmup = own.warmup * steps * epochs // (plan.steps * own.epochs)
    return replace(plan, batch=batch, steps=steps, settings=replace(own, epochs=epochs, optimizer=optimizer, warmup=warmup))
