"""Geometry: where the samples of an image lie in the world.

One convention, everywhere: the world is the patient coordinate system of DICOM (LPS, millimetres: x grows to
the patient's Left, y to the Posterior, z to the Superior), positions are those of sample *centres*, and
every per-axis quantity is listed in *array-axis order*, so that ``spacing[k]`` belongs to ``shape[k]``.
Foreign conventions (RAS, x-y-z order, corners) are converted once, at the border, in `io`.

References
----------
DICOM PS3.3 C.7.6.2.1.1 (Image Position and Orientation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, GeometryError, GridMismatchError

__all__ = ["Geometry", "GridMatch", "Unit"]

Unit = Literal["mm", "px"]
FloatArray = npt.NDArray[np.float64]

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))  # (towards negative, towards positive) LPS axes


@dataclass(frozen=True)
class GridMatch:
    """How well two grids agree; true where they do.

    Attributes
    ----------
    distance
        The largest distance in mm between corresponding corner samples (infinite if the shapes differ).
    tolerance
        The distance in mm up to which grids count as the same.
    reason
        Why they differ, as a clause; empty where they match.
    """

    distance: float
    tolerance: float
    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason


@dataclass(frozen=True, eq=False)
class Geometry:
    """A sampled grid of one, two or three spatial axes in the patient's world.

    Parameters
    ----------
    shape
        Number of samples along each spatial array axis.
    affine
        Shape (4, n + 1) for n spatial axes. Column k is the step in mm (L, P, S, 0) that one sample along
        array axis k makes; the last column is the position (L, P, S, 1) of the centre of the first sample.
    frame
        Frame-of-reference UID: images with the same one share their world. None where it is not known.
    unit
        ``mm``, or ``px`` for an uncalibrated photograph (then a step has length 1 and means nothing in mm).

    Raises
    ------
    GeometryError
        If the affine is not finite, has a zero or dependent column, or the shapes do not fit.

    Notes
    -----
    ``==`` is exact and geometries are hashable; use `matches` for a tolerant comparison. The affine may be
    sheared (a tilted gantry) and left-handed.
    """

    shape: tuple[int, ...]
    affine: FloatArray
    frame: str | None = None
    unit: Unit = "mm"

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        n = len(shape)
        if not 1 <= n <= 3 or any(s < 1 for s in shape):
            raise GeometryError(f"Geometry of shape {shape}: expected one to three axes of at least one sample each.")
        affine = np.array(self.affine, dtype=np.float64)  # own copy: a geometry never changes
        if affine.shape != (4, n + 1):
            raise GeometryError(
                f"Affine of shape {affine.shape} for {n} spatial axes: expected (4, {n + 1}), "
                "one column per array axis and one for the origin."
            )
        if not np.isfinite(affine).all():
            raise GeometryError("Affine holds values that are not finite: expected positions in mm.")
        expected = np.zeros(n + 1)
        expected[-1] = 1.0
        if not np.array_equal(affine[3], expected):
            raise GeometryError(f"Last row of the affine is {affine[3].tolist()}: expected {expected.tolist()}.")
        if self.unit not in ("mm", "px"):
            raise GeometryError(f"Unit {self.unit!r} of a geometry: expected 'mm' or 'px'.")
        lengths = np.linalg.norm(affine[:3, :n], axis=0)
        if (lengths < 1e-9).any():
            raise GeometryError(
                f"Spacing of {lengths.tolist()} mm (array order): expected a step of more than zero along every axis."
            )
        gram = np.linalg.det((affine[:3, :n] / lengths).T @ (affine[:3, :n] / lengths))
        if gram < 1e-8:
            raise GeometryError("The axes of the affine are not independent: expected axes that span the image.")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    # -- construction ---------------------------------------------------------------------------------

    @classmethod
    def regular(
        cls,
        shape: Sequence[int],
        spacing: Sequence[float] | float = 1.0,
        origin: Sequence[float] = (0.0, 0.0, 0.0),
        direction: npt.ArrayLike | None = None,
        frame: str | None = None,
    ) -> Geometry:
        """Return an orthogonal grid in mm.

        Parameters
        ----------
        shape
            Samples per spatial array axis.
        spacing
            mm per sample in array order, or one number for all axes.
        origin
            Position (L, P, S) in mm of the centre of the first sample.
        direction
            Shape (3, n): column k is the unit vector of array axis k. Default: the last array axis runs to the
            patient's Left, the one before to Posterior, the one before that to Superior (an axial stack).
        frame
            Frame-of-reference UID.
        """
        n = len(tuple(shape))
        steps = (float(spacing),) * n if isinstance(spacing, int | float) else tuple(float(s) for s in spacing)
        if len(steps) != n:
            raise GeometryError(f"{len(steps)} spacings for {n} axes: expected one per axis, in array order.")
        if direction is None:
            direction = np.eye(3)[:, ::-1][:, 3 - n :]
        affine = np.zeros((4, n + 1))
        affine[:3, :n] = np.asarray(direction, dtype=np.float64) * np.asarray(steps)
        affine[:3, n] = np.asarray(origin, dtype=np.float64)
        affine[3, n] = 1.0
        return cls(tuple(shape), affine, frame, "mm")

    @classmethod
    def pixels(cls, shape: Sequence[int]) -> Geometry:
        """Return the geometry of an uncalibrated image: steps of one pixel, unit ``px``."""
        base = cls.regular(shape)
        return cls(base.shape, base.affine, None, "px")

    # -- derived, in array-axis order -----------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.shape)

    @cached_property
    def spacing(self) -> tuple[float, ...]:
        """Length in mm (or px) of one step along each array axis."""
        return tuple(float(v) for v in np.linalg.norm(self.affine[:3, : self.ndim], axis=0))

    @cached_property
    def direction(self) -> FloatArray:
        """Shape (3, n): unit vector of each array axis, as columns (L, P, S)."""
        result: FloatArray = self.affine[:3, : self.ndim] / np.asarray(self.spacing)
        result.setflags(write=False)
        return result

    @property
    def origin(self) -> tuple[float, float, float]:
        """Position (L, P, S) in mm of the centre of the first sample."""
        x, y, z = self.affine[:3, self.ndim]
        return float(x), float(y), float(z)

    @cached_property
    def orientation(self) -> str:
        """One letter per array axis: the patient direction it mostly runs *to*, e.g. ``SPL`` for an axial stack."""
        letters: list[str] = []
        free = {0, 1, 2}
        strength = np.abs(self.direction)
        # The strongest axis chooses first, so that an oblique image never gets one letter twice.
        order = sorted(range(self.ndim), key=lambda k: -strength[:, k].max())
        chosen: dict[int, str] = {}
        for k in order:
            world = max(free, key=lambda w: (strength[w, k], -w))
            free.discard(world)
            chosen[k] = _LETTERS[world][int(self.direction[world, k] > 0)]
        letters = [chosen[k] for k in range(self.ndim)]
        return "".join(letters)

    @cached_property
    def directions(self) -> str | None:
        """`orientation` with a letter for every axis of the patient: before it those that the grid does not extend along (S, P, L).

        None for pixels and for a single axis, which have no direction in a patient.
        """
        if self.unit != "mm" or self.ndim < 2:
            return None
        own = self.orientation
        rest = [pair[1] for pair in reversed(_LETTERS) if pair[0] not in own and pair[1] not in own]
        return "".join(rest) + own

    @cached_property
    def extent(self) -> tuple[float, ...]:
        """Size in mm along each array axis, from edge to edge (samples x spacing)."""
        return tuple(n * s for n, s in zip(self.shape, self.spacing, strict=True))

    @cached_property
    def diagonal(self) -> float:
        """Distance in mm between the farthest corners of the sampled volume, edge to edge."""
        n = self.ndim
        ends = np.array(np.meshgrid(*[(-0.5, s - 0.5) for s in self.shape], indexing="ij")).reshape(n, -1).T
        points = self.to_world(ends)
        return float(np.max(np.linalg.norm(points[:, None] - points[None], axis=-1)))

    @cached_property
    def voxel_size(self) -> float:
        """Length, area or volume of one sample: mm, mm^2 or mm^3 (true under shear as well)."""
        # Written out, not as a determinant: exact for plain grids and the same on every machine.
        steps = [[float(v) for v in self.affine[:3, k]] for k in range(self.ndim)]
        if self.ndim == 1:
            return self.spacing[0]
        (a, b, c), (d, e, f) = steps[0], steps[1]
        normal = (b * f - c * e, c * d - a * f, a * e - b * d)
        if self.ndim == 2:
            return math.hypot(*normal)
        return abs(sum(n * s for n, s in zip(normal, steps[2], strict=True)))

    @cached_property
    def shear(self) -> float:
        """Largest deviation from a right angle between two axes, in degrees; 0 for an orthogonal grid."""
        gram = np.clip(self.direction.T @ self.direction, -1.0, 1.0)
        off = [abs(float(gram[i, j])) for i in range(self.ndim) for j in range(i)]
        return math.degrees(math.asin(max(off))) if off else 0.0

    @property
    def is_orthogonal(self) -> bool:
        """Whether the axes meet at right angles to within 0.01 degrees."""
        return self.shear < 0.01

    @cached_property
    def size(self) -> int:
        """Number of samples."""
        return math.prod(self.shape)

    # -- mapping --------------------------------------------------------------------------------------

    def to_world(self, index: npt.ArrayLike) -> FloatArray:
        """Map continuous indices to positions.

        Parameters
        ----------
        index
            Shape (..., n), in array-axis order; whole numbers are sample centres.

        Returns
        -------
        numpy.ndarray
            Shape (..., 3), mm (L, P, S).
        """
        points = np.asarray(index, dtype=np.float64)
        n = self.ndim
        result: FloatArray = points @ self.affine[:3, :n].T + self.affine[:3, n]
        return result

    @cached_property
    def _inverse(self) -> FloatArray:
        result: FloatArray = np.linalg.pinv(self.affine[:3, : self.ndim]).astype(np.float64)
        return result

    def to_index(self, points: npt.ArrayLike) -> FloatArray:
        """Map positions (..., 3) in mm to continuous indices (..., n), projecting onto the grid where n < 3."""
        world = np.asarray(points, dtype=np.float64)
        result: FloatArray = (world - self.affine[:3, self.ndim]) @ self._inverse.T
        return result

    def contains(self, points: npt.ArrayLike, margin: float = 0.5) -> npt.NDArray[np.bool_]:
        """Return which positions (..., 3) in mm lie within `margin` samples of a sample centre of the grid."""
        index = self.to_index(points)
        within = (index >= -margin - 1e-9) & (index <= np.asarray(self.shape) - 1 + margin + 1e-9)
        inside: npt.NDArray[np.bool_] = np.asarray(within.all(axis=-1))
        return inside

    def corners(self) -> FloatArray:
        """Return the 2^n corner sample centres, shape (2^n, 3), mm."""
        ends = np.array(np.meshgrid(*[(0, s - 1) for s in self.shape], indexing="ij")).reshape(self.ndim, -1).T
        return self.to_world(ends)

    # -- comparison -----------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return (
            self.shape == other.shape
            and self.frame == other.frame
            and self.unit == other.unit
            and np.array_equal(self.affine, other.affine)
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes(), self.frame, self.unit))

    def matches(self, other: Geometry, mm: float = 1e-3) -> GridMatch:
        """Compare two grids sample by sample.

        Parameters
        ----------
        other
            The grid to compare with.
        mm
            Largest distance in mm between corresponding samples that still counts as the same grid.

        Returns
        -------
        GridMatch
            True where the grids are the same; states the distance in mm and the reason where not.
        """
        if self.shape != other.shape:
            return GridMatch(math.inf, mm, f"the shapes differ: {self.shape} and {other.shape} samples")
        if self.unit != other.unit:
            return GridMatch(math.inf, mm, f"one is in {self.unit}, the other in {other.unit}")
        if self.frame and other.frame and self.frame != other.frame:
            return GridMatch(math.inf, mm, "their frames of reference differ")
        # The difference of two affine maps is affine, so its norm is largest at a corner.
        distance = float(np.max(np.linalg.norm(self.corners() - other.corners(), axis=-1)))
        if distance > mm:
            return GridMatch(distance, mm, f"samples lie up to {distance:.4g} mm apart (allowed: {mm:g} mm)")
        return GridMatch(distance, mm)

    def require_match(self, other: Geometry, names: tuple[str, str] = ("image", "mask"), mm: float = 1e-3) -> None:
        """Raise `GridMismatchError` naming both grids unless they match."""
        match = self.matches(other, mm)
        if not match:
            raise GridMismatchError(
                f"The grids of {names[0]} ({self}) and {names[1]} ({other}) differ: {match.reason}; "
                "expected one grid: resample one of them with resample.to_grid."
            )

    def require_mm(self, who: str = "This operation") -> None:
        """Raise `ContentError` unless the grid is calibrated in mm."""
        if self.unit != "mm":
            raise ContentError(
                f"{who} measures in mm, but the image has no pixel size (unit px): expected a calibrated image; "
                "give its pixel size with resample.calibrate or use an input that carries one."
            )

    # -- derived grids --------------------------------------------------------------------------------

    def crop(self, start: Sequence[int], shape: Sequence[int]) -> Geometry:
        """Return the grid of a box that starts at sample `start` (may lie outside) and has `shape` samples."""
        affine = self.affine.copy()
        affine[:3, self.ndim] = self.to_world(np.asarray(start, dtype=np.float64))
        return Geometry(tuple(shape), affine, self.frame, self.unit)

    def pad(self, before: Sequence[int], after: Sequence[int]) -> Geometry:
        """Return the grid with samples added before and after, per array axis."""
        shape = tuple(b + n + a for b, n, a in zip(before, self.shape, after, strict=True))
        return self.crop([-b for b in before], shape)

    def transpose(self, axes: Sequence[int]) -> Geometry:
        """Return the grid with its array axes reordered as `numpy.transpose` does."""
        columns = [*axes, self.ndim]
        return Geometry(tuple(self.shape[a] for a in axes), self.affine[:, columns], self.frame, self.unit)

    def flip(self, axis: int) -> Geometry:
        """Return the grid with one array axis reversed; samples keep their positions."""
        affine = self.affine.copy()
        affine[:3, self.ndim] += affine[:3, axis] * (self.shape[axis] - 1)
        affine[:3, axis] *= -1.0
        return Geometry(self.shape, affine, self.frame, self.unit)

    def with_spacing(self, spacing: Sequence[float]) -> Geometry:
        """Return a grid over the same volume with another spacing.

        The centres of both volumes coincide; the extent is covered to within half a new sample on each side.

        Parameters
        ----------
        spacing
            mm per sample in array order.
        """
        old = np.asarray(self.spacing)
        new = np.asarray(tuple(spacing), dtype=np.float64)
        if new.shape != old.shape or not (np.isfinite(new) & (new > 0)).all():
            raise GeometryError(f"Spacing {tuple(spacing)} for {self.ndim} axes: expected one positive mm value per axis.")
        counts = np.maximum(1, np.round(np.asarray(self.shape) * old / new))
        if counts.max() >= 2**31:
            raise GeometryError(
                f"Spacing {tuple(spacing)} would give {counts.max():.3g} samples along one axis: expected mm per sample."
            )
        shape = counts.astype(int)
        ratio = new / old
        # Centre the new grid on the old one: equal margins on both sides.
        start = (np.asarray(self.shape) - 1) / 2 - ratio * (shape - 1) / 2
        affine = self.affine.copy()
        affine[:3, self.ndim] = self.to_world(start)
        affine[:3, : self.ndim] *= ratio
        return Geometry(tuple(int(n) for n in shape), affine, self.frame, self.unit)

    def with_frame(self, frame: str | None) -> Geometry:
        """Return the same grid in another (or no) frame of reference."""
        return Geometry(self.shape, self.affine, frame, self.unit)

    # -- shown and stored -----------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` and JSON take back exactly."""
        return {
            "shape": list(self.shape),
            "affine": [[float(v) for v in row] for row in self.affine],
            "frame": self.frame,
            "unit": self.unit,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Geometry:
        """Return the geometry that `to_dict` described."""
        return cls(tuple(data["shape"]), np.asarray(data["affine"], dtype=np.float64), data.get("frame"), data.get("unit", "mm"))

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.shape)
        steps = " x ".join(f"{s:.4g}" for s in self.spacing)
        tilt = "" if self.is_orthogonal else f", sheared {self.shear:.2f} degrees"
        return f"<Geometry {size} samples, {steps} {self.unit}, {self.orientation}{tilt}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Geometry, (self.shape, np.array(self.affine), self.frame, self.unit)
