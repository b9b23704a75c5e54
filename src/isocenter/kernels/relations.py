"""Where one mask lies to another: distances, overlap, depth below the surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.kernels.labels import distance_inside, distance_to

__all__ = ["Relation", "relation"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Relation:
    """How a region lies to another one; NaN where that is not defined.

    Attributes
    ----------
    nearest, farthest
        mm from the samples of the region to the other one: the least and the largest.
    share_inside, share_of
        Fraction of the region that lies in the other one, and of the other one that the region covers.
    depth_least, depth_mean, depth_most
        mm from the samples that lie in the other one to the nearest sample outside it.
    """

    nearest: float = np.nan
    farthest: float = np.nan
    share_inside: float = np.nan
    share_of: float = np.nan
    depth_least: float = np.nan
    depth_mean: float = np.nan
    depth_most: float = np.nan


def relation(region: Mask, other: Mask, spacing: Sequence[float], threads: int = 1) -> Relation:
    """Return how a region lies to another one.

    Parameters
    ----------
    region, other
        Bool arrays on one grid.
    spacing
        mm per sample along every axis.
    threads
        Threads to use; the result does not depend on it.
    """
    if not region.any() or not other.any():
        return Relation()
    box = _box(region | other)
    region, other = region[box], np.pad(other[box], 1)
    inner = (slice(1, -1),) * region.ndim
    away = distance_to(other, spacing, threads)[inner][region]
    other_here = other[inner]
    shared = region & other_here
    count = int(shared.sum())
    share_inside, share_of = count / int(region.sum()), count / int(other.sum())
    if not count:
        return Relation(float(away.min()), float(away.max()), share_inside, share_of)
    depth = distance_inside(other, spacing, threads)[inner][shared].astype(np.float64)
    return Relation(
        float(away.min()), float(away.max()), share_inside, share_of,
        float(depth.min()), float(depth.mean()), float(depth.max()),
    )  # fmt: skip


def _box(mask: Mask) -> tuple[slice, ...]:
    return tuple(slice(int(w.min()), int(w.max()) + 1) for w in np.nonzero(mask))
