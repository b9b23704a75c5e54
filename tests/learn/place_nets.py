"""Tiny networks that find places: a detector that learned three pictures by heart, and a landmark net with random weights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from isocenter import nets
from isocenter.core.image import Image
from isocenter.learn.package.fingerprint import fingerprint_of, image_facts
from isocenter.learn.package.model import Package
from isocenter.learn.package.reading import write_package
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.train.detection import train_detector
from isocenter.learn.train.landmarks import TrainedLandmarks
from isocenter.learn.train.place_plan import PlacePlan, detection_plan, landmark_plan
from isocenter.learn.train.settings import FitSettings
from tests.learn.places_cohort import discs, head


@cache
def detector() -> PlaceModel:
    """Return a detector that learned three pictures by heart."""
    pairs = [discs(k) for k in (1, 2, 4)]
    images, truth = [i for i, _ in pairs], [t for _, t in pairs]
    plan = detection_plan(images, truth, ["disc"])
    own = {**plan.parameters, "channels": [8, 16, 16], "features": 16}
    plan = replace(plan, parameters=own, augment=0.0, batch=3, settings=FitSettings(epochs=40, learning_rate=1e-2))
    return PlaceModel(train_detector(images, truth, validation=0, plan=plan), slope=2.0, offset=0.5, threshold=0.3)


def landmark_net(axes: int = 2, spacing: float = 3.2) -> tuple[PlaceModel, Image]:
    """Return a landmark net with random weights on heat maps of half the samples, and an image."""
    image = head(3)[0] if axes == 2 else discs(4, 3)[0]
    plan = landmark_plan([image], ("left", "right") if axes == 2 else ("middle",))
    own = {**plan.parameters, "channels": [4, 8, 8], "step": 2}
    plan = replace(plan, parameters=own, spacing=(spacing,) * axes, size=(32,) * axes)
    return PlaceModel(TrainedLandmarks(plan, _random(plan))), image


def _random(plan: PlacePlan) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return nets.build(plan.network, **plan.parameters).eval()


def packaged(path: Path, model: PlaceModel, images: list[Image]) -> Package:
    """Return a model as a package."""
    return write_package(path, model, name="made-up-places", fingerprint=fingerprint_of([image_facts(i) for i in images]))
