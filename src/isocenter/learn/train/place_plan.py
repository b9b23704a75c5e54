"""How a network that finds places is trained and used: plain data, made from the training fold and a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, SpecError
from isocenter.core.image import Image
from isocenter.learn.places.places import Places
from isocenter.learn.train import cost
from isocenter.learn.train.fingerprint import channels_of
from isocenter.learn.train.frames import spacing_for
from isocenter.learn.train.plan_file import read_as, write_as
from isocenter.learn.train.scale import SCALES, common_quantity
from isocenter.learn.train.settings import FitSettings, Optimizer

__all__ = [
    "PlacePlan",
    "batch_of",
    "detection_plan",
    "landmark_plan",
    "narrowest",
    "read_place_plan",
    "size_of",
    "timed",
    "usual_settings",
    "write_place_plan",
]

#: Most samples along an axis, by the number of axes.
_LONGEST = {2: 256, 3: 64}
#: The least steps that are worth training for: a smaller network or a coarser grid is taken before.
_FEWEST_STEPS = 200
#: Part of a step that Muon may add: their networks take longer than their arithmetic says, and where it added 2.5 it was better still.
_MOST_ADDED = 2.5


@dataclass(frozen=True)
class PlacePlan:
    """A plan.

    Attributes
    ----------
    network, parameters
        Name in `isocenter.nets` and its parameters.
    names
        Of the landmarks, or of the classes of objects.
    spacing
        mm (or px) of a sample that images are brought to.
    size
        Samples of a training image along each axis; a larger image is shown whole when it is predicted.
    channels
        Of an image.
    batch
        Images a batch.
    augment
        Strength of the augmentation, 0 to 1.
    mirror
        Axes along which the anatomy may be mirrored.
    settings
        Of the engine.
    quantity
        What samples measure, where they are shown on the scale of it; None where each image is normalised by itself.
    """

    network: str
    parameters: Mapping[str, Any]
    names: tuple[str, ...]
    spacing: tuple[float, ...]
    size: tuple[int, ...]
    channels: int
    batch: int
    augment: float = 0.7
    mirror: tuple[int, ...] = ()
    settings: FitSettings = field(default_factory=FitSettings)
    quantity: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for YAML."""
        plain = asdict(self)
        for key in ("names", "spacing", "size", "mirror"):
            plain[key] = list(plain[key])
        plain["parameters"] = {k: list(v) if isinstance(v, tuple) else v for k, v in self.parameters.items()}
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "training plan") -> PlacePlan:
        """Return the plan that `to_dict` described.

        Raises
        ------
        SpecError
            If keys are missing or unknown.
        """
        values = dict(data)
        try:
            values["settings"] = FitSettings(**values.get("settings", {}))
            for key, kind in (("names", str), ("spacing", float), ("size", int), ("mirror", int)):
                values[key] = tuple(kind(v) for v in values.get(key, ()))
            if values.get("quantity") not in (None, *SCALES):
                raise ValueError(f"quantity {values['quantity']!r}, expected one of {', '.join(SCALES)}")
            return cls(**values)
        except (TypeError, KeyError, ValueError) as error:
            raise SpecError(f"does not describe a training plan ({error}); write one and edit that", source) from error


def landmark_plan(
    images: Sequence[Image], names: Sequence[str], seconds: float | None = None, settings: FitSettings | None = None
) -> PlacePlan:
    """Return a plan for a landmark net.

    Parameters
    ----------
    images
        The training fold.
    names
        Of the landmarks.
    seconds
        On the nominal machine (`cost.NOMINAL_RATE`); None trains the epochs of the settings.
    settings
        Of the engine. Default: `usual_settings`, with Muon where it costs little beside the batches (`cost.suited_optimizer`).
    """
    axes = images[0].geometry.ndim

    def shaped(longest: int, features: int) -> PlacePlan:
        spacing = spacing_for(images, longest)
        step = 2 if axes == 2 and longest >= 128 else 1
        size = size_of(images, spacing, 16 * step)
        channels = [features, 2 * features, 4 * features, 8 * features, 8 * features]
        parameters = {
            "in_channels": channels_of(images[0]),
            "out_channels": len(tuple(names)),
            "dimensions": axes,
            "channels": channels,
            "step": step,
        }
        return PlacePlan("heatmap_landmarks", parameters, tuple(names), spacing, size, channels_of(images[0]), batch_of(axes))

    return _measured(_within(shaped, len(images), axes, seconds, settings), images)


def detection_plan(
    images: Sequence[Image],
    truth: Sequence[Places],
    names: Sequence[str],
    seconds: float | None = None,
    settings: FitSettings | None = None,
) -> PlacePlan:
    """Return a plan for a detector; the grid is as fine as the smaller objects of the training fold need.

    Parameters
    ----------
    images, truth
        The training fold.
    names
        Classes of objects.
    seconds, settings
        As of `landmark_plan`.

    Raises
    ------
    ContentError
        If there is no object, or the objects are too small beside the images to be seen on any grid that can be trained.
    """
    axes = images[0].geometry.ndim
    sides = _sides(truth)
    if sides is None:
        raise ContentError("No object in any training image: a detector cannot be trained without one; add some.")
    small, large = (float(v) for v in np.quantile(sides, [0.1, 0.9]))

    def shaped(longest: int, features: int) -> PlacePlan:
        spacing = spacing_for(images, longest, small / 8.0)
        samples = small / max(spacing)
        if samples < 3.0:
            raise ContentError(
                f"The smaller objects are {small:.3g} {images[0].geometry.unit} wide, {samples:.1f} samples on the finest grid of whole "
                "images that is trained: expected 3 or more; crop the images to the region of interest first."
            )
        stages = 5 if large / min(spacing) > 48.0 else 4
        parameters = {
            "in_channels": channels_of(images[0]),
            "out_channels": len(tuple(names)),
            "dimensions": axes,
            "channels": [min(features * 2**k, 8 * features) for k in range(stages)],
            "levels": stages - 1 if samples < 6.0 else stages - 2,
            "features": 4 * features,
        }
        size = size_of(images, spacing, 2 ** (stages - 1))
        return PlacePlan("one_stage_detector", parameters, tuple(names), spacing, size, channels_of(images[0]), batch_of(axes))

    return _measured(_within(shaped, len(images), axes, seconds, settings), images)


def write_place_plan(plan: PlacePlan, path: Path | str) -> None:
    """Write a plan as YAML."""
    write_as(plan, path)


def read_place_plan(path: Path | str) -> PlacePlan:
    """Read a plan from YAML."""
    return read_as(PlacePlan, path)


def usual_settings(axes: int, optimizer: Optimizer = "adamw") -> FitSettings:
    """Return how places are trained where nothing else is asked for."""
    return FitSettings(learning_rate=3e-3, channels_last=axes == 2, optimizer=optimizer)


def batch_of(axes: int) -> int:
    """Return the images of a batch."""
    return 8 if axes == 2 else 2


def narrowest(truth: Sequence[Places]) -> float | None:
    """Return how wide the smaller boxes are (the 10th percentile of the least sides), in mm or px; None for points."""
    sides = _sides(truth)
    return None if sides is None else float(np.quantile(sides, 0.1))


def _sides(truth: Sequence[Places]) -> npt.NDArray[np.float64] | None:
    """Return the least side of each box in mm (or px), None where there is no box."""
    found = [np.asarray(t.extents) * t.geometry.spacing for t in truth if len(t) and t.kind == "boxes"]
    return np.concatenate(found).min(axis=1) if found else None


def size_of(images: Sequence[Image], spacing: Sequence[float], divisor: int) -> tuple[int, ...]:
    """Return the samples that hold nearly every image, a whole number of what the network divides by."""
    shapes = np.array([np.asarray(i.geometry.extent) / np.asarray(tuple(spacing)) for i in images])
    wanted = np.minimum(shapes.max(axis=0), 1.5 * np.median(shapes, axis=0))
    return tuple(int(-(-round(n) // divisor) * divisor) for n in np.maximum(np.round(wanted), 1))


def _measured(plan: PlacePlan, images: Sequence[Image]) -> PlacePlan:
    return replace(plan, quantity=common_quantity(i.quantity for i in images))


def _within(shaped: Any, cases: int, axes: int, seconds: float | None, settings: FitSettings | None) -> PlacePlan:
    """Return the largest plan whose training does enough steps in its time, with its epochs."""
    chosen = settings or usual_settings(axes)
    sizes = [(_LONGEST[axes], 8), (_LONGEST[axes] // 2, 8), (_LONGEST[axes] // 2, 4)]
    plan: PlacePlan | None = None
    for longest, features in sizes:
        try:
            plan = shaped(longest, features)
        except ContentError:
            if plan is None:  # a coarser grid than one that would do is not taken
                raise
            break
        if settings is None:
            chosen = usual_settings(axes, cost.suited_optimizer(plan.network, plan.parameters, _shape(plan), _MOST_ADDED))
        if seconds is None or seconds / _step(plan, chosen) >= _FEWEST_STEPS:
            break
    assert plan is not None  # the first size either made one or raised
    return timed(plan, cases, seconds, chosen)


def timed(plan: PlacePlan, cases: int, seconds: float | None, settings: FitSettings) -> PlacePlan:
    """Return a plan with the epochs that its time allows.

    Parameters
    ----------
    plan
        Network, grid and batch.
    cases
        Of the training fold.
    seconds
        On the nominal machine; None trains the epochs of the settings.
    settings
        Of the engine.
    """
    steps = math.ceil(cases / plan.batch)
    epochs = settings.epochs if seconds is None else int(min(max(seconds / (_step(plan, settings) * steps), 1), 200))
    average = 0.99 if epochs * steps >= 500 else 0.0
    return replace(plan, settings=replace(settings, epochs=epochs, every=max(1, epochs // 20), average=average))


def _step(plan: PlacePlan, settings: FitSettings) -> float:
    return cost.nominal_seconds(plan.network, plan.parameters, _shape(plan), settings.optimizer)


def _shape(plan: PlacePlan) -> tuple[int, ...]:
    return (plan.batch, plan.channels, *plan.size)
