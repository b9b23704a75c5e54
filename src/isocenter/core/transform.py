"""Transforms: maps of points (n, 3) in mm to points (n, 3) in mm.

A transform that registration returns maps *fixed* space to *moving* space: the point of the moving image
that corresponds to a point of the fixed one. ``resample.to_grid(moving, transform, fixed.geometry)``
therefore needs no inverse. Chains are composed, never resampled in between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import GeometryError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.provenance import Provenance, digest_array, digest_json

__all__ = ["Affine", "Chain", "Displacement", "Identity", "Transform"]

FloatArray = npt.NDArray[np.float64]


class Transform(ABC):
    """A map of the world onto itself."""

    provenance: Provenance = Provenance()

    @abstractmethod
    def __call__(self, points: npt.ArrayLike) -> FloatArray:
        """Map positions of shape (..., 3) in mm."""

    @abstractmethod
    def inverse(self) -> Transform:
        """Return the transform that undoes this one."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """Digest of the parameters."""

    def then(self, other: Transform) -> Transform:
        """Return the transform that applies this one first and `other` second."""
        return Chain((self, other)).simplified()

    @property
    def matrix(self) -> FloatArray | None:
        """The 4 x 4 matrix where the transform is affine, else None."""
        return None


@dataclass(frozen=True, eq=False)
class Affine(Transform):
    """An affine map (rigid, similarity, affine).

    Parameters
    ----------
    values
        Shape (4, 4); maps (L, P, S, 1) in mm.
    """

    values: FloatArray
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.shape != (4, 4) or not np.array_equal(values[3], (0, 0, 0, 1)) or not np.isfinite(values).all():
            raise ParameterError("Matrix of an affine transform: expected finite values of shape (4, 4), last row 0 0 0 1.")
        if abs(np.linalg.det(values[:3, :3])) < 1e-12:
            raise ParameterError("Matrix of an affine transform is singular: expected an invertible map.")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @classmethod
    def translation(cls, offset: npt.ArrayLike) -> Affine:
        """Return a shift by `offset` (L, P, S) in mm."""
        values = np.eye(4)
        values[:3, 3] = np.asarray(offset, dtype=np.float64)
        return cls(values)

    @classmethod
    def rotation(cls, axis: npt.ArrayLike, degrees: float, center: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Affine:
        """Return a rotation about an axis through `center`, right-handed, in degrees."""
        u = np.asarray(axis, dtype=np.float64)
        u = u / np.linalg.norm(u)
        angle = np.deg2rad(degrees)
        cross = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
        linear = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
        middle = np.asarray(center, dtype=np.float64)
        values = np.eye(4)
        values[:3, :3] = linear
        values[:3, 3] = middle - linear @ middle
        return cls(values)

    def __call__(self, points: npt.ArrayLike) -> FloatArray:
        result: FloatArray = np.asarray(points, dtype=np.float64) @ self.values[:3, :3].T + self.values[:3, 3]
        return result

    def inverse(self) -> Affine:
        """Return the inverse map."""
        linear = np.linalg.inv(self.values[:3, :3])
        values = np.eye(4)
        values[:3, :3] = linear
        values[:3, 3] = -linear @ self.values[:3, 3]
        return Affine(values, self.provenance)

    @property
    def matrix(self) -> FloatArray:
        """Shape (4, 4)."""
        return self.values

    @cached_property
    def digest(self) -> str:
        """Digest of the matrix."""
        return digest_array(self.values, "Affine")


class Identity(Affine):
    """The map that leaves every point where it is."""

    def __init__(self) -> None:
        super().__init__(np.eye(4))


@dataclass(frozen=True, eq=False)
class Displacement(Transform):
    """A dense displacement field, linear between its samples and zero outside its grid.

    Parameters
    ----------
    vectors
        Shape (*geometry.shape, 3), mm (L, P, S): a point p moves to p + v(p).
    geometry
        The grid of the field, three spatial axes.
    """

    vectors: npt.NDArray[Any]
    geometry: Geometry
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        vectors = np.array(self.vectors, dtype=np.float32 if np.asarray(self.vectors).dtype != np.float64 else np.float64)
        if self.geometry.ndim != 3 or vectors.shape != (*self.geometry.shape, 3):
            raise GeometryError(
                f"Displacement of shape {vectors.shape} on a grid of {self.geometry.shape}: expected (*grid, 3) on three axes."
            )
        if not np.isfinite(vectors).all():
            raise ParameterError("Displacement holds values that are not finite: expected mm.")
        vectors.setflags(write=False)
        object.__setattr__(self, "vectors", vectors)

    def at(self, points: npt.ArrayLike) -> FloatArray:
        """Return the displacement in mm at positions (..., 3)."""
        world = np.asarray(points, dtype=np.float64)
        index = self.geometry.to_index(world).reshape(-1, 3)
        top = np.asarray(self.geometry.shape) - 1
        inside = ((index >= -0.5) & (index <= top + 0.5)).all(axis=1)
        clipped = np.clip(index, 0, top)
        low = np.minimum(np.floor(clipped).astype(np.intp), np.maximum(top - 1, 0))
        weight = clipped - low
        result = np.zeros((len(index), 3))
        for corner in np.ndindex(2, 2, 2):
            step = np.minimum(low + corner, top)
            share = np.prod(np.where(corner, weight, 1.0 - weight), axis=1)
            result += share[:, None] * self.vectors[step[:, 0], step[:, 1], step[:, 2]]
        result[~inside] = 0.0
        return result.reshape(world.shape)

    def __call__(self, points: npt.ArrayLike) -> FloatArray:
        world = np.asarray(points, dtype=np.float64)
        return world + self.at(world)

    def inverse(self) -> Transform:
        """Return the inverse, solved point by point by fixed-point iteration (fields that do not fold)."""
        return _InverseDisplacement(self)

    @cached_property
    def digest(self) -> str:
        """Digest of vectors and grid."""
        return digest_array(self.vectors, "Displacement", self.geometry.to_dict())


@dataclass(frozen=True, eq=False)
class _InverseDisplacement(Transform):
    """The inverse of a displacement field: solves p + v(p) = q for p, to 1e-4 mm where the field is invertible."""

    forward: Displacement

    def __call__(self, points: npt.ArrayLike) -> FloatArray:
        target = np.asarray(points, dtype=np.float64)
        guess = target - self.forward.at(target)
        for _ in range(50):
            error = self.forward(guess) - target
            if not error.size or float(np.abs(error).max()) < 1e-4:
                break
            guess = guess - error
        return guess

    def inverse(self) -> Transform:
        """Return the field itself."""
        return self.forward

    @cached_property
    def digest(self) -> str:
        """Digest of the field, marked as its inverse."""
        return digest_json(["inverse", self.forward.digest])


@dataclass(frozen=True, eq=False)
class Chain(Transform):
    """Several transforms, applied first to last."""

    links: tuple[Transform, ...]
    provenance: Provenance = Provenance()

    def __call__(self, points: npt.ArrayLike) -> FloatArray:
        result: FloatArray = np.asarray(points, dtype=np.float64)
        for link in self.links:
            result = link(result)
        return result

    def inverse(self) -> Transform:
        """Return the inverses in reverse order."""
        return Chain(tuple(link.inverse() for link in reversed(self.links)), self.provenance)

    def simplified(self) -> Transform:
        """Return the same map with nested chains flattened and neighbouring matrices multiplied."""
        flat: list[Transform] = []
        for link in self.links:
            inner = link.links if isinstance(link, Chain) else (link,)
            for one in inner:
                if flat and flat[-1].matrix is not None and one.matrix is not None:
                    flat[-1] = Affine(one.matrix @ flat[-1].matrix)
                else:
                    flat.append(one)
        return flat[0] if len(flat) == 1 else Chain(tuple(flat), self.provenance)

    @cached_property
    def digest(self) -> str:
        """Digest of the links in order."""
        return digest_json(["Chain", *[link.digest for link in self.links]])
