"""Points, Boxes, Contours and Mesh: shapes in the world, in mm (L, P, S)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.core.provenance import Provenance, digest_array

__all__ = ["Boxes", "Contour", "Contours", "Mesh", "Points"]


def _locked(array: npt.ArrayLike, dtype: Any, last: tuple[int, ...], what: str) -> npt.NDArray[Any]:
    data = np.array(array, dtype=dtype)
    if data.size == 0:
        data = data.reshape((0, *last))
    if data.shape[1:] != last:
        raise ParameterError(f"{what} of shape {data.shape}: expected (n, {', '.join(map(str, last))}).")
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        raise ParameterError(f"{what} holds values that are not finite: expected positions in mm.")
    data.setflags(write=False)
    return data


@dataclass(frozen=True, eq=False)
class Points:
    """Positions in mm.

    Parameters
    ----------
    positions
        Shape (n, 3), mm (L, P, S).
    names
        One name per point, or None.
    values
        One number per point (a detection's score, say), shape (n,), or None.
    frame
        Frame-of-reference UID.
    """

    positions: npt.NDArray[np.float64]
    names: tuple[str, ...] | None = None
    values: npt.NDArray[np.float64] | None = None
    frame: str | None = None
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", _locked(self.positions, np.float64, (3,), "Points"))
        if self.names is not None:
            object.__setattr__(self, "names", tuple(self.names))
            if len(self.names) != len(self.positions):
                raise ParameterError(f"{len(self.names)} names for {len(self.positions)} points: expected one each.")
        if self.values is not None:
            object.__setattr__(self, "values", _locked(self.values, np.float64, (), "Values"))
            if len(self.values) != len(self.positions):
                raise ParameterError(f"{len(self.values)} values for {len(self.positions)} points: expected one each.")

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def digest(self) -> str:
        """Digest of positions, names and values."""
        values = None if self.values is None else [float(v) for v in self.values]
        return digest_array(self.positions, "Points", None if self.names is None else list(self.names), values, self.frame)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes in the world.

    Parameters
    ----------
    bounds
        Shape (n, 2, 3): the lowest and the highest corner (L, P, S) in mm.
    names, scores
        One per box, or None.
    corners
        Shape (n, 8, 3): every corner in mm, of boxes along the axes of an image that lies obliquely in the world (a flat one has each of
        its four corners twice); `bounds` then are the smallest box along the world's axes around each. None where `bounds` are the boxes.
    """

    bounds: npt.NDArray[np.float64]
    names: tuple[str, ...] | None = None
    scores: npt.NDArray[np.float64] | None = None
    frame: str | None = None
    provenance: Provenance = Provenance()
    corners: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        bounds = _locked(self.bounds, np.float64, (2, 3), "Boxes")
        if (bounds[:, 1] < bounds[:, 0]).any():
            raise ParameterError("A box whose highest corner lies below its lowest: expected (low, high) corners in mm.")
        object.__setattr__(self, "bounds", bounds)
        if self.names is not None:
            object.__setattr__(self, "names", tuple(self.names))
        if self.scores is not None:
            object.__setattr__(self, "scores", _locked(self.scores, np.float64, (), "Scores"))
        if self.corners is not None:
            object.__setattr__(self, "corners", _locked(self.corners, np.float64, (8, 3), "Corners of boxes"))
        for label, values in (("names", self.names), ("scores", self.scores), ("sets of corners", self.corners)):
            if values is not None and len(values) != len(bounds):
                raise ParameterError(f"{len(values)} {label} for {len(bounds)} boxes: expected one each.")

    def __len__(self) -> int:
        return len(self.bounds)

    @cached_property
    def digest(self) -> str:
        """Digest of corners, names and scores."""
        scores = None if self.scores is None else [float(v) for v in self.scores]
        corners = () if self.corners is None else (digest_array(self.corners),)
        return digest_array(self.bounds, "Boxes", None if self.names is None else list(self.names), scores, self.frame, *corners)

    def take(self, indices: npt.ArrayLike) -> Boxes:
        """Return the boxes at some indices."""
        at = np.asarray(indices, np.int64)
        names = None if self.names is None else tuple(self.names[int(k)] for k in at)
        scores, corners = (None if v is None else v[at] for v in (self.scores, self.corners))
        return Boxes(self.bounds[at], names, scores, self.frame, self.provenance, corners)


@dataclass(frozen=True, eq=False)
class Contour:
    """One polygon.

    Parameters
    ----------
    points
        Shape (n, 3), mm; a closed contour does not repeat its first point.
    closed
        Whether the last point joins the first.
    """

    points: npt.NDArray[np.float64]
    closed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _locked(self.points, np.float64, (3,), "Contour"))


@dataclass(frozen=True, eq=False)
class Contours:
    """The polygons of one structure, usually one or more a slice.

    Parameters
    ----------
    name
        The structure's name.
    contours
        Its polygons; one inside another on the same plane is a hole.
    color
        sRGB, or None.
    frame
        Frame-of-reference UID.
    """

    name: str
    contours: tuple[Contour, ...]
    color: tuple[int, int, int] | None = None
    frame: str | None = None
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        object.__setattr__(self, "contours", tuple(self.contours))

    def __len__(self) -> int:
        return len(self.contours)

    @cached_property
    def digest(self) -> str:
        """Digest of name and polygons."""
        points = np.concatenate([c.points for c in self.contours]) if self.contours else np.zeros((0, 3))
        shape = [[len(c.points), c.closed] for c in self.contours]
        return digest_array(points, "Contours", self.name, shape, self.frame)


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangulated surface.

    Parameters
    ----------
    vertices
        Shape (n, 3), mm (L, P, S).
    faces
        Shape (m, 3), indices into `vertices`, counter-clockwise seen from outside.
    name
        The structure's name.
    color
        sRGB, or None.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int64]
    name: str = "surface"
    color: tuple[int, int, int] | None = None
    frame: str | None = None
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        vertices = _locked(self.vertices, np.float64, (3,), "Vertices")
        faces = _locked(self.faces, np.int64, (3,), "Faces")
        if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise ParameterError(f"Faces refer to vertices outside 0 to {len(vertices) - 1}.")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces)

    @property
    def volume(self) -> float:
        """Enclosed volume in mm^3 (of a closed mesh)."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        return float(abs(np.einsum("ij,ij->i", a, np.cross(b, c)).sum()) / 6.0)

    @property
    def area(self) -> float:
        """Surface area in mm^2."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)

    @property
    def is_closed(self) -> bool:
        """Whether every edge is shared by exactly two faces."""
        if not len(self.faces):
            return False
        edges = np.sort(self.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        counts = np.unique(edges, axis=0, return_counts=True)[1]
        return bool((counts == 2).all())

    @cached_property
    def digest(self) -> str:
        """Digest of vertices and faces."""
        return digest_array(self.vertices, "Mesh", self.name, digest_array(self.faces), self.frame)


def as_positions(points: Points | Sequence[Sequence[float]] | npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return positions of shape (n, 3) in mm from `Points` or anything array-like."""
    raw = points.positions if isinstance(points, Points) else np.asarray(points, dtype=np.float64)
    return np.atleast_2d(raw)
