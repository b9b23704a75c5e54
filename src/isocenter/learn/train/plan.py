"""From a fingerprint and a budget to a plan: plain data that can be read, kept, edited and run again.

References
----------
Isensee et al. (2021) nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation.
Nature Methods 18:203-211. The rules for spacing, patch and depth follow it; sizes follow the stated budget.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from isocenter.core.errors import SpecError
from isocenter.learn.loading.estimate import LoadingCost
from isocenter.learn.train import cost
from isocenter.learn.train.fingerprint import Fingerprint
from isocenter.learn.train.plan_file import read_as, write_as
from isocenter.learn.train.settings import OPTIMIZERS, FitSettings
from isocenter.nets.sliding_window import Decision

__all__ = ["Budget", "Plan", "make_plan", "read_plan", "with_cost", "write_plan"]


@dataclass(frozen=True)
class Budget:
    """What a training may take.

    Parameters
    ----------
    seconds
        Time on the nominal machine (`cost.NOMINAL_RATE`), so that a budget means the same training everywhere; None trains `epochs`
        epochs however long they take.
    memory
        Bytes of the network, its gradients and activations.
    epochs
        The most epochs.
    steps
        Batches an epoch; None takes enough to see every case once.
    features
        Features of the finest level; halved where the time would allow fewer than 200 steps.
    """

    seconds: float | None = None
    memory: int = 4 << 30
    epochs: int = 50
    steps: int | None = None
    features: int = 32


@dataclass(frozen=True)
class Plan:
    """How a network is trained and used.

    Attributes
    ----------
    network, parameters
        Name in `isocenter.nets` and its parameters.
    spacing
        mm that images are brought to; None leaves them as they are.
    patch, batch
        Samples of a patch along each axis; patches a batch.
    normalisation
        ``zscore`` (each image's own mean and deviation) or ``ct`` (clip and scale with the cohort's).
    intensity
        Per channel: the cohort's mean, std, low, high.
    segments
        The classes.
    foreground
        Part of the patches that are centred on a sample of a class.
    augment
        Strength of the augmentation, 0 to 1.
    steps
        Batches an epoch.
    overlap
        Of sliding windows in prediction.
    settings
        Of the engine.
    seconds, memory
        What the training is expected to take (None: not measured).
    decide
        How a sample's class follows from the scores: ``greatest``, or ``foreground`` (background only where it outweighs all classes
        together); see `nets.sliding_window.predict_labels`.
    loading
        What loading takes on this machine, where the plan is announced; no part of the plan itself, and not written.
    """

    network: str
    parameters: Mapping[str, Any]
    spacing: tuple[float, ...] | None
    patch: tuple[int, ...]
    batch: int
    normalisation: str
    intensity: tuple[Mapping[str, float], ...]
    segments: tuple[Mapping[str, Any], ...]
    foreground: float = 0.33
    augment: float = 1.0
    steps: int = 100
    overlap: float = 0.5
    settings: FitSettings = field(default_factory=FitSettings)
    seconds: float | None = None
    memory: int | None = None
    decide: Decision = "greatest"
    loading: LoadingCost | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for YAML."""
        plain: dict[str, Any] = _plain(asdict(replace(self, loading=None)))
        del plain["loading"]
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "training plan") -> Plan:
        """Return the plan that `to_dict` described.

        Raises
        ------
        SpecError
            If keys are missing or unknown.
        """
        values = dict(data)
        if values.get("decide", "greatest") not in get_args(Decision):
            raise SpecError(f"has decide '{values['decide']}'; expected one of {', '.join(get_args(Decision))}", source)
        try:
            values["settings"] = FitSettings(**values.get("settings", {}))
            for key in ("patch", "intensity", "segments"):
                values[key] = tuple(values[key])
            values["spacing"] = None if values.get("spacing") is None else tuple(float(s) for s in values["spacing"])
            return cls(**values)
        except (TypeError, KeyError) as error:
            raise SpecError(
                f"does not describe a training plan ({error}); write one with write_plan and edit that", source
            ) from error

    def describe(self) -> str:
        """Return the plan and its cost as one paragraph."""
        time = "not measured" if self.seconds is None else _duration(self.seconds)
        memory = "not estimated" if self.memory is None else f"{self.memory / 2**20:.0f} MiB"
        grid = "as acquired" if self.spacing is None else " x ".join(f"{s:g}" for s in self.spacing) + " mm"
        return (
            f"{self.network}, features {list(self.parameters.get('channels', ()))}, patches {' x '.join(map(str, self.patch))} "
            f"({grid}), {self.batch} a batch, {self.steps} batches an epoch, at most {self.settings.epochs} epochs of "
            f"{OPTIMIZERS[self.settings.optimizer]}; normalisation {self.normalisation}; time {time}, memory {memory}."
        ) + ("" if self.loading is None else f" {self.loading.sentence()}")


def make_plan(found: Fingerprint, budget: Budget | None = None, settings: FitSettings | None = None) -> Plan:
    """Return a plan for a cohort within a budget; what it will take here is forecast from one step, and changes nothing in it.

    Parameters
    ----------
    found
        The cohort's fingerprint.
    budget
        Default: `Budget()`.
    settings
        Of the engine; the epochs come from the budget. Default: Muon where it costs little beside the batches (`cost.suited_optimizer`),
        else AdamW, and a rate that grows over the first twentieth of the training.
    """
    budget, asked = budget or Budget(), settings
    spacing = target_spacing(found) if found.unit == "mm" else None
    scale = [1.0] * found.spatial if spacing is None else [a / b for a, b in zip(found.median_spacing, spacing, strict=True)]
    median = [max(round(n * s), 1) for n, s in zip(found.median_shape, scale, strict=True)]
    features, batch = budget.features, 8 if found.spatial == 2 else 2
    patch = [min(n, 512 if found.spatial == 2 else 128) for n in median]
    while True:
        patch, parameters = topology(patch, spacing or (1.0,) * found.spatial, found, features)
        shape = (batch, found.channels, *patch)
        settings = asked or _usual("unet", parameters, shape)
        memory = cost.training_bytes("unet", parameters, shape, settings.optimizer)
        steps = budget.steps or max(math.ceil(len(found.shapes) / batch), 1)
        plan = _assembled(found, parameters, spacing, patch, batch, steps, settings, budget, memory)
        if memory > budget.memory and _shrink(patch):
            continue
        if memory > budget.memory and batch > 2:
            batch //= 2
            continue
        if budget.seconds is None:
            return plan if asked else _warmed(plan)
        second = cost.nominal_seconds(plan.network, parameters, shape, settings.optimizer)
        if second * 200 > budget.seconds and features > 8:
            features //= 2
            continue
        epochs = int(min(max(budget.seconds / (second * steps), 1), budget.epochs))
        plan = replace(plan, settings=replace(settings, epochs=epochs))
        return with_cost(plan if asked else _warmed(plan))


def with_cost(plan: Plan) -> Plan:
    """Return a plan with the seconds that it is expected to take here: one step is taken and measured."""
    shape = (plan.batch, len(plan.intensity), *plan.patch)
    second = cost.step_seconds(plan.network, plan.parameters, shape, plan.settings)
    here = 1.15 * second * plan.steps * plan.settings.epochs  # loading and validation
    return replace(plan, seconds=float(f"{here:.3g}"))


def target_spacing(found: Fingerprint) -> tuple[float, ...]:
    """Return the median spacing; along a far coarser axis the 10th percentile, so that the finest cases keep their detail."""
    median = list(found.median_spacing)
    worst = int(np.argmax(median))
    others = [s for k, s in enumerate(median) if k != worst]
    if others and median[worst] > 3.0 * max(others):
        median[worst] = max(float(np.percentile([s[worst] for s in found.spacings], 10)), max(others))
    return tuple(float(f"{s:.6g}") for s in median)


def topology(
    patch: Sequence[int], spacing: Sequence[float], found: Fingerprint, features: int
) -> tuple[list[int], dict[str, Any]]:
    """Return the patch, made divisible, and the U-Net's parameters: an axis is halved while it is long and not yet too coarse."""
    size, step = list(patch), list(spacing)
    strides: list[list[int]] = []
    kernels: list[list[int]] = [[1 if s > 2.0 * min(step) else 3 for s in step]]
    while len(strides) < 5:
        halved = [n >= 16 and s <= 2.0 * min(step) for n, s in zip(size, step, strict=True)]
        if not any(halved):
            break
        strides.append([2 if h else 1 for h in halved])
        size = [-(-n // 2) if h else n for n, h in zip(size, halved, strict=True)]
        step = [s * 2 if h else s for s, h in zip(step, halved, strict=True)]
        kernels.append([1 if s > 2.0 * min(step) else 3 for s in step])
    total = [math.prod(s[k] for s in strides) for k in range(len(size))]
    most = 16 * features if found.spatial == 2 else 10 * features
    parameters = {
        "in_channels": found.channels,
        "out_channels": len(found.segments) + 1,
        "dimensions": found.spatial,
        "channels": [min(features * 2**k, most) for k in range(len(strides) + 1)],
        "strides": strides,
        "kernels": kernels,
        "deep_supervision": len(strides) > 2,
        "norm": "batch" if found.spatial == 2 else "instance",  # batches of patches in the plane are large enough
    }
    return [-(-n // t) * t for n, t in zip(patch, total, strict=True)], parameters


def write_plan(plan: Plan, path: Path | str) -> None:
    """Write a plan as YAML."""
    write_as(plan, path)


def read_plan(path: Path | str) -> Plan:
    """Read a plan from YAML."""
    return read_as(Plan, path)


def _assembled(
    found: Fingerprint, parameters: Mapping[str, Any], spacing: tuple[float, ...] | None, patch: Sequence[int], batch: int,
    steps: int, settings: FitSettings, budget: Budget, memory: int,
) -> Plan:  # fmt: skip
    return Plan(
        "unet",
        parameters,
        spacing,
        tuple(patch),
        batch,
        "ct" if found.quantity == "HU" else "zscore",
        found.intensity,
        found.segments,
        steps=steps,
        settings=replace(settings, epochs=budget.epochs),
        memory=memory,
    )


def _usual(network: str, parameters: Mapping[str, Any], shape: Sequence[int]) -> FitSettings:
    """Return how a network is trained where nothing else is asked for."""
    optimizer = cost.suited_optimizer(network, parameters, shape)
    return FitSettings(optimizer=optimizer, learning_rate=3e-3, channels_last=len(shape) == 4)


def _warmed(plan: Plan) -> Plan:
    """Return a plan whose rate grows over the first twentieth of the training."""
    return replace(plan, settings=replace(plan.settings, warmup=plan.steps * plan.settings.epochs // 20))


def _shrink(patch: list[int]) -> bool:
    """Take a quarter off the longest axis; False where it is short already."""
    axis = int(np.argmax(patch))
    if patch[axis] <= 32:
        return False
    patch[axis] = max(patch[axis] * 3 // 4, 32)
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
