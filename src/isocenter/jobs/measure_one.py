"""Measure one mask in one image: read both, bring the mask onto the image's grid where that is allowed, and compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import ContentError, GridMismatchError, UnknownNameError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.points import Contours
from isocenter.core.results import Features
from isocenter.io import door
from isocenter.io.dicom.rtstruct import to_masks
from isocenter.jobs import measure_settings
from isocenter.jobs.options import parse_repair
from isocenter.kernels.labels import components
from isocenter.ops.resample.to_grid import ToGrid

__all__ = ["Measured", "Task", "measure_one", "read_pair"]


@dataclass(frozen=True)
class Task:
    """One mask file in one image.

    Attributes
    ----------
    image, mask
        What to read.
    shown
        How the two are named in the table.
    label
        Name or value of the one segment that is measured; empty: every one.
    settings
        Name or file; empty: chosen by the image.
    resample_mask
        Whether a mask on another grid is resampled even where only a part of it lies in the image.
    repair
        How missing slices are filled.
    extra
        Further columns of the cohort's table.
    objects
        Whether every connected object of a segment is a region of its own.
    """

    image: Path
    mask: Path
    shown: tuple[str, str]
    label: str = ""
    settings: str = ""
    resample_mask: bool = False
    repair: str | None = None
    extra: tuple[tuple[str, str], ...] = ()
    objects: bool = False


@dataclass(frozen=True)
class Measured:
    """What came out: (column, tag, code, unit, summary) of each column, a row per region, and notes."""

    columns: tuple[tuple[str, str, str, str, str], ...]
    regions: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    settings: str
    applied: Mapping[str, Any]
    notes: tuple[str, ...]


@lru_cache(maxsize=1)
def _image(path: Path, stamp: int, repair: str | None) -> Image:
    """Read an image; rows of a cohort that follow one another often share theirs."""
    return door.read(path, repair=parse_repair(repair))


def measure_one(task: Task) -> Measured:
    """Return the measurements of a task.

    Raises
    ------
    IsocenterError
        If something cannot be read, does not fit, or holds nothing to measure.
    """
    image = _image(task.image, task.image.stat().st_mtime_ns if task.image.exists() else 0, task.repair)
    settings = measure_settings.resolve(task.settings) if task.settings else measure_settings.of_image(image)
    notes: list[str] = list(settings.notes)
    region = _chosen(_labels(task.mask, image, task.image), task.label, settings.label, task.shown[1])
    region = on_grid(region, image, task.resample_mask or settings.resample_mask, notes, task.shown[1])
    _require_samples(region, task.shown[1])
    region = _apart(region) if task.objects else region
    if settings.normalise is not None:
        image = _normalised(image, *settings.normalise)
        notes.append("Intensities were brought to mean 0 and deviation 1 over the whole image first.")
    found: Features = settings.operation(image, region)
    columns = tuple((c.name, c.tag, c.standard.removeprefix("IBSI:"), c.unit, c.summary) for c in found.columns)
    notes.extend(found.provenance.steps[-1].notes)
    return Measured(columns, found.regions, found.rows, settings.name, settings.to_dict(), tuple(dict.fromkeys(notes)))


def read_pair(image: Path, mask: Path) -> tuple[Image, LabelMap | MaskStack]:
    """Return an image and its labels on the image's grid.

    Raises
    ------
    IsocenterError
        If either cannot be read, or the mask lies elsewhere.
    """
    picture = _image(image, image.stat().st_mtime_ns if image.exists() else 0, None)
    return picture, on_grid(_labels(mask, picture, image), picture, False, [], mask.name)


def _labels(path: Path, image: Image, source: Path) -> LabelMap | MaskStack:
    """Read a mask; contours whose image is not that of `source` are drawn on its grid all the same, in one frame of reference."""
    kinds = [item.kind for item in door.inspect(path).items]
    if "labels" in kinds or kinds.count("contours") != 1:
        return door.read_labels(path, source)
    (item,) = (item for item in door.inspect(path, over=source).items if item.kind in ("labels", "contours"))
    contours = item.load()
    if isinstance(contours, LabelMap | MaskStack):
        return contours
    assert isinstance(contours, tuple) and all(isinstance(c, Contours) for c in contours)
    frames = {c.frame for c in contours if c.frame}
    own = image.geometry.frame
    if frames and own and own not in frames:
        raise GridMismatchError(
            f"{path.name}: the structures were drawn in another frame of reference than the image's: expected those of this image; "
            "register the two first."
        )
    return to_masks(contours, image.geometry, path.name)


def _chosen(region: LabelMap | MaskStack, label: str, value: int | None, shown: str) -> LabelMap | MaskStack:
    """Return the region with the one segment that was asked for."""
    rows = region.segments
    if label:
        rows = tuple(s for s in rows if label in (s.name, str(s.value)))
        if not rows:
            names = ", ".join(f"{s.name} ({s.value})" for s in region.segments[:12]) or "none"
            raise UnknownNameError(f"{shown}: has no label '{label}': there are {names}.")
    elif value is not None and len(rows) > 1:
        rows = tuple(s for s in rows if s.value == value) or rows
    if rows == region.segments:
        return region
    if isinstance(region, MaskStack):
        return region.one(rows[0].name)
    array = np.where(np.asarray(region.array) == rows[0].value, np.asarray(region.array), 0)
    return replace(region, array=array, segments=rows[:1])


def on_grid(region: LabelMap | MaskStack, image: Image, asked: bool, notes: list[str], shown: str) -> LabelMap | MaskStack:
    """Return a region on the image's grid.

    Where the grids differ, it is resampled only if that was asked for, or if every sample of it lies in the image; how far
    samples moved and how the volume changed is noted.

    Raises
    ------
    GridMismatchError
        If it lies on another grid and may not be resampled.
    """
    match = image.geometry.matches(region.geometry)
    if match:
        return region
    facts = f"{shown}: lies on another grid ({region.geometry}) than the image ({image.geometry}): {match.reason}"
    if image.geometry.unit != "mm" or region.geometry.unit != "mm" or image.geometry.ndim != region.geometry.ndim:
        raise GridMismatchError(f"{facts}; expected a mask of this image.")
    if "frames" in match.reason and not asked:
        raise GridMismatchError(
            f"{facts}; expected a mask of this image; register the two, or resample it all the same with --resample-mask."
        )
    stacked = region if isinstance(region, MaskStack) else None
    any_mask = stacked.array.any(axis=0) if stacked is not None else np.asarray(region.array) > 0
    index = np.argwhere(any_mask)
    inside = image.geometry.contains(region.geometry.to_world(index)) if len(index) else np.zeros(0, np.bool_)
    if not asked and not inside.all():
        raise GridMismatchError(
            f"{facts}, and {int((~inside).sum())} of its {len(inside)} samples lie outside the image; expected a mask of this image; "
            "resample it all the same with --resample-mask."
        )
    grid = image.geometry.with_frame(region.geometry.frame)
    sample = ToGrid(labels="linear")
    if stacked is not None:
        parts = [np.asarray(sample(one, None, grid).array) > 0 for one in stacked]
        result: LabelMap | MaskStack = MaskStack(np.stack(parts), stacked.dims, image.geometry, stacked.segments)
        after = np.any(parts, axis=0)
    else:
        assert isinstance(region, LabelMap)  # the other of the two kinds
        made = sample(region, None, grid)
        assert isinstance(made, LabelMap)  # a resampler keeps labels labels
        result = replace(made, geometry=image.geometry)
        after = np.asarray(made.array) > 0
    notes.append(_moved(shown, index, after, region, image))
    return result


def _moved(shown: str, index: Any, after: Any, region: LabelMap | MaskStack, image: Image) -> str:
    """Return what resampling did, in mm and per cent."""
    if not after.any():
        return f"{shown}: was resampled onto the image's grid, and nothing of it is left there."
    points = image.geometry.to_world(np.argwhere(after))
    nearest = region.geometry.to_world(np.clip(np.rint(region.geometry.to_index(points)), 0, np.array(region.geometry.shape) - 1))
    far = float(np.linalg.norm(points - nearest, axis=1).max())
    centre = float(np.linalg.norm(points.mean(axis=0) - region.geometry.to_world(index).mean(axis=0)))
    before_volume, volume = len(index) * region.geometry.voxel_size, len(points) * image.geometry.voxel_size
    return (
        f"{shown}: was resampled onto the image's grid; samples moved by up to {far:.3g} mm, its centre by {centre:.3g} mm, "
        f"and its volume changed by {100.0 * (volume / before_volume - 1.0):+.2g} %."
    )


def _require_samples(region: LabelMap | MaskStack, shown: str) -> None:
    array = np.asarray(region.array)
    if not region.segments or not array.any():
        raise ContentError(
            f"{shown}: holds no region (every sample is background): expected at least one sample; check the mask."
        )
    if isinstance(region, LabelMap):
        empty = [s.name for s in region.segments if s.value not in region.present]
        if len(region.segments) == 1 and empty:
            raise ContentError(f"{shown}: the region '{empty[0]}' has no sample: expected at least one; check the mask.")


def _apart(region: LabelMap | MaskStack) -> LabelMap:
    """Return the connected objects of every segment as segments, numbered by their first sample."""
    masks = (
        zip(region.segments, region.array, strict=True)
        if isinstance(region, MaskStack)
        else ((row, region.mask(row.value)) for row in region.segments)
    )
    labels = np.zeros(region.array.shape[-region.geometry.ndim :], np.uint32)
    rows: list[Segment] = []
    for row, mask in masks:
        found, count = components(mask)
        fresh = found > 0
        labels[fresh] = found[fresh] + np.uint32(len(rows))
        before = len(rows)
        rows.extend(Segment(before + k, f"{row.name} {k}") for k in range(1, count + 1))
    kind = np.min_scalar_type(len(rows))
    return LabelMap(labels.astype(kind), region.dims[-region.geometry.ndim :], region.geometry, tuple(rows))


def _normalised(image: Image, scale: float, outliers: float | None) -> Image:
    array = np.asarray(image.array, dtype=np.float64)
    deviation = float(array.std())
    if deviation == 0.0:
        raise ContentError("The image is flat, so that its intensities cannot be normalised: expected values that differ.")
    array = (array - array.mean()) / deviation
    if outliers is not None:
        array = np.clip(array, -outliers, outliers)
    return image.replace(array=(array * scale).astype(np.float32), quantity=None)
