"""Shapes in the patient's world (mm, LPS), and a grid that they are painted on.

Values are blended over an edge of a given width, as a scanner's point spread does; labels follow the
pixel-centre rule (a sample belongs to a shape when its centre lies inside).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.provenance import Provenance

__all__ = ["Canvas", "Capsule", "Cylinder", "Ellipsoid", "Shape", "Vector", "centered", "coordinates", "frame_uid", "sourced"]

Vector = tuple[float, float, float]
Array = npt.NDArray[Any]
AnyImage = TypeVar("AnyImage", bound=Image)
_FAR = 1e5  # mm; "without end" for boxes


class Shape(Protocol):
    """Anything with a box and a signed distance in mm (negative inside)."""

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lowest and highest corner (L, P, S) in mm."""
        ...

    def distance(self, left: Array, posterior: Array, superior: Array) -> Array:
        """Return the (approximate) signed distance of positions to the surface, in mm."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid with axes along L, P and S; `center` and `radii` in mm."""

    center: Vector
    radii: Vector

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lowest and highest corner in mm."""
        low = tuple(c - r for c, r in zip(self.center, self.radii, strict=True))
        high = tuple(c + r for c, r in zip(self.center, self.radii, strict=True))
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    @property
    def volume(self) -> float:
        """Volume in mm^3."""
        return 4.0 / 3.0 * math.pi * math.prod(self.radii)

    def distance(self, left: Array, posterior: Array, superior: Array) -> Array:
        """Return the signed distance to first order (exact on the surface and for spheres), in mm."""
        ratio, slope = np.zeros(()), np.zeros(())
        for axis, c, r in zip((left, posterior, superior), self.center, self.radii, strict=True):
            scaled = ((axis - c) / r) ** 2
            ratio, slope = ratio + scaled, slope + scaled / r**2
        k0 = np.sqrt(ratio)
        k1 = np.sqrt(np.maximum(slope, 1e-12))
        result: Array = np.where(k0 < 1e-4, -min(self.radii), k0 * (k0 - 1.0) / k1)
        return result


@dataclass(frozen=True)
class Cylinder:
    """An elliptic cylinder along S; centre and radii (L, P) in mm, between two heights."""

    center: tuple[float, float]
    radii: tuple[float, float]
    low: float = -_FAR
    high: float = _FAR

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lowest and highest corner in mm."""
        (x, y), (a, b) = self.center, self.radii
        return (x - a, y - b, self.low), (x + a, y + b, self.high)

    @property
    def area(self) -> float:
        """Area of the cross-section in mm^2."""
        return math.pi * self.radii[0] * self.radii[1]

    def distance(self, left: Array, posterior: Array, superior: Array) -> Array:
        """Return the signed distance to first order, in mm."""
        flat = Ellipsoid((*self.center, 0.0), (*self.radii, 1.0))
        side = flat.distance(left, posterior, np.zeros((), np.float32))
        ends = np.maximum(self.low - superior, superior - self.high)
        result: Array = np.maximum(side, ends)
        return result


@dataclass(frozen=True)
class Capsule:
    """A rod with round ends whose radius changes linearly from `start` to `end`; mm."""

    start: Vector
    end: Vector
    radius: float
    end_radius: float

    @property
    def volume(self) -> float:
        """Volume in mm^3: the rod and its two half balls."""
        a, b = self.radius, self.end_radius
        length = math.dist(self.start, self.end)
        return math.pi * length * (a * a + a * b + b * b) / 3.0 + 2.0 / 3.0 * math.pi * (a**3 + b**3)

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lowest and highest corner in mm."""
        pad = max(self.radius, self.end_radius)
        low = np.minimum(self.start, self.end) - pad
        high = np.maximum(self.start, self.end) + pad
        return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))

    def distance(self, left: Array, posterior: Array, superior: Array) -> Array:
        """Return the distance to the axis less the radius there, in mm."""
        along = np.subtract(self.end, self.start)
        square = float(along @ along)
        offset = [axis - s for axis, s in zip((left, posterior, superior), self.start, strict=True)]
        where: Array = sum(o * float(a) for o, a in zip(offset, along, strict=True)) / max(square, 1e-12)  # type: ignore[assignment]  # sum of arrays
        where = np.clip(where, 0.0, 1.0)
        square_distance: Array = sum((o - where * float(a)) ** 2 for o, a in zip(offset, along, strict=True))  # type: ignore[assignment]  # sum of arrays
        radius = self.radius + where * (self.end_radius - self.radius)
        result: Array = np.sqrt(square_distance) - radius
        return result


def coordinates(geometry: Geometry) -> tuple[Array, Array, Array]:
    """Return L, P and S of every sample in mm, float32, as arrays that broadcast to the grid's shape."""
    n = geometry.ndim
    found = []
    for world in range(3):
        total: Array = np.full((1,) * n, geometry.affine[world, n])
        for axis in range(n):
            step = geometry.affine[world, axis]
            if step != 0.0:
                line = step * np.arange(geometry.shape[axis])
                total = total + line.reshape([-1 if k == axis else 1 for k in range(n)])
        found.append(total.astype(np.float32))
    return found[0], found[1], found[2]


def centered(
    shape: Sequence[int], spacing: Sequence[float], center: Vector, frame: str | None, *, tilt: float = 0.0, prone: bool = False
) -> Geometry:
    """Return the grid of an axial stack whose middle lies at `center`.

    Parameters
    ----------
    shape, spacing
        Slices, rows, columns; mm.
    center
        (L, P, S) in mm.
    tilt
        Gantry tilt in degrees: rows lean towards the head or feet while the table moves along S, which shears
        the grid.
    prone
        Rows run to the patient's right and anterior, as when the patient lies face down.
    """
    if len(tuple(shape)) != 3 or len(tuple(spacing)) != 3:
        raise ParameterError(f"Phantom of shape {tuple(shape)} and spacing {tuple(spacing)}: expected three axes each.")
    if not -45.0 <= tilt <= 45.0:
        raise ParameterError(f"Gantry tilt of {tilt} degrees: expected -45 to 45.")
    sign = -1.0 if prone else 1.0
    angle = math.radians(tilt)
    affine = np.zeros((4, 4))
    affine[:3, 0] = (0.0, 0.0, spacing[0])
    affine[:3, 1] = np.asarray((0.0, sign * math.cos(angle), math.sin(angle))) * spacing[1]
    affine[:3, 2] = (sign * spacing[2], 0.0, 0.0)
    affine[:3, 3] = np.asarray(center) - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2.0)
    affine[3, 3] = 1.0
    return Geometry(tuple(shape), affine, frame)


def frame_uid(*parts: object) -> str:
    """Return a frame-of-reference UID derived from `parts` (2.25 and an integer of 128 bits, PS3.5 B.2)."""
    hashed = hashlib.sha256("\x1f".join(str(p) for p in ("isocenter phantom", *parts)).encode()).digest()
    return f"2.25.{int.from_bytes(hashed[:16], 'big')}"


def sourced(image: AnyImage) -> AnyImage:
    """Return an image or label map with its own digest as its source."""
    return image.replace(provenance=Provenance.read(image.digest, "phantom"))


class Canvas:
    """Values and labels on a grid.

    Parameters
    ----------
    geometry
        Three spatial axes.
    background
        Value everywhere at first.
    edge
        Width in mm over which values change at a surface; default: the mean spacing.
    """

    def __init__(self, geometry: Geometry, background: float, edge: float | None = None) -> None:
        self.geometry = geometry
        self.values: npt.NDArray[np.float32] = np.full(geometry.shape, background, np.float32)
        self.labels: npt.NDArray[np.uint8] = np.zeros(geometry.shape, np.uint8)
        self.edge = edge if edge is not None else float(np.mean(geometry.spacing))
        self.world = coordinates(geometry)

    def box(self, shape: Shape) -> tuple[slice, ...]:
        """Return the part of the grid that a shape can touch."""
        low, high = (np.asarray(b) for b in shape.bounds)
        ends = np.array(np.meshgrid(*zip(low - self.edge, high + self.edge, strict=True), indexing="ij")).reshape(3, -1).T
        index = self.geometry.to_index(ends)
        start = np.clip(np.floor(index.min(axis=0)), 0, self.geometry.shape).astype(int)
        stop = np.clip(np.ceil(index.max(axis=0)) + 1, 0, self.geometry.shape).astype(int)
        return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))

    def distance(self, shape: Shape, where: tuple[slice, ...]) -> Array:
        """Return the signed distance in mm over a part of the grid."""
        parts = []
        for axis in self.world:
            cut = tuple(s if n > 1 else slice(None) for s, n in zip(where, axis.shape, strict=True))
            parts.append(axis[cut])
        size = tuple(s.stop - s.start for s in where)
        return np.broadcast_to(shape.distance(*parts), size)

    def mask(self, shape: Shape) -> npt.NDArray[np.bool_]:
        """Return which sample centres lie inside a shape."""
        result = np.zeros(self.geometry.shape, bool)
        where = self.box(shape)
        if all(s.stop > s.start for s in where):
            result[where] = self.distance(shape, where) <= 0.0
        return result

    def paint(
        self, shape: Shape, value: float | None, label: int | None = None, within: npt.NDArray[np.bool_] | None = None
    ) -> None:
        """Blend `value` in and set `label` where a shape is (None leaves them), only `within` a mask."""
        where = self.box(shape)
        if any(s.stop <= s.start for s in where):
            return
        distance = self.distance(shape, where)
        allowed = None if within is None else within[where]
        if value is not None:
            share = np.clip(0.5 - distance / self.edge, 0.0, 1.0)
            if allowed is not None:
                share = share * allowed
            part = self.values[where]
            part += share * (np.float32(value) - part)
        if label is not None:
            inside = distance <= 0.0
            self.labels[where][inside if allowed is None else inside & allowed] = label
