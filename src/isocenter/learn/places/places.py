"""Where things lie in one image: boxes or points in samples of its grid, and the same in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.points import Boxes, Points

__all__ = ["Kind", "Places", "boxes_of", "points_of"]

FloatArray = npt.NDArray[np.float64]
Kind = Literal["points", "boxes"]


@dataclass(frozen=True, eq=False)
class Places:
    """Boxes or points of one image.

    Parameters
    ----------
    kind
        ``points`` or ``boxes``.
    samples
        In samples of the grid, array order, where whole numbers are the centres of samples: points of shape (n, axes); boxes of shape
        (n, 2 * axes), the low sides before the high ones. A box around sample i alone reaches from i - 1/2 to i + 1/2.
    names
        Of each: the landmark, or the class of the object.
    geometry
        The grid.
    scores
        Of each: the probability that a box is an object, or how far a point is spread in mm; None for the truth.
    """

    kind: Kind
    samples: FloatArray
    names: tuple[str, ...]
    geometry: Geometry
    scores: FloatArray | None = None

    def __post_init__(self) -> None:
        axes = self.geometry.ndim * (2 if self.kind == "boxes" else 1)
        samples = np.asarray(self.samples, np.float64).reshape(-1, axes)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "names", tuple(str(n) for n in self.names))
        scores = None if self.scores is None else np.asarray(self.scores, np.float64).ravel()
        object.__setattr__(self, "scores", scores)
        if (
            not np.isfinite(samples).all()
            or len(self.names) != len(samples)
            or (scores is not None and scores.size != len(samples))
        ):
            raise ContentError(
                f"{len(samples)} {self.kind} with {len(self.names)} names: expected finite positions, a name for each and a score or none."
            )

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def centres(self) -> FloatArray:
        """Middle of each in samples, shape (n, axes)."""
        if self.kind == "points":
            return self.samples
        axes = self.geometry.ndim
        return (self.samples[:, :axes] + self.samples[:, axes:]) / 2.0

    @property
    def extents(self) -> FloatArray:
        """Sides of each box in samples, shape (n, axes); zeros for points."""
        axes = self.geometry.ndim
        return self.samples[:, axes:] - self.samples[:, :axes] if self.kind == "boxes" else np.zeros_like(self.samples)

    @property
    def positions(self) -> FloatArray:
        """Middle of each in mm (L, P, S), shape (n, 3)."""
        return self.geometry.to_world(self.centres)

    def millimetres(self) -> FloatArray:
        """Return the samples times the spacing: boxes and points that distances and overlaps can be computed of."""
        step = np.asarray(self.geometry.spacing)
        return self.samples * (np.concatenate([step, step]) if self.kind == "boxes" else step)

    def take(self, indices: npt.ArrayLike) -> Places:
        """Return those at some indices."""
        at = np.asarray(indices, np.int64)
        scores = None if self.scores is None else self.scores[at]
        return replace(self, samples=self.samples[at], names=tuple(self.names[int(k)] for k in at), scores=scores)

    def of(self, names: Sequence[str]) -> FloatArray:
        """Return the positions in mm (L, P, S) of some points, NaN where one is not there, shape (names, 3)."""
        world = self.positions
        found = np.full((len(names), 3), np.nan)
        for k, name in enumerate(names):
            if name in self.names:
                found[k] = world[self.names.index(name)]
        return found

    def world(self) -> Points | Boxes:
        """Return the same in the world.

        Boxes in an image that lies obliquely in the world keep their corners: the smallest boxes along the world's axes around them are
        larger than they are.
        """
        frame = self.geometry.frame
        if self.kind == "points":
            return Points(self.positions, self.names, self.scores, frame)
        corners = self.geometry.to_world(_corners(self.samples, self.geometry.ndim))
        bounds = np.stack([corners.min(axis=1), corners.max(axis=1)], axis=1).reshape(-1, 2, 3)
        own = np.resize(corners.swapaxes(0, 1), (8, len(self), 3)).swapaxes(0, 1) if _oblique(self.geometry) else None
        return Boxes(bounds, self.names, self.scores, frame, corners=own)

    def rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return columns and rows of a table, as they can be read back: samples first, then mm."""
        lines = {2: ("row", "column"), 3: ("slice", "row", "column")}.get(self.geometry.ndim, ("sample",))
        score = "probability" if self.kind == "boxes" else "spread_mm"
        scores: list[tuple[Any, ...]] = [() for _ in self.names] if self.scores is None else [(float(s),) for s in self.scores]
        world = self.world()
        if isinstance(world, Points):
            head = (*lines, *(f"{a}_mm" for a in "xyz"))
            places = np.concatenate([self.samples, world.positions], axis=1)
        else:
            head = (*(f"{a}_low" for a in lines), *(f"{a}_high" for a in lines))
            head += (*(f"{a}_low_mm" for a in "xyz"), *(f"{a}_high_mm" for a in "xyz"))
            places = np.concatenate([self.samples, world.bounds.reshape(-1, 6)], axis=1)
        rows = [(n, *map(float, p), *s) for n, p, s in zip(self.names, places, scores, strict=True)]
        return ("label", *head, *(() if self.scores is None else (score,))), rows


def points_of(found: Points, geometry: Geometry) -> Places:
    """Return points of the world as places of a grid."""
    names = found.names or tuple(f"point {k + 1}" for k in range(len(found)))
    return Places("points", geometry.to_index(found.positions), names, geometry, found.values)


def boxes_of(found: Boxes, geometry: Geometry) -> Places:
    """Return boxes of the world as places of a grid: the sides of the grid's own box around each."""
    world = _corners(found.bounds.reshape(-1, 6), 3) if found.corners is None else found.corners
    corners = geometry.to_index(world)
    low, high = corners.min(axis=1), corners.max(axis=1)
    thin = (np.asarray(geometry.shape) == 1) & (high - low < 1e-6)  # a box of a picture holds the only slice of its volume
    samples = np.concatenate([np.where(thin, low - 0.5, low), np.where(thin, high + 0.5, high)], axis=1)
    return Places("boxes", samples, found.names or ("object",) * len(found), geometry, found.scores)


def _oblique(geometry: Geometry) -> bool:
    """Return whether an axis of the grid lies along none of the world's."""
    return bool((np.abs(geometry.direction).max(axis=0) < 1.0 - 1e-12).any())


def _corners(boxes: FloatArray, axes: int) -> FloatArray:
    """Return the corners of boxes, shape (n, 2 ** axes, axes)."""
    picks = np.array(np.meshgrid(*[(0, 1)] * axes, indexing="ij")).reshape(axes, -1).T
    sides = boxes.reshape(-1, 2, axes)
    return np.stack([sides[:, pick, np.arange(axes)] for pick in picks], axis=1).reshape(-1, len(picks), axes)
