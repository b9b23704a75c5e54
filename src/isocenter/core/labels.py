"""LabelMap and MaskStack: which sample belongs to which segment."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.codes import TISSUE, Code, structure
from isocenter.core.errors import ContentError, ParameterError, UnknownNameError, did_you_mean
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.provenance import Provenance, digest_array

__all__ = ["LabelMap", "MaskStack", "Segment", "default_color"]


def default_color(value: int) -> tuple[int, int, int]:
    """Return a colour for a label value: neighbours far apart in hue, the same one every time."""
    hue = (value * 0.618033988749895) % 1.0
    r, g, b = colorsys.hsv_to_rgb(hue, 0.65, 0.95)
    return round(r * 255), round(g * 255), round(b * 255)


@dataclass(frozen=True)
class Segment:
    """One row of a segment table.

    Parameters
    ----------
    value
        Its value in the label map, 1 or more.
    name
        What people call it.
    code, category, laterality
        Coded concepts; taken from the known structures where the name is one of them.
    color
        sRGB, 0 to 255.
    """

    value: int
    name: str
    code: Code | None = None
    category: Code | None = None
    laterality: Code | None = None
    color: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.value < 1:
            raise ParameterError(f"Segment '{self.name}' has value {self.value}: expected 1 or more (0 is background).")
        known = structure(self.name)
        if known is not None and self.code is None:
            object.__setattr__(self, "code", known.code)
            object.__setattr__(self, "category", self.category or known.category)
            object.__setattr__(self, "laterality", self.laterality or known.laterality)
        if self.code is None:
            object.__setattr__(self, "code", Code("85756007", "SCT", "Tissue"))
        if self.category is None:
            object.__setattr__(self, "category", TISSUE)
        if self.color is None:
            object.__setattr__(self, "color", known.color if known else default_color(self.value))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""

        def plain(code: Code | None) -> list[str] | None:
            return None if code is None else [code.value, code.scheme, code.meaning]

        return {
            "value": self.value,
            "name": self.name,
            "code": plain(self.code),
            "category": plain(self.category),
            "laterality": plain(self.laterality),
            "color": None if self.color is None else list(self.color),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Segment:
        """Return the segment that `to_dict` described."""

        def code(parts: Sequence[str] | None) -> Code | None:
            return None if parts is None else Code(*parts)

        color = None if data.get("color") is None else (int(data["color"][0]), int(data["color"][1]), int(data["color"][2]))
        return cls(
            int(data["value"]),
            str(data["name"]),
            code(data.get("code")),
            code(data.get("category")),
            code(data.get("laterality")),
            color,
        )


def _checked(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    table = tuple(segments)
    values = [s.value for s in table]
    if len(set(values)) != len(values):
        raise ParameterError(f"Segment values {values} repeat: expected one row per value.")
    return table


@dataclass(frozen=True, eq=False)
class LabelMap(Image):
    """Integer labels on a grid, with a table of what they mean; 0 is background.

    An image by meaning, so that the same geometry and dims serve, but filters refuse it.

    Parameters
    ----------
    array
        Integer or bool labels.
    dims, geometry
        As of `Image`.
    segments
        One row per label value. Default: one named ``label N`` for every value found.

    Raises
    ------
    ContentError
        If the labels are not integers, are negative, or a value has no row.
    """

    segments: tuple[Segment, ...] = None  # type: ignore[assignment]  # filled in __post_init__, never None afterwards

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype.kind not in "iub":
            raise ContentError(
                f"Labels of type {self.dtype}: expected integers; threshold a probability first (segment.threshold)."
            )
        if self.dtype.kind == "b":
            object.__setattr__(self, "array", _readonly(np.asarray(self.array).view(np.uint8)))
        if self.segments is not None:
            object.__setattr__(self, "segments", _checked(self.segments))
        present = self.present
        if present and present[0] < 0:
            raise ContentError(f"Label values from {present[0]}: expected 0 (background) or more.")
        if self.segments is None:
            rows = tuple(Segment(v, f"label {v}") for v in present if v > 0)
            object.__setattr__(self, "segments", rows)
        missing = [v for v in present if v > 0 and v not in {s.value for s in self.segments}]
        if missing:
            raise ContentError(f"Label values {missing[:8]} have no row in the segment table: expected one for each.")

    @cached_property
    def present(self) -> tuple[int, ...]:
        """The values that occur, background included, in ascending order."""
        data = np.asarray(self.array)
        if not data.size:
            return ()
        low, high = int(data.min()), int(data.max())
        if high - low <= 1:  # most masks: nothing lies between the extremes
            return (low,) if low == high else (low, high)
        if 0 <= low and high < 1 << 20:  # counting is far cheaper than sorting a volume
            flat = data.reshape(-1)
            seen = np.zeros(high + 1, dtype=bool)
            for start in range(0, flat.size, 1 << 22):
                part = flat[start : start + (1 << 22)]
                seen[0] |= not part.all()
                whole = part.size * part.itemsize // 8 * 8 // part.itemsize
                words = part[:whole].view(np.uint64)  # mostly background: eight bytes of it are passed over at once
                seen[words[words != 0].view(part.dtype)] = True
                seen[part[whole:]] = True
            return tuple(int(v) for v in np.flatnonzero(seen))
        return tuple(int(v) for v in np.unique(data))

    def segment(self, which: str | int) -> Segment:
        """Return the row of a segment by name or value.

        Raises
        ------
        UnknownNameError
            If there is no such row.
        """
        for row in self.segments:
            if which in (row.name, row.value):
                return row
        names = [s.name for s in self.segments]
        hint = did_you_mean(which, names) if isinstance(which, str) else ""
        raise UnknownNameError(f"No segment {which!r} in the label map: it has {names}.{hint}")

    def mask(self, which: str | int | None = None) -> npt.NDArray[np.bool_]:
        """Return where one segment is, or every one of them (None), as a new bool array."""
        data = np.asarray(self.array)
        result: npt.NDArray[np.bool_] = data > 0 if which is None else data == self.segment(which).value
        return result

    @classmethod
    def from_masks(cls, masks: Mapping[str, npt.ArrayLike], geometry: Geometry, dims: tuple[str, ...], **fields: Any) -> LabelMap:
        """Return a label map of masks that do not overlap, valued 1, 2 ... in order.

        Raises
        ------
        ContentError
            If two masks overlap; use a `MaskStack` for those.
        """
        rows: list[Segment] = []
        dtype = np.uint8 if len(masks) < 256 else np.uint16
        array: npt.NDArray[Any] | None = None
        for value, (name, mask) in enumerate(masks.items(), start=1):
            data = np.asarray(mask, dtype=bool)
            array = np.zeros(data.shape, dtype) if array is None else array
            clash = array[data]
            if clash.any():
                other = rows[int(clash[clash > 0][0]) - 1].name
                raise ContentError(
                    f"Masks '{other}' and '{name}' overlap in {int((clash > 0).sum())} samples: "
                    "expected disjoint masks; keep them in a MaskStack."
                )
            array[data] = value
            rows.append(Segment(value, name))
        if array is None:
            raise ParameterError("No masks given: expected at least one.")
        return cls(array, dims, geometry, tuple(rows), **fields)

    def _digest_context(self) -> list[Any]:
        return [*super()._digest_context(), [s.to_dict() for s in self.segments]]


def _readonly(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class MaskStack:
    """Masks that may overlap, on one grid.

    Parameters
    ----------
    array
        Bool, shape (segments, *spatial).
    dims
        Names of the spatial axes.
    geometry
        Their grid.
    segments
        One row per mask, in order.
    provenance
        Where they came from.
    """

    array: Any
    dims: tuple[str, ...]
    geometry: Geometry
    segments: tuple[Segment, ...]
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.dtype != np.bool_:
            raise ContentError(f"Masks of type {array.dtype}: expected bool.")
        if array.shape != (len(self.segments), *self.geometry.shape):
            raise ParameterError(
                f"Masks of shape {array.shape} for {len(self.segments)} segments on a grid of {self.geometry.shape}: "
                "expected one mask per segment on the grid."
            )
        object.__setattr__(self, "array", _readonly(array.view()))
        object.__setattr__(self, "segments", _checked(self.segments))

    def __len__(self) -> int:
        return len(self.segments)

    def __iter__(self) -> Iterator[LabelMap]:
        """Yield every mask as a label map of its own, under its own value and name."""
        for row in self.segments:
            yield self.one(row.name)

    def one(self, which: str | int) -> LabelMap:
        """Return one mask as a label map with the single segment `which` (name or value)."""
        for k, row in enumerate(self.segments):
            if which in (row.name, row.value):
                labels = self.array[k].astype(np.uint8 if row.value < 256 else np.uint16) * row.value
                return LabelMap(labels, self.dims, self.geometry, (row,), provenance=self.provenance)
        names = [s.name for s in self.segments]
        hint = did_you_mean(which, names) if isinstance(which, str) else ""
        raise UnknownNameError(f"No segment {which!r} in the mask stack: it has {names}.{hint}")

    @property
    def overlaps(self) -> bool:
        """Whether any sample belongs to two segments."""
        return bool((self.array.sum(axis=0, dtype=np.uint16) > 1).any())

    def to_labels(self) -> LabelMap:
        """Return the masks as one label map.

        Raises
        ------
        ContentError
            If they overlap.
        """
        if self.overlaps:
            raise ContentError("The masks overlap: expected disjoint ones; take them one at a time.")
        high = max((s.value for s in self.segments), default=0)
        labels = np.zeros(self.geometry.shape, np.uint8 if high < 256 else np.uint16)
        for mask, row in zip(self.array, self.segments, strict=True):
            labels[mask] = row.value
        return LabelMap(labels, self.dims, self.geometry, self.segments, provenance=self.provenance)

    @cached_property
    def digest(self) -> str:
        """Digest of masks, grid and table."""
        return digest_array(self.array, "MaskStack", self.geometry.to_dict(), [s.to_dict() for s in self.segments])
