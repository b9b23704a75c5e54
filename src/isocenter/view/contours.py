"""Outlines of segments on a slice, in their colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.view.slices import Plane, Volume, anatomical, interpolate, nearest
from isocenter.view.style import distinct
from isocenter.view.text import clean

__all__ = ["Layer", "burn", "cut", "edges", "layers", "named"]

Labels = LabelMap | MaskStack
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Layer:
    """One segment to outline.

    Attributes
    ----------
    segment
        Its row of the segment table.
    slot
        The name the labels were given under.
    volume
        The labels with their axes in display order.
    color
        sRGB, distinct from that of every earlier layer.
    alone
        Whether its map has no other segment.
    """

    segment: Segment
    slot: str
    volume: Volume
    color: tuple[int, int, int]
    alone: bool = False

    def mask(self) -> Mask:
        """Return where the segment is, in the order of the volume."""
        data: Mask = np.ascontiguousarray(self.volume.array == self.segment.value)
        return data

    @property
    def name(self) -> str:
        """What the legend calls it."""
        plain = self.segment.name
        if plain.startswith("label ") and self.slot:
            plain = self.slot if self.alone else f"{self.slot} {self.segment.value}"
        return clean(plain, 60)

    def shares(self, view: Volume, plane: Plane) -> npt.NDArray[np.float64]:
        """Return how much of each pixel's surrounding belongs to the segment, 0 to 1; its outline lies at one half."""
        values, _ = interpolate(self.volume.array, _index(self.volume, view, plane), self.segment.value)
        return np.asarray(values, dtype=np.float64)


def _index(labels: Volume, view: Volume, plane: Plane) -> npt.NDArray[np.float64]:
    """Return where the pixels of a plane of one volume lie in another."""
    if same_place(view.geometry, labels.geometry):
        return view.index(plane.points())
    return np.round(labels.geometry.to_index(view.world(plane.points())), 6)


def cut(drawn: tuple[Layer, ...], view: Volume, plane: Plane) -> tuple[Layer, ...]:
    """Return the layers that a plane cuts."""
    seen: dict[int, set[int]] = {}
    for layer in drawn:
        if id(layer.volume) not in seen:
            seen[id(layer.volume)] = {int(v) for v in np.unique(nearest(layer.volume.array, _index(layer.volume, view, plane)))}
    return tuple(layer for layer in drawn if layer.segment.value in seen[id(layer.volume)])


def same_place(first: Geometry, second: Geometry) -> bool:
    """Return whether two grids are one, to a thousandth of a mm."""
    return first.shape == second.shape and bool(first.matches(second.with_frame(first.frame)))


def layers(image: Image, labels: Mapping[str, Labels] | Labels | None) -> tuple[Layer, ...]:
    """Return the segments that are not empty, in the order given.

    Raises
    ------
    GridMismatchError
        If labels lie in another frame of reference than the image, or have no pixel size where the image has one.
    ParameterError
        For values that are no labels.
    """
    named = dict(labels) if isinstance(labels, Mapping) else {} if labels is None else {"": labels}
    found: list[tuple[Segment, str, Volume]] = []
    for slot, value in named.items():
        if not isinstance(value, LabelMap | MaskStack):
            raise ParameterError(f"'{clean(slot, 60)}' is {type(value).__name__}: expected a LabelMap or MaskStack to outline.")
        _require_common_world(image, value.geometry, slot)
        for part in value if isinstance(value, MaskStack) else (value,):
            found += [(row, slot, volume) for row, volume in _present(image, part)]
    colours = distinct([row.color or (255, 255, 255) for row, _, _ in found])
    shared = Counter(id(volume) for _, _, volume in found)
    return tuple(
        Layer(row, slot, volume, c, shared[id(volume)] == 1) for (row, slot, volume), c in zip(found, colours, strict=True)
    )


def named(drawn: tuple[Layer, ...], most: int = 12) -> list[tuple[str, tuple[int, int, int]]]:
    """Return names and colours for a legend; of many segments those that differ by a number only are counted."""
    if len(drawn) <= most:
        return [(layer.name, layer.color) for layer in drawn]
    kinds: dict[str, list[Layer]] = {}
    for layer in drawn:
        kinds.setdefault(layer.name.rstrip("0123456789 ") or layer.name, []).append(layer)
    rows = [(f"{kind} ({len(own)})" if len(own) > 1 else own[0].name, own[0].color) for kind, own in kinds.items()]
    if len(rows) > most:
        rows = [*rows[: most - 1], (f"and {len(rows) - most + 1} more", rows[most - 1][1])]
    return rows


def _present(image: Image, part: LabelMap) -> list[tuple[Segment, Volume]]:
    if "t" in part.dims:
        raise ContentError("Labels with a time axis: expected those of one time point; take it with labels.at(t=...).")
    volume = Volume.of(part.replace(modality=image.modality))
    present = set(part.present)
    return [(row, volume) for row in part.segments if row.value in present]


def _require_common_world(image: Image, other: Geometry, slot: str) -> None:
    grid = image.geometry
    if grid.frame and other.frame and grid.frame != other.frame:
        raise GridMismatchError(
            f"Labels '{clean(slot, 60)}' lie in another frame of reference than the image: expected one; register and resample them."
        )
    # Without directions in the patient only one and the same grid can be laid over the image.
    apart = not anatomical(image) and not grid.with_frame(None).matches(other.with_frame(None))
    if grid.unit != other.unit or grid.ndim != other.ndim or apart:
        raise GridMismatchError(
            f"Labels '{clean(slot, 60)}' on {other} do not fit the image on {grid}: expected grids of one world, or the same grid."
        )


def edges(values: npt.NDArray[Any]) -> Mask:
    """Return the labelled pixels that touch (side by side) a pixel of another label, or the border."""
    padded = np.pad(values, 1)
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    outline: Mask = (values != 0) & np.logical_or.reduce([side != values for side in around])
    return outline


def burn(rgb: npt.NDArray[np.uint8], view: Volume, plane: Plane, drawn: tuple[Layer, ...]) -> npt.NDArray[np.uint8]:
    """Return a slice with the outlines drawn into its pixels.

    Parameters
    ----------
    rgb
        The slice, uint8 of shape (rows, columns, 3).
    view, plane
        The volume and the plane it was taken from.
    drawn
        The segments, as `layers` returns them.
    """
    result: npt.NDArray[Any] = rgb.copy()
    volumes = {id(layer.volume): layer.volume for layer in drawn}
    for key, volume in volumes.items():
        values = nearest(volume.array, _index(volume, view, plane))
        mine = {layer.segment.value: layer.color for layer in drawn if id(layer.volume) == key}
        known, where = np.unique(values, return_inverse=True)
        colours = np.array([mine.get(int(v), (0, 0, 0)) for v in known], np.uint8)
        wanted = np.array([int(v) in mine for v in known])[where].reshape(values.shape) & edges(values)
        result[wanted] = colours[where].reshape((*values.shape, 3))[wanted]
    return result
