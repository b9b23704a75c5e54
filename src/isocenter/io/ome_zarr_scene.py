"""One multiscale of OME-Zarr: its axes, its levels and where they lie, before a chunk is read, and how it is loaded.

References
----------
Open Microscopy Environment, Next-generation file formats (NGFF) 0.4 and 0.5, sections axes, coordinateTransformations,
multiscales, omero, labels; RFC 4 (axis anatomical orientation).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import GeometryError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.provenance import Provenance, digest_json
from isocenter.core.pyramid import Level, Pyramid, Region
from isocenter.io import facts as facts_of
from isocenter.io.inventory import Problem
from isocenter.io.lazy import sourced
from isocenter.io.ome_zarr_write import NAME
from isocenter.io.samples import odd_count
from isocenter.io.text import one_line, terminal
from isocenter.io.zarr_array import ZarrArray

__all__ = ["ResolutionLevel", "Scene", "axes_of", "transforms_of"]

#: Unit of an axis -> mm, and -> s.
MILLIMETRES = {
    "angstrom": 1e-7, "picometer": 1e-9, "nanometer": 1e-6, "micrometer": 1e-3, "millimeter": 1.0, "centimeter": 10.0,
    "decimeter": 100.0, "meter": 1000.0, "inch": 25.4, "kilometer": 1e6,
}  # fmt: skip
SECONDS = {
    "second": 1.0,
    "millisecond": 1e-3,
    "microsecond": 1e-6,
    "nanosecond": 1e-9,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
}
KINDS = {"time": "t", "channel": "c", "space": ""}
#: Anatomical orientation of an axis -> the LPS axis and the sign that it runs in.
ORIENTATIONS = {
    "right-to-left": (0, 1), "left-to-right": (0, -1), "anterior-to-posterior": (1, 1), "posterior-to-anterior": (1, -1),
    "inferior-to-superior": (2, 1), "superior-to-inferior": (2, -1),
}  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """One stored axis: its name among t c z y x, its unit in mm or s (0 where unknown), where it runs to."""

    dim: str
    unit: float
    runs: tuple[int, int] | None


def axes_of(rows: Any, name: str) -> tuple[Axis, ...]:
    """Return the axes of a multiscale, checked.

    Raises
    ------
    UnsupportedError
        If they are other ones than time, channel, z, y and x.
    """
    if not isinstance(rows, list) or not 2 <= len(rows) <= 5 or not all(isinstance(r, dict) for r in rows):
        raise UnsupportedError(
            f"{name}: axes of {terminal(rows, 60)}: expected two to five with name and type, as OME-Zarr 0.4 has them."
        )
    found = []
    for row in rows:
        title = row.get("name")
        dim = KINDS.get(str(row.get("type")), "") or (title.lower() if isinstance(title, str) else "")
        if dim not in DIMS:
            raise UnsupportedError(
                f"{name}: an axis '{terminal(title, 40)}': expected time, channel, z, y and x; rename or drop it."
            )
        units = SECONDS if dim == "t" else MILLIMETRES
        facts = row.get("orientation")
        runs = ORIENTATIONS.get(str(facts.get("value"))) if isinstance(facts, dict) else None
        found.append(Axis(dim, units.get(str(row.get("unit")), 0.0) if dim != "c" else 0.0, runs if dim in SPATIAL else None))
    dims = [axis.dim for axis in found]
    if len(set(dims)) < len(dims) or not {"y", "x"} <= set(dims):
        raise UnsupportedError(f"{name}: axes {dims}: expected y and x, and each one once.")
    return tuple(found)


def transforms_of(rows: Any, count: int, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return scale and translation of a list of transformations, each for every axis."""
    scale, shift = np.ones(count), np.zeros(count)
    for row in rows if isinstance(rows, list) else []:
        kind = row.get("type") if isinstance(row, dict) else None
        if kind == "identity":
            continue
        values = row.get(kind) if kind in ("scale", "translation") else None
        if (
            not isinstance(values, list) or len(values) != count
            or not all(isinstance(v, int | float) and math.isfinite(v) for v in values)
            or (kind == "scale" and min(values) <= 0)
        ):  # fmt: skip
            raise GeometryError(
                f"{name}: a transformation {terminal(row, 80)}: expected a scale above 0 or a translation with {count} numbers."
            )
        vector = np.array(values, np.float64)
        scale, shift = (scale * vector, shift * vector) if kind == "scale" else (scale, shift + vector)
    return scale, shift


@dataclass(frozen=True)
class ResolutionLevel:
    """One resolution: its array, and the step and start of every stored axis in the unit of the file."""

    array: ZarrArray
    scale: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A multiscale before a chunk of it is read."""

    root: Path
    folder: Path
    axes: tuple[Axis, ...]
    levels: tuple[ResolutionLevel, ...]
    facts: dict[str, Any]
    ome: Mapping[str, Any]
    files: tuple[Path, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Samples along every stored axis of the finest level."""
        return dict(zip((a.dim for a in self.axes), self.levels[0].array.shape, strict=True))

    @property
    def dims(self) -> tuple[str, ...]:
        """Axes of what is loaded: time, channels and planes of one sample are no axes, unless isocenter wrote them."""
        stated = self.facts.get("dims")
        if (
            stated
            and {"y", "x"} <= set(stated) <= set(self.sizes)
            and all(n == 1 for d, n in self.sizes.items() if d not in stated)
        ):
            return tuple(stated)
        units = {a.dim: a.unit for a in self.axes}
        kept = {d for d, n in self.sizes.items() if n > 1 or d in "yx" or (d == "z" and units[d] > 0)}
        return tuple(d for d in DIMS if d in kept)

    @property
    def spatial(self) -> tuple[str, ...]:
        """The spatial axes of what is loaded."""
        return tuple(d for d in self.dims if d in SPATIAL)

    @property
    def labelled(self) -> bool:
        """Whether the samples are labels."""
        rows = facts_of.segments(self.facts) is not None or isinstance(self.ome.get("image-label"), dict)
        return rows and self.levels[0].array.dtype.kind in "iub"

    @property
    def kind(self) -> str:
        """Noun that loading gives."""
        if self.labelled:
            return "MaskStack" if self.facts.get("masks") and "c" in self.dims else "LabelMap"
        return "Image" if len(self.levels) == 1 else "Pyramid"

    def _shape(self, level: ResolutionLevel) -> tuple[int, ...]:
        sizes = dict(zip((a.dim for a in self.axes), level.array.shape, strict=True))
        return tuple(sizes[d] for d in self.spatial)

    @property
    def calibrated(self) -> bool:
        """Whether every spatial axis has a unit of length."""
        return all(a.unit > 0 for a in self.axes if a.dim in self.spatial) and self.facts.get("unit") != "px"

    def geometry(self, level: int = 0) -> Geometry:
        """Return the grid of a level."""
        here = self.levels[level]
        shape = self._shape(here)
        place = {a.dim: k for k, a in enumerate(self.axes)}
        known = facts_of.geometry(self.facts, self._shape(self.levels[0]))
        if not self.calibrated:
            return known if known is not None and known.unit == "px" and not level else Geometry.pixels(shape)
        unit = np.array([self.axes[place[d]].unit for d in self.spatial])
        spacing = np.array([here.scale[place[d]] for d in self.spatial]) * unit
        start = np.array([here.shift[place[d]] for d in self.spatial]) * unit
        first = np.array([self.levels[0].shift[place[d]] for d in self.spatial]) * unit
        fine = np.array([self.levels[0].scale[place[d]] for d in self.spatial]) * unit
        if known is not None and known.unit == "mm" and np.allclose(known.spacing, fine, rtol=1e-6, atol=0):
            if not level:
                return known
            direction, origin = known.direction, np.array(known.origin) + known.direction @ (start - first)
        else:
            direction = self._direction()
            origin = direction @ start
        affine = np.zeros((4, len(shape) + 1))
        affine[:3, :-1], affine[:3, -1], affine[3, -1] = direction * spacing, origin, 1.0
        return Geometry(shape, affine)

    def _direction(self) -> npt.NDArray[np.float64]:
        """Return where the axes run to: as stated, else x to Left, y to Posterior, z to Superior."""
        runs = [next(a.runs for a in self.axes if a.dim == d) for d in self.spatial]
        stated = [r for r in runs if r is not None]
        direction = np.zeros((3, len(runs)))
        if len(stated) == len(runs) and len({axis for axis, _ in stated}) == len(runs):
            for k, (axis, sign) in enumerate(stated):
                direction[axis, k] = sign
            return direction
        for k, d in enumerate(self.spatial):
            direction["xyz".index(d), k] = 1.0
        return direction

    def problems(self) -> Iterator[Problem]:
        """Tell what should be known before a chunk is read."""
        if not self.calibrated:
            if self.facts.get("unit") != "px":
                yield Problem("The unit of the axes is not stated.", "The picture has no size in mm.")
        elif (
            "geometry" not in self.facts and len(self.spatial) == 3 and any(a.runs is None for a in self.axes if a.dim in SPATIAL)
        ):
            yield Problem(
                "Which way the axes run in the patient is not stated; x is taken to Left, y to Posterior, z to Superior.",
                "Left and right may be exchanged.",
            )

    # -- samples ------------------------------------------------------------------------------------------

    def read(self, level: int, region: Region) -> npt.NDArray[Any]:
        """Return a region of a level, its axes in the order of `dims`."""
        array = self.levels[level].array
        boxes = dict(zip(self.spatial, region, strict=True))
        names = [a.dim for a in self.axes]
        stored = array.read([boxes.get(d, (0, n)) for d, n in zip(names, array.shape, strict=True)])
        for k in reversed(range(len(names))):
            if names[k] not in self.dims:
                stored = stored[(slice(None),) * k + (0,)]
                del names[k]
        return np.ascontiguousarray(stored.transpose([names.index(d) for d in self.dims]))

    def times(self) -> tuple[float, ...] | None:
        """Return the second of every sample along t, None where it is not stated."""
        count, stated = self.sizes.get("t", 0), self.facts.get("times")
        if "t" not in self.dims:
            return None
        if stated is not None and len(stated) == count:
            return tuple(stated)
        k = next(k for k, a in enumerate(self.axes) if a.dim == "t")
        unit, level = self.axes[k].unit, self.levels[0]
        return tuple(float((level.shift[k] + n * level.scale[k]) * unit) for n in range(count)) if unit else None

    def channels(self) -> tuple[str, ...] | None:
        """Return the names of the channels, None where they are not stated."""
        stated, count = self.facts.get("channels"), self.sizes.get("c", 0)
        if "c" not in self.dims:
            return None
        if stated is not None and len(stated) == count:
            return tuple(stated)
        omero = self.ome.get("omero")
        rows = omero.get("channels") if isinstance(omero, dict) else None
        if "dims" in self.facts or not isinstance(rows, list) or len(rows) != count:
            return None
        labels = tuple(one_line(r.get("label", ""), 64) if isinstance(r, dict) else "" for r in rows)
        return labels if all(labels) and len(set(labels)) == count else None

    def segments(self, values: set[int]) -> tuple[Segment, ...] | None:
        """Return the segment table: isocenter's own, else the names and colours that the format has."""
        rows = facts_of.segments(self.facts)
        if rows is None:
            about = self.ome.get("image-label")
            about = about if isinstance(about, dict) else {}
            names = _by_value(about.get("properties"), "name")
            colors = _by_value(about.get("colors"), "rgba")
            rows = tuple(
                Segment(v, one_line(names.get(v, f"label {v}"), 128) or f"label {v}", color=_color(colors.get(v)))
                for v in sorted(values)
                if v > 0
            )
        return rows if values - {0} <= {r.value for r in rows} else None

    def __call__(self) -> Image | LabelMap | MaskStack | Pyramid:
        """Load it; of a pyramid nothing is read yet."""
        notes = [p.sentence() for p in self.problems()]
        modality, quantity = self.facts.get("modality"), self.facts.get("quantity")
        if self.kind == "Pyramid":
            levels = tuple(Level(self.geometry(k), _Reader(self, k)) for k in range(len(self.levels)))
            origin = Provenance.read(digest_json([level.geometry.to_dict() for level in levels]), NAME, notes)
            return Pyramid(levels, self.dims, modality, quantity, self.channels(), origin)
        geometry = self.geometry()
        array = self.read(0, tuple((0, n) for n in geometry.shape))
        if self.kind == "Image":
            odd = odd_count(array)
            notes += [f"Without a finite value (NaN or infinity): {odd:,} samples."] if odd else []
            image = Image(
                array, self.dims, geometry, modality=modality, quantity=quantity, channels=self.channels(), times=self.times()
            )
            return sourced(image, NAME, notes)
        if self.kind == "MaskStack":
            table = facts_of.segments(self.facts) or ()
            return sourced(MaskStack(array != 0, self.spatial, geometry, table), NAME, notes)
        rows: Any = self.segments({int(v) for v in np.unique(array)})
        return sourced(LabelMap(array, self.dims, geometry, rows, modality=modality, times=self.times()), NAME, notes)


@dataclass(frozen=True)
class _Reader:
    """Reads a region of one level (a class, so that it can be pickled)."""

    scene: Scene
    level: int

    def __call__(self, region: Region) -> npt.NDArray[Any]:
        return self.scene.read(self.level, region)


def _by_value(rows: Any, key: str) -> dict[int, Any]:
    found = [r for r in rows if isinstance(r, dict)] if isinstance(rows, list) else []
    return {r["label-value"]: r[key] for r in found if isinstance(r.get("label-value"), int) and key in r}


def _color(rgba: Any) -> tuple[int, int, int] | None:
    whole = isinstance(rgba, list) and len(rgba) >= 3 and all(isinstance(v, int) and 0 <= v <= 255 for v in rgba[:3])
    return (rgba[0], rgba[1], rgba[2]) if whole else None
