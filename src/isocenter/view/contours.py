"""Outlines of segments on a slice, in their colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.view.slices import Plane, Volume, interpolate
from isocenter.view.style import distinct
from isocenter.view.text import clean

__all__ = ["Layer", "burn", "edge", "layers"]

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
    """

    segment: Segment
    slot: str
    volume: Volume
    color: tuple[int, int, int]

    @cached_property
    def mask(self) -> Mask:
        """Where the segment is, in the order of the volume."""
        data: Mask = np.ascontiguousarray(self.volume.array == self.segment.value)
        return data

    @property
    def name(self) -> str:
        """What the legend calls it."""
        plain = self.segment.name
        return clean(self.slot if plain.startswith("label ") and self.slot else plain, 60)

    def shares(self, view: Volume, plane: Plane) -> npt.NDArray[np.float64]:
        """Return how much of each pixel's surrounding belongs to the segment, 0 to 1; its outline lies at one half."""
        points = plane.points()
        if same_place(view.geometry, self.volume.geometry):
            index = view.index(points)
        else:
            index = np.round(self.volume.geometry.to_index(view.world(points)), 6)
        values, _ = interpolate(self.mask, index)
        return np.asarray(values, dtype=np.float64)


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
    return tuple(Layer(row, slot, volume, c) for (row, slot, volume), c in zip(found, colours, strict=True))


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
    if grid.unit != other.unit or (grid.unit == "px" and grid.shape != other.shape) or grid.ndim != other.ndim:
        raise GridMismatchError(
            f"Labels '{clean(slot, 60)}' on {other} do not fit the image on {grid}: expected grids of one unit and number of axes."
        )


def edge(mask: Mask) -> Mask:
    """Return the pixels of a mask that touch a pixel outside it (or the border)."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    outline: Mask = mask & ~inner
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
    for layer in drawn:
        result[edge(layer.shares(view, plane) >= 0.5)] = layer.color
    return result
