"""Small studies, a registry of test operations, and what the pipeline's tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.core.registry import Registry
from isocenter.core.study import Study
from isocenter.pipeline import plan, spec

REGISTRY = Registry("tests.pipeline.ops", Path(__file__).parent / "ops")

CHAIN = """\
name: chain
steps:
  - {op: denoise.median, with: {radius: 1}}
  - {op: denoise.noisy}
  - {op: segment.threshold, to: bright, with: {above: 10}}
  - {op: features.intensity, from: [noisy, bright], to: numbers, filtered: true}
"""


def image(seed: int = 1, *, shape: tuple[int, ...] = (6, 8, 10), quantity: str | None = "HU", modality: str = "CT") -> Image:
    values = np.random.default_rng(seed).integers(-1000, 1000, shape).astype(np.int16)
    grid = Geometry.regular(shape, (3.0, 1.0, 1.0)[-len(shape) :])
    made = Image(values, ("z", "y", "x")[-len(shape) :], grid, modality=modality, quantity=quantity)
    return made.replace(provenance=Provenance.read(made.digest, "phantom", ("made for a test",)))


def mask(name: str = "gtv", *, shape: tuple[int, ...] = (6, 8, 10), start: int = 2) -> LabelMap:
    values = np.zeros(shape, bool)
    values[start : start + 3, 2:5, 2:6] = True
    grid = Geometry.regular(shape, (3.0, 1.0, 1.0))
    made = LabelMap.from_masks({name: values}, grid, ("z", "y", "x"))
    return made.replace(provenance=Provenance.read(made.digest, "phantom"))


def study(seed: int = 1, **slots: Any) -> Study:
    return Study(f"case-{seed}", {"image": image(seed), **slots})


def specs(one: Study) -> dict[str, Spec]:
    return {name: Spec.of(value) for name, value in one.slots.items()}


def load(text: str) -> spec.Pipeline:
    return spec.load(text, registry=REGISTRY)


def planned(text: str, one: Study, limits: plan.Limits | None = None) -> plan.Plan:
    return plan.plan(load(text), specs(one), limits, registry=REGISTRY)
