"""Plans of trainings that begin with an earlier network: architecture, grid and values are its own, the rest follows the budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.image import Image
from isocenter.learn.places.places import Places
from isocenter.learn.train import cost
from isocenter.learn.train.architecture import shell, with_outputs
from isocenter.learn.train.fingerprint import Fingerprint
from isocenter.learn.train.place_plan import PlacePlan, batch_of, narrowest, size_of, timed, usual_settings
from isocenter.learn.train.plan import Budget, Plan, with_cost
from isocenter.learn.train.settings import FitSettings
from isocenter.learn.train.start import gentler

__all__ = ["place_plan_from", "plan_from"]

#: Steps that a budget should allow: smaller batches and patches are taken before.
_STEPS = 200


def plan_from(start: Plan, found: Fingerprint, budget: Budget | None = None, settings: FitSettings | None = None) -> Plan:
    """Return a plan for a cohort that goes on with the network of another plan.

    Network, spacing, normalisation and intensities stay; its outputs are the classes of the cohort. Patch, batch and epochs follow the
    images and the budget: a network that is too large for 200 steps sees smaller batches and patches.

    Parameters
    ----------
    start
        How the earlier network was trained.
    found
        The cohort's fingerprint.
    budget
        Default: `Budget()`; its features are those of the network already.
    settings
        Of the engine; the epochs come from the budget. Default: the usual ones with smaller steps.

    Raises
    ------
    ParameterError
        If the images have no size in mm where the network needs one, or the network does not give scores of each sample.
    """
    budget = budget or Budget()
    if start.spacing is not None and found.unit != "mm":
        raise ParameterError(
            f"The network to begin with takes samples of {' x '.join(f'{s:g}' for s in start.spacing)} mm; these images are in {found.unit}: "
            "expected images whose size in mm is known; give them one, or begin with another network."
        )
    outputs = len(found.segments) + 1
    parameters = with_outputs(start.network, start.parameters, outputs)
    divisor = _divisor(start)
    scale = np.ones(found.spatial) if start.spacing is None else np.divide(found.median_spacing, start.spacing)
    median = [
        min(max(round(n * s), 1), 512 if found.spatial == 2 else 128) for n, s in zip(found.median_shape, scale, strict=True)
    ]
    patch, batch = [_up(n, d) for n, d in zip(median, divisor, strict=True)], 8 if found.spatial == 2 else 2
    _require_scores(start.network, parameters, (batch, found.channels, *patch), outputs)
    while True:
        shape = (batch, found.channels, *patch)
        memory = cost.training_bytes(start.network, parameters, shape)
        second = cost.nominal_seconds(start.network, parameters, shape)
        slow = budget.seconds is not None and _STEPS * second > budget.seconds
        if memory <= budget.memory and not slow:
            break
        if batch > 2:
            batch //= 2
            continue
        if not _shrink(patch, divisor):
            break
    steps = budget.steps or max(math.ceil(len(found.shapes) / batch), 1)
    epochs = budget.epochs if budget.seconds is None else int(min(max(budget.seconds / (second * steps), 1), budget.epochs))
    settings = settings or gentler(FitSettings(channels_last=found.spatial == 2), steps * epochs)
    plan = replace(
        start, parameters=parameters, patch=tuple(patch), batch=batch, segments=found.segments, steps=steps, memory=memory,
        settings=replace(settings, epochs=epochs), seconds=None, loading=None,
    )  # fmt: skip
    return plan if budget.seconds is None else with_cost(plan)


def place_plan_from(
    start: PlacePlan,
    images: Sequence[Image],
    truth: Sequence[Places],
    names: Sequence[str],
    seconds: float | None = None,
    settings: FitSettings | None = None,
) -> PlacePlan:
    """Return a plan for places that goes on with the network of another plan: network, spacing and channels stay.

    Parameters
    ----------
    start
        How the earlier network was trained.
    images, truth
        The training fold.
    names
        Landmarks, or classes of objects; the same as before take the order of before.
    seconds
        On the nominal machine; None trains the epochs of the settings.
    settings
        Of the engine. Default: the usual ones with smaller steps.

    Raises
    ------
    ContentError
        If the smaller objects are narrower than three samples on the grid of the network.
    """
    axes = len(start.spacing)
    wanted = start.names if set(names) == set(start.names) else tuple(names)
    small = narrowest(truth)
    if small is not None and small / max(start.spacing) < 3.0:
        raise ContentError(
            f"The smaller objects are {small:.3g} {images[0].geometry.unit} wide, {small / max(start.spacing):.1f} samples on the grid of the "
            "network to begin with: expected 3 or more; begin with another network, or without."
        )
    parameters = with_outputs(start.network, start.parameters, len(wanted))
    net: Any = shell(start.network, parameters)
    size = tuple(_up(n, d) for n, d in zip(size_of(images, start.spacing, 1), net.divisor, strict=True))
    plan = replace(start, parameters=parameters, names=wanted, size=size, batch=batch_of(axes))
    plan = timed(plan, len(images), seconds, settings or usual_settings(axes))
    steps = math.ceil(len(images) / plan.batch) * plan.settings.epochs
    return plan if settings else replace(plan, settings=gentler(plan.settings, steps))


def _divisor(start: Plan) -> tuple[int, ...]:
    """Return what patches of a network must be whole multiples of."""
    known = getattr(shell(start.network, start.parameters), "divisor", None)
    if known is not None:
        return tuple(int(d) for d in known)
    # A network of another house does not say it: what divides the patch that it was made with will do.
    return tuple(math.gcd(int(n), 32) for n in start.patch)


def _up(samples: int, divisor: int) -> int:
    return -(-int(samples) // divisor) * divisor


def _shrink(patch: list[int], divisor: Sequence[int]) -> bool:
    """Take about a quarter off the longest axis that is not short yet; False where there is none."""
    least = [_up(32, d) for d in divisor]
    axes = [k for k, n in enumerate(patch) if n > least[k]]
    if not axes:
        return False
    axis = max(axes, key=lambda k: patch[k])
    patch[axis] = max(patch[axis] * 3 // 4 // divisor[axis] * divisor[axis], least[axis])
    return True


def _require_scores(network: str, parameters: Any, shape: Sequence[int], outputs: int) -> None:
    """Refuse a network whose output in training is none that the loss takes."""
    import torch

    try:
        found = shell(network, parameters).train()(torch.empty(tuple(shape), device="meta"))
    except (RuntimeError, ValueError, TypeError) as error:
        raise ParameterError(
            f"The network to begin with ('{network}') takes no patches of {' x '.join(map(str, shape[2:]))} samples ({type(error).__name__}): "
            "it cannot be trained further here; begin with another one."
        ) from error
    finest = found[0] if isinstance(found, tuple | list) else found
    if tuple(finest.shape) != (shape[0], outputs, *shape[2:]):
        raise ParameterError(
            f"The network to begin with ('{network}') gives scores of shape {tuple(finest.shape)} in training: expected "
            f"{(shape[0], outputs, *shape[2:])}; begin with another one."
        )
