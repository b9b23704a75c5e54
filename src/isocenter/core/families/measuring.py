"""Families whose results are numbers: Extractor, Measure, Metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.core.dtype import working_dtype
from isocenter.core.errors import ContentError, GeometryError, ParameterError
from isocenter.core.families.base import Array, OnImages, blocks, refuse_labels, spatial_mask
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Context, Spec
from isocenter.core.results import Column, Features, Score, Scores

__all__ = ["Extractor", "Measure", "Metric", "NamedMask"]

#: A segment's name, its bool mask, and the part of the grid that the mask covers (None: all of it).
NamedMask = tuple[str, npt.NDArray[np.bool_], tuple[slice, ...] | None]


class Extractor(OnImages):
    """Image, region -> Features: one row per segment.

    ``uses_values`` is False for extractors that look at the region alone (shape).
    """

    family: ClassVar[str] = "Extractor"
    uses_values: ClassVar[bool] = True

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns, with units that may depend on the image's quantity and grid."""
        raise TypeError(f"{type(self).__name__} has no columns: an extractor must define them.")

    def __call__(self, image: Image, region: LabelMap | MaskStack, /, *, seed: int = 0, threads: int | None = None) -> Features:
        """Return the measurements of every segment of `region` in `image`.

        `compute(array, context)` is called once per segment with ``context.region`` and returns column name ->
        value; a column it leaves out is NaN. It must cope with an empty region. Time points and channels that
        it does not take itself become rows of their own, named ``lesion [t=3]`` or ``lesion [red]``.
        """
        refuse_labels(self.name, image)
        core = self._core(image)
        image.geometry.require_match(region.geometry, ("the image", "the region"))
        notes: list[str] = []
        rows, names = [], []
        columns: tuple[Column, ...] | None = None
        for suffix, block, masks in self._frames(image, region, core):
            for name, mask, box in masks:
                context = self._context(image, core, seed, threads, notes, region=mask, box=box)
                columns = columns or self.columns(context)
                values: Mapping[str, Any] = self.compute(block, context)
                unknown = set(values) - {c.name for c in columns}
                if unknown:
                    raise ParameterError(f"{self.name} computed undeclared columns {sorted(unknown)}.")
                rows.append(tuple(values.get(c.name, float("nan")) for c in columns))
                names.append(name + suffix)
        if columns is None:
            columns = self.columns(self._context(image, core, seed, threads, notes))
        return Features(columns, tuple(rows), tuple(names), self.traced((image, region), seed, notes))

    def _frames(
        self, image: Image, region: LabelMap | MaskStack, core: tuple[str, ...]
    ) -> Iterator[tuple[str, Array, Iterator[NamedMask]]]:
        """Yield (row suffix, samples, named masks) of every time point and channel that is measured on its own."""
        looped = [d for d in image.dims if d not in core]
        in_time = "t" in region.dims
        if in_time and ("t" not in looped or region.array.shape[0] != image.shape[0]):
            raise ContentError(
                f"{self.name} was given a region of {region.array.shape[0]} time points for an image of axes "
                f"{' '.join(image.dims)}: expected the same time points in both."
            )
        for index, block in blocks(image, core):
            place = dict(zip(looped, index, strict=True))
            if not self.uses_values and any(k for d, k in place.items() if d != "t" or not in_time):
                continue  # the shape of a region is the same in every channel and time point
            labels = [f"t={k}" if d == "t" else (image.channels[k] if image.channels else f"c={k}") for d, k in place.items()]
            if not self.uses_values:
                labels = [f"t={place['t']}"] if in_time else []
            part = region.at(t=place["t"]) if in_time and isinstance(region, LabelMap) else region
            yield (f" [{', '.join(labels)}]" if labels else ""), block, self.masks(part)

    def masks(self, region: LabelMap | MaskStack) -> Iterator[NamedMask]:
        """Yield (name, bool mask, where it lies) of every segment.

        An extractor that works on the box around a region may yield masks cropped to it, and the box: `compute` finds it
        as ``context.box``. None stands for a mask of the whole grid.
        """
        if isinstance(region, MaskStack):
            for row, mask in zip(region.segments, region.array, strict=True):
                yield row.name, mask, None
        else:
            data = np.asarray(region.array)
            for row in region.segments:
                yield row.name, data == row.value, None

    def resolve(self, *specs: Spec) -> Spec:
        """Return that features come out; raises where the grids differ."""
        image = specs[0]
        refuse_labels(self.name, image)
        self.check_image(image)
        if len(specs) < 2 or specs[1].kind not in ("LabelMap", "MaskStack"):
            given = specs[1].kind if len(specs) > 1 else "nothing"
            raise ContentError(
                f"{self.name} measures an image in a region, but would be given {given} as region: expected a label map."
            )
        if image.geometry is not None and specs[1].geometry is not None:
            image.geometry.require_match(specs[1].geometry, ("the image", "the region"))
        return Spec("Features")


class Measure(OnImages):
    """Image[, region] -> Scores that describe the image."""

    family: ClassVar[str] = "Measure"
    #: How scores change when intensities are multiplied by k: ``invariant``, ``linear`` or ``quadratic``.
    scaling: ClassVar[str] = "invariant"

    def __call__(self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None) -> Scores:
        """Return the scores; `compute` returns name -> `Score`."""
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, seed, threads, notes, region=spatial_mask(region, image))
        scores: Mapping[str, Score] = self.compute(
            np.asarray(image.array).astype(working_dtype(image.dtype), copy=False), context
        )
        return Scores(scores, self.traced((image, region), seed, notes))

    def resolve(self, *specs: Spec) -> Spec:
        """Return that scores come out."""
        self.check_image(specs[0])
        return Spec("Scores")


class Metric(OnImages):
    """prediction, truth -> Scores.

    ``compares`` is ``labels`` (masks) or ``images`` (intensities). Without ``label`` the union of all labels is
    compared. `compute` is handed the prediction, and the truth as ``context.reference``.
    """

    family: ClassVar[str] = "Metric"
    compares: ClassVar[str] = "labels"
    label: str | int | None = None

    def __call__(self, prediction: Image, truth: Image, /, *, seed: int = 0, threads: int | None = None) -> Scores:
        """Return the scores of a prediction against the truth, on one grid."""
        core = self._core(prediction)
        if self.compares == "labels" and not (isinstance(prediction, LabelMap) and isinstance(truth, LabelMap)):
            kinds = f"{type(prediction).__name__} and {type(truth).__name__}"
            raise ContentError(f"{self.name} compares label maps, but was given {kinds}: expected two label maps.")
        prediction.geometry.require_match(truth.geometry, ("the prediction", "the truth"))
        if prediction.shape != truth.shape:
            raise GeometryError(f"Prediction of shape {prediction.shape} and truth of {truth.shape}: expected the same.")
        notes: list[str] = []
        if isinstance(prediction, LabelMap) and isinstance(truth, LabelMap):
            first, second = self._mask(prediction), self._mask(truth)
        else:
            dtype = np.promote_types(working_dtype(prediction.dtype), working_dtype(truth.dtype))
            first, second = np.asarray(prediction.array).astype(dtype), np.asarray(truth.array).astype(dtype)
        context = self._context(prediction, core, seed, threads, notes, reference=second)
        scores: Mapping[str, Score] = self.compute(first, context)
        return Scores(scores, self.traced((prediction, truth), seed, notes))

    def _mask(self, labels: LabelMap) -> npt.NDArray[Any]:
        """Return the compared mask; a label without a row in this table was simply not found (an empty mask).

        A metric that tells objects or labels apart overrides this and is handed integers.
        """
        own = self.label is None or any(s.value == 1 and self.label in (s.name, s.value) for s in labels.segments)
        if own and labels.dtype == np.uint8 and labels.present in ((0, 1), (0,), (1,)):
            return np.asarray(labels.array).view(np.bool_)  # a mask already: no copy
        if self.label is None:
            return labels.mask()
        if any(self.label in (s.name, s.value) for s in labels.segments):
            return labels.mask(self.label)
        return np.zeros(labels.shape, dtype=bool)

    def resolve(self, *specs: Spec) -> Spec:
        """Return that scores come out; raises where the grids differ."""
        self.check_image(specs[0])
        if len(specs) > 1 and specs[0].geometry is not None and specs[1].geometry is not None:
            specs[0].geometry.require_match(specs[1].geometry, ("the prediction", "the truth"))
        return Spec("Scores")
