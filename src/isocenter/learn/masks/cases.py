"""The cases of a segmentation cohort, read once: what cannot be used is set aside with one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from isocenter.core.errors import BudgetError, ContentError, GridMismatchError, InputError, IsocenterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io.budget import readable_size
from isocenter.learn.data.cohort import Cohort

__all__ = ["MaskCases", "load_cases", "strata_of"]

#: More values than this without names, in all masks together, number objects, not classes.
MOST_CLASSES = 32

Say = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class MaskCases:
    """Images and masks of the cases that can be used.

    Attributes
    ----------
    cohort
        These cases.
    images, masks
        One of each a case; every mask has the same table of segments.
    segments
        The classes.
    aside
        (case, reason) of the others.
    notes
        What was concluded from the masks, one sentence each.
    """

    cohort: Cohort
    images: tuple[Image, ...]
    masks: tuple[LabelMap, ...]
    segments: tuple[Segment, ...]
    aside: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def take(self, indices: Sequence[int]) -> tuple[list[Image], list[LabelMap], list[str]]:
        """Return images, masks and names of some cases."""
        names = [self.cohort.samples[k].identifier for k in indices]
        return [self.images[k] for k in indices], [self.masks[k] for k in indices], names


def load_cases(cohort: Cohort, say: Say | None = None, segments: Sequence[Segment] | None = None) -> MaskCases:
    """Read the images and masks of a cohort.

    Parameters
    ----------
    cohort
        For segmentation.
    say
        Told what is done: (what, done, total).
    segments
        The classes that a model knows: the masks are read as theirs. None takes those of the masks.

    Raises
    ------
    ContentError
        If no case can be used, all masks are empty, or they show a class that the model does not know.
    BudgetError
        If the cases take more memory than is free.
    """
    aside: list[tuple[str, str]] = []
    found: list[tuple[int, Image, LabelMap]] = []
    taken, free = 0, int(psutil.virtual_memory().available)
    for k, sample in enumerate(cohort.samples):
        if say is not None:
            say("reading", k, len(cohort))
        try:
            found.append((k, *_case(cohort, k)))
        except (InputError, IsocenterError) as error:
            aside.append((sample.identifier, str(error)))
            continue
        taken += _bytes(*found[-1][1:])
        if taken > free:
            raise BudgetError(
                f"The first {len(found)} of {len(cohort)} cases of '{cohort.name}' would take {readable_size(taken)} of memory: expected at "
                f"most the {readable_size(free)} that are free; make the images coarser, take fewer, or use a machine with more memory."
            )
    usual = Counter(_kind(image) for _, image, _ in found).most_common(1)
    kept = []
    for k, image, mask in found:
        if _kind(image) == usual[0][0]:
            kept.append((k, image, mask))
            continue
        words = " ".join(map(str, _kind(image)))
        aside.append((cohort.samples[k].identifier, f"it is of another kind ({words}) than most: expected one kind of image."))
    if not kept:
        first = f": {aside[0][0]}: {aside[0][1]}" if aside else ""
        raise ContentError(f"No case of '{cohort.name}' can be used{first}")
    given = [mask for _, _, mask in kept]
    notes: tuple[str, ...] = ()
    if segments is None:
        masks, rows, notes = _common(given, cohort.name)
    else:
        masks, rows = _known(given, segments, cohort.name)
    chosen = cohort.take([k for k, _, _ in kept])
    return MaskCases(chosen, tuple(image for _, image, _ in kept), masks, rows, tuple(aside), notes)


def strata_of(cases: MaskCases) -> Cohort:
    """Return the cohort as one for numbers, the share of samples that any class holds: folds are stratified by it.

    Parameters
    ----------
    cases
        The cases.
    """
    shares = [float((np.asarray(mask.array) > 0).mean()) for mask in cases.masks]
    samples = tuple(replace(s, label=share) for s, share in zip(cases.cohort.samples, shares, strict=True))
    return replace(cases.cohort, samples=samples, task="regression")


def _case(cohort: Cohort, k: int) -> tuple[Image, LabelMap]:
    image = cohort.image(k)
    if cohort.samples[k].label is None:
        raise ContentError("it has no mask")
    mask = cohort.mask(k)
    labels = mask.to_labels() if isinstance(mask, MaskStack) else mask
    if "t" in image.dims or image.geometry.ndim < 2:
        raise ContentError(f"it has axes {image.dims}: expected two or three spatial axes and no time; pick a time point.")
    match = image.geometry.matches(labels.geometry)
    if not match:
        raise GridMismatchError(f"the mask lies on another grid than its image ({match.reason}): bring it onto the image's grid.")
    if not np.isfinite(np.asarray(image.array)).all():
        raise ContentError("the image holds values that are not finite: expected finite numbers; repair or leave it out.")
    return image, labels


def _bytes(image: Image, mask: LabelMap) -> int:
    """Return what a case takes: as it is, and once more as a training prepares it."""
    samples, labels = int(np.prod(image.shape)), int(np.prod(mask.shape))
    return samples * (image.dtype.itemsize + 4) + labels * (mask.dtype.itemsize + 1)


def _kind(image: Image) -> tuple[Any, ...]:
    channels = image.shape[image.dims.index("c")] if "c" in image.dims else 1
    return "".join(image.dims), f"{channels} channels", image.geometry.unit


def _common(masks: Sequence[LabelMap], name: str) -> tuple[tuple[LabelMap, ...], tuple[Segment, ...], tuple[str, ...]]:
    """Return masks with one table of segments; numbered objects become one class, and the only class has the value 1."""
    values = sorted({v for mask in masks for v in mask.present if v > 0})
    if not values:
        raise ContentError(f"All {len(masks)} masks of '{name}' are empty: expected some that show what is to be outlined.")
    if len(values) == 1:
        row = Segment(1, _name(masks, values[0], "object"))
        return tuple(_one(mask, row) for mask in masks), (row,), ()
    rows = tuple(_row(masks, v) for v in values)
    if len(values) > MOST_CLASSES and all(row.name == f"label {row.value}" for row in rows):
        row = Segment(1, "object")
        note = f"The masks hold {len(values)} values without names: they are taken for numbered objects of one class, 'object'."
        return tuple(_one(mask, row) for mask in masks), (row,), (note,)
    return tuple(m.replace(segments=rows) for m in masks), rows, ()


def _known(masks: Sequence[LabelMap], segments: Sequence[Segment], name: str) -> tuple[tuple[LabelMap, ...], tuple[Segment, ...]]:
    """Return masks in the values of a model: of a single class all that is labelled is it, else the values must be known."""
    values = {v for mask in masks for v in mask.present if v > 0}
    if not values:
        raise ContentError(f"All {len(masks)} masks of '{name}' are empty: expected some that show what the model outlines.")
    rows = tuple(segments)
    if len(rows) == 1:
        return tuple(_one(mask, rows[0]) for mask in masks), rows
    unknown = sorted(values - {s.value for s in rows})
    if unknown:
        known = ", ".join(f"{s.value} ({s.name})" for s in rows)
        raise ContentError(f"The masks of '{name}' hold the value {unknown[0]}, which the model does not know: expected {known}.")
    return tuple(m.replace(segments=rows) for m in masks), rows


def _one(mask: LabelMap, row: Segment) -> LabelMap:
    array: npt.NDArray[Any] = (np.asarray(mask.array) > 0).astype(np.min_scalar_type(row.value)) * row.value
    return mask.replace(array=array, segments=(row,))


def _row(masks: Sequence[LabelMap], value: int) -> Segment:
    known = next(s for mask in masks for s in mask.segments if s.value == value)
    return replace(known, name=_name(masks, value, f"label {value}"))


def _name(masks: Sequence[LabelMap], value: int, otherwise: str) -> str:
    """Return the name that all masks give a value; names of files are none."""
    names = {s.name for mask in masks for s in mask.segments if s.value == value}
    only = names.pop() if len(names) == 1 else "labels"
    return otherwise if only in ("labels", "mask", "masks", f"label {value}") else only
