"""Families that say what and where, take signals, or learn: Predictor, Detector, SignalFilter, SignalExtractor, Fittable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from isocenter.core.dtype import working_dtype
from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.families.base import OnImages, spatial_mask
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context, Operation, Spec, default_threads
from isocenter.core.points import Boxes, Points
from isocenter.core.results import Column, Features, Prediction
from isocenter.core.signal import Signal

__all__ = ["Detector", "Fittable", "Predictor", "SignalExtractor", "SignalFilter"]


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


class SignalExtractor(Operation):
    """Signal -> Features: one row per channel."""

    family: ClassVar[str] = "SignalExtractor"

    def columns(self, unit: str | None) -> tuple[Column, ...]:
        """Return the columns, with units that may depend on that of the samples."""
        raise TypeError(f"{type(self).__name__} has no columns: a signal extractor must define them.")

    def __call__(self, signal: Signal, /, *, seed: int = 0, threads: int | None = None) -> Features:
        """Return the measurements of every channel.

        `compute` is handed one channel, shape (samples,), and ``context.spacing`` of 1 / rate s; it returns column name ->
        value, and a column it leaves out is NaN.
        """
        if not isinstance(signal, Signal):
            raise ContentError(f"{self.name} measures a signal, but was given {type(signal).__name__}: expected a Signal.")
        notes: list[str] = []
        grid = Geometry.regular((signal.array.shape[1],), (1.0 / signal.rate,))
        columns = self.columns(signal.unit)
        rows = []
        for name, samples in zip(signal.channels, signal.array, strict=True):
            context = Context(
                geometry=grid,
                dims=("x",),
                seed=seed,
                threads=threads or default_threads(),
                name=f"{self.name}, {name}",
                notes=notes,
            )
            values: Mapping[str, Any] = self.compute(np.asarray(samples, dtype=np.float64), context)
            unknown = set(values) - {c.name for c in columns}
            if unknown:
                raise ParameterError(f"{self.name} computed undeclared columns {sorted(unknown)}.")
            rows.append(tuple(values.get(c.name, float("nan")) for c in columns))
        regions = _distinct(signal.channels)
        return Features(columns, tuple(rows), regions, self.traced((signal,), seed, notes))

    def resolve(self, *specs: Spec) -> Spec:
        """Return that features come out."""
        if specs and specs[0].kind != "Signal":
            raise ContentError(f"{self.name} measures a signal, but would be given {specs[0].kind}: expected a Signal.")
        return Spec("Features")


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names made unique: a montage may name two channels alike."""
    found: list[str] = []
    for name in names:
        count = names[: len(found)].count(name)
        found.append(f"{name} ({count + 1})" if count else name)
    return tuple(found)


class Fittable(Operation):
    """fit(cohort) -> Operation: learns parameters from cases and returns the operation that applies them."""

    family: ClassVar[str] = "Fittable"

    def fit(self, cohort: Iterable[Any], /, *, seed: int = 0) -> Operation:
        """Return the fitted operation; neither self nor the cohort changes."""
        raise TypeError(f"{type(self).__name__} has no fit: a fittable operation must define it.")
