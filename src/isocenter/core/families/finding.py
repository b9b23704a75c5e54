"""Families that say what and where, filter signals, or learn: Predictor, Detector, SignalFilter, Fittable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from isocenter.core.dtype import working_dtype
from isocenter.core.errors import ContentError
from isocenter.core.families.base import OnImages, spatial_mask
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context, Operation, Spec, default_threads
from isocenter.core.points import Boxes, Points
from isocenter.core.results import Features, Prediction
from isocenter.core.signal import Signal

__all__ = ["Detector", "Fittable", "Predictor", "SignalFilter"]


class Predictor(Operation):
    """Image or Features -> Prediction."""

    family: ClassVar[str] = "Predictor"

    def __call__(self, value: Image | Features, /, *, seed: int = 0, threads: int | None = None) -> Prediction:
        """Return the prediction; `predict` computes it."""
        notes: list[str] = []
        result = self.predict(value, seed, notes)
        return Prediction(result.classes, result.probabilities, result.value, result.unit, self.traced((value,), seed, notes))

    def predict(self, value: Image | Features, seed: int, notes: list[str]) -> Prediction:
        """Return what the model says of one case."""
        raise TypeError(f"{type(self).__name__} has no predict: a predictor must define it.")

    def resolve(self, *specs: Spec) -> Spec:
        """Return that a prediction comes out."""
        return Spec("Prediction")


class Detector(OnImages):
    """Image[, region] -> Points or Boxes in mm."""

    family: ClassVar[str] = "Detector"

    def __call__(
        self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None
    ) -> Points | Boxes:
        """Return what was found; `compute` returns `Points` or `Boxes`."""
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, seed, threads, notes, region=spatial_mask(region, image))
        found: Points | Boxes = self.compute(np.asarray(image.array), context)
        object.__setattr__(found, "provenance", self.traced((image, region), seed, notes))
        return found

    def resolve(self, *specs: Spec) -> Spec:
        """Return that points come out."""
        self.check_image(specs[0])
        return Spec("Points")


class SignalFilter(Operation):
    """Signal -> Signal with the same channels and rate."""

    family: ClassVar[str] = "SignalFilter"

    def __call__(self, signal: Signal, /, *, seed: int = 0, threads: int | None = None) -> Signal:
        """Return the filtered signal; `compute` is handed (channels, samples) and ``context.spacing`` of 1 / rate s."""
        notes: list[str] = []
        grid = Geometry.regular((signal.array.shape[1],), (1.0 / signal.rate,))
        context = Context(
            geometry=grid, dims=("c", "x"), seed=seed, threads=threads or default_threads(), name=self.name, notes=notes
        )
        array = np.asarray(self.compute(signal.array.astype(working_dtype(signal.array.dtype), copy=False), context))
        if array.shape != signal.array.shape:
            raise ContentError(
                f"{self.name} returned {array.shape} for {signal.array.shape}: a signal filter keeps channels and rate."
            )
        return Signal(array, signal.rate, signal.channels, signal.unit, signal.start, self.traced((signal,), seed, notes))


class Fittable(Operation):
    """fit(cohort) -> Operation: learns parameters from cases and returns the operation that applies them."""

    family: ClassVar[str] = "Fittable"

    def fit(self, cohort: Iterable[Any], /, *, seed: int = 0) -> Operation:
        """Return the fitted operation; neither self nor the cohort changes."""
        raise TypeError(f"{type(self).__name__} has no fit: a fittable operation must define it.")
