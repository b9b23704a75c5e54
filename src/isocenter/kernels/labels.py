"""Masks: components, holes, distances and balls in mm.

All functions take bool arrays of one to three axes (others are refused) with ``spacing`` in mm in array order, and
return new arrays. Beyond the edge of the array nothing is known unless a function says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cc3d
import edt
import numba
import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.kernels.balls import ball_rows, dilate_words, pack_rows, unpack_rows
from isocenter.kernels.runs import fill, keep, runs_of
from isocenter.kernels.threads import kernel_input

__all__ = [
    "boundary",
    "bounding_box",
    "close",
    "closing",
    "components",
    "dilate",
    "distance_inside",
    "distance_to",
    "erode",
    "fill_holes",
    "keep_largest",
    "opening",
    "remove_islands",
    "sizes",
]

Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

#: Neighbour counts in three, two and one dimensions that mean the same: faces, faces and edges, all.
_CONNECTIVITY = {6: (6, 4, 2), 18: (18, 8, 2), 26: (26, 8, 2), 4: (6, 4, 2), 8: (26, 8, 2), 2: (6, 4, 2)}


#: Rows of a ball beyond which distances are cheaper.
_MOST_ROWS = 4000


def _own(mask: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return a mask as its own writable, contiguous bytes (the libraries refuse read-only buffers)."""
    data = np.asarray(mask)
    if not 1 <= data.ndim <= 3:
        raise ParameterError(f"Mask of shape {data.shape}: expected one to three axes.")
    return np.array(data, dtype=np.bool_, order="C").view(np.uint8)


def _flat(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a one-dimensional array as one row (the libraries start at two dimensions)."""
    return data[None] if data.ndim == 1 else data


def components(mask: npt.ArrayLike, connectivity: int | None = None) -> tuple[npt.NDArray[np.uint32], int]:
    """Label the connected components of a mask.

    Parameters
    ----------
    mask
        Bool, one to three axes.
    connectivity
        Neighbour count: 6, 18 or 26 (4 or 8 in the plane; a number for three axes is translated). None joins
        across corners.

    Returns
    -------
    labels : numpy.ndarray
        0 is background; components are numbered 1, 2 ... by their first sample in array order.
    count : int
        How many there are.
    """
    data = _flat(_own(mask))
    if connectivity is not None and connectivity not in _CONNECTIVITY:
        raise ParameterError(f"Connectivity {connectivity}: expected a neighbour count, 6, 18 or 26 (4 or 8 in the plane).")
    three, two, _ = _CONNECTIVITY[26 if connectivity is None else connectivity]
    shape = np.asarray(mask).shape
    if not data.size:
        return np.zeros(shape, np.uint32), 0
    # Bytes, not bool: for bool and `binary_image` cc3d 4.1.1 reserves too few provisional labels in the plane with
    # 8 neighbours (and in thin volumes with 26), and then mixes components up or stops.
    kind = three if data.ndim == 3 else two
    labels, count = cc3d.connected_components(data, connectivity=kind, return_N=True, out_dtype=np.uint32)
    labels = _by_first_sample(np.ascontiguousarray(labels), int(count))
    return labels.reshape(shape), int(count)


def _by_first_sample(labels: npt.NDArray[np.uint32], count: int) -> npt.NDArray[np.uint32]:
    """Renumber components by where they begin, so that the numbering is ours and not the library's."""
    if count < 2:
        return labels
    flat = labels.ravel()
    first = np.full(count + 1, flat.size, dtype=np.int64)
    # Component starts are runs of new values: looking at those alone keeps the reversed assignment short.
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    first[flat[starts][::-1]] = starts[::-1]
    order = np.argsort(first[1:], kind="stable")
    if np.array_equal(order, np.arange(count)):
        return labels
    rank = np.zeros(count + 1, dtype=np.uint32)
    rank[order + 1] = np.arange(1, count + 1, dtype=np.uint32)
    renumbered: npt.NDArray[np.uint32] = rank[labels]
    return renumbered


def sizes(labels: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    """Return how many samples each of the labels 0, 1 ... `count` has."""
    found = np.zeros(count + 1, np.int64)
    _count(kernel_input(labels).reshape(-1), found)
    return found


@numba.njit(cache=True, nogil=True)
def _count(labels: Any, found: Any) -> None:  # pragma: no cover - compiled
    # Equal neighbours are counted first and added once: most samples follow one of their own label.
    start = 0
    for k in range(1, labels.size + 1):
        if k == labels.size or labels[k] != labels[start]:
            found[int(labels[start])] += k - start
            start = k


def _solid(data: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the bytes of a mask with three axes (a view)."""
    return data.reshape((1,) * (3 - data.ndim) + data.shape)


def _joined(mask: npt.NDArray[Any], connectivity: int | None) -> int:
    if connectivity is not None and connectivity not in _CONNECTIVITY:
        raise ParameterError(f"Connectivity {connectivity}: expected a neighbour count, 6, 18 or 26 (4 or 8 in the plane).")
    three, two, _ = _CONNECTIVITY[26 if connectivity is None else connectivity]
    return three if mask.ndim == 3 else two if mask.ndim == 2 else 4


def keep_largest(mask: npt.ArrayLike, count: int = 1, connectivity: int | None = None) -> Mask:
    """Return the `count` largest components of a mask (of equal ones, those that begin first)."""
    data = _own(mask)
    found = runs_of(_solid(data), _joined(data, connectivity))
    wanted = np.zeros(found.count, np.bool_)
    wanted[np.argsort(-found.sizes, kind="stable")[:count]] = True
    keep(_solid(data), found, wanted)
    return data.view(np.bool_)


def remove_islands(mask: npt.ArrayLike, minimum: int, connectivity: int | None = None) -> Mask:
    """Return a mask without its components of fewer than `minimum` samples."""
    data = _own(mask)
    found = runs_of(_solid(data), _joined(data, connectivity))
    keep(_solid(data), found, found.sizes >= minimum)
    return data.view(np.bool_)


def fill_holes(mask: npt.ArrayLike, axis: int | None = None) -> Mask:
    """Fill the background that no path of face neighbours joins to the edge of the array.

    Parameters
    ----------
    mask
        Bool, one to three axes.
    axis
        Fill in every slice across this axis by itself; None fills in all dimensions together.
    """
    data = _own(mask)
    if axis is not None and data.ndim > 1:
        if data.ndim == 2:  # every row (or column) by itself
            rows = np.ascontiguousarray(np.moveaxis(data, axis, 0))
            inside = np.maximum.accumulate(rows, axis=1) & np.maximum.accumulate(rows[:, ::-1], axis=1)[:, ::-1]
            return np.ascontiguousarray(np.moveaxis(inside, 0, axis)).view(np.bool_)
        moved = np.ascontiguousarray(np.moveaxis(data, axis, 0))
        fill(moved, planar=True)
        return np.ascontiguousarray(np.moveaxis(moved, 0, axis)).view(np.bool_)
    if data.ndim == 1:  # between the first and the last sample
        where = np.flatnonzero(data)
        result = np.zeros(data.shape, dtype=np.bool_)
        if where.size:
            result[where[0] : where[-1] + 1] = True
        return result
    if data.size and 1 not in data.shape:  # with one sample across, every sample is at the edge: no hole can be closed
        fill(_solid(data), planar=data.ndim == 2)
    return data.view(np.bool_)


def distance_inside(mask: npt.ArrayLike, spacing: Sequence[float], threads: int = 1) -> FloatArray:
    """Return the distance in mm from every sample of a mask to the nearest sample outside it (0 outside).

    Infinite where the whole array is inside. Centre to centre, on an orthogonal grid.

    Parameters
    ----------
    mask
        Bool, one to three axes.
    spacing
        mm per sample in array order.
    threads
        Threads to use; the result does not depend on it.

    References
    ----------
    Felzenszwalb, Huttenlocher. Distance transforms of sampled functions. Theory of Computing 8 (2012).
    """
    data = _flat(_own(mask))
    steps = tuple(float(s) for s in spacing)
    if len(steps) != np.asarray(mask).ndim:
        raise ParameterError(f"{len(steps)} spacings for {np.asarray(mask).ndim} axes: expected one per axis, in array order.")
    steps = (1.0, *steps) if np.asarray(mask).ndim == 1 else steps
    if not data.size:
        return np.zeros(np.asarray(mask).shape, np.float32)
    found = edt.edt(data.view(np.bool_), anisotropy=steps, black_border=False, parallel=max(1, threads))
    return np.ascontiguousarray(found, dtype=np.float32).reshape(np.asarray(mask).shape)


def distance_to(mask: npt.ArrayLike, spacing: Sequence[float], threads: int = 1) -> FloatArray:
    """Return the distance in mm from every sample to the nearest sample of a mask (0 inside; infinite if it is empty)."""
    return distance_inside(~np.asarray(mask, dtype=np.bool_), spacing, threads)


def _reach(radius: float) -> float:
    """Return a radius that takes in samples lying exactly on the ball (distances are float32)."""
    return radius * (1.0 + 1e-5) + 1e-6


def _dilated(mask: npt.NDArray[np.bool_], radius: float, spacing: Sequence[float], threads: int, negate: bool) -> Mask:
    """Return a mask dilated by a ball; `negate` takes the complement before and after, which erodes."""
    if len(tuple(spacing)) != mask.ndim:
        raise ParameterError(f"{len(tuple(spacing))} spacings for {mask.ndim} axes: expected one per axis, in array order.")
    if not 1 <= mask.ndim <= 3:
        raise ParameterError(f"Mask of shape {mask.shape}: expected one to three axes.")
    solid = mask.reshape((1,) * (3 - mask.ndim) + mask.shape)
    steps = (1.0,) * (3 - mask.ndim) + tuple(float(s) for s in spacing)
    rows = ball_rows(_reach(radius), steps, solid.shape) if mask.size else np.zeros((0, 3), np.int64)
    if not mask.size or len(rows) > _MOST_ROWS:
        if negate:
            return np.asarray(distance_inside(mask, spacing, threads) > _reach(radius))
        return np.asarray(distance_to(mask, spacing, threads) <= _reach(radius))
    words = pack_rows(solid)
    if negate:
        _complement(words, solid.shape[2])
    words = dilate_words(words, solid.shape[2], rows, threads)
    if negate:
        np.invert(words, out=words)
    result = np.empty(solid.shape, np.bool_)
    unpack_rows(words, result)
    return result.reshape(mask.shape)


def dilate(mask: npt.ArrayLike, radius: float, spacing: Sequence[float], threads: int = 1) -> Mask:
    """Return all samples within `radius` mm of a mask."""
    if radius <= 0:
        return np.array(mask, dtype=np.bool_)
    return _dilated(np.asarray(mask, dtype=np.bool_), radius, spacing, threads, negate=False)


def erode(mask: npt.ArrayLike, radius: float, spacing: Sequence[float], threads: int = 1) -> Mask:
    """Return the samples of a mask that lie farther than `radius` mm from any sample outside it."""
    if radius <= 0:
        return np.array(mask, dtype=np.bool_)
    return _dilated(np.asarray(mask, dtype=np.bool_), radius, spacing, threads, negate=True)


def opening(mask: npt.ArrayLike, radius: float, spacing: Sequence[float], threads: int = 1) -> Mask:
    """Return the union of all balls of `radius` mm that fit into a mask: removes what is thinner.

    A mask may run on beyond the edge of the array, so nothing is lost where it touches it.
    """
    return dilate(erode(mask, radius, spacing, threads), radius, spacing, threads)


def closing(mask: npt.ArrayLike, radius: float, spacing: Sequence[float], threads: int = 1) -> Mask:
    """Fill what no ball of `radius` mm outside a mask can reach: gaps and notches that are narrower.

    Beyond the edge of the array is background, so a gap between a mask and the edge stays open.
    """
    data = np.array(mask, dtype=np.bool_, order="C")
    if radius > 0 and data.any():
        close(data, radius, spacing, threads)
    return data


def close(mask: Mask, radius: float, spacing: Sequence[float], threads: int = 1) -> None:
    """Close a contiguous mask in place, as `closing` does."""
    width = [int(np.ceil(_reach(radius) / s)) + 1 for s in spacing]
    solid = mask.reshape((1,) * (3 - mask.ndim) + mask.shape)
    steps = (1.0,) * (3 - mask.ndim) + tuple(float(s) for s in spacing)
    margin = (0,) * (3 - mask.ndim) + tuple(width)
    shape = tuple(n + 2 * m for n, m in zip(solid.shape, margin, strict=True))
    rows = ball_rows(_reach(radius), steps, shape)
    if len(rows) > _MOST_ROWS:
        padded = np.pad(mask, [(w, w) for w in width])
        closed = erode(dilate(padded, radius, spacing, threads), radius, spacing, threads)
        mask |= closed[tuple(slice(w, w + n) for w, n in zip(width, mask.shape, strict=True))]
        return
    words = dilate_words(pack_rows(solid, margin), shape[2], rows, threads)
    _complement(words, shape[2])
    words = dilate_words(words, shape[2], rows, threads)
    np.invert(words, out=words)
    unpack_rows(words, solid, margin, join=True)


def _complement(words: npt.NDArray[np.uint64], width: int) -> None:
    """Turn every sample of packed rows round, and leave the bits beyond their ends alone."""
    np.invert(words, out=words)
    words[..., -1] &= np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(-width % 64)


def boundary(mask: npt.ArrayLike) -> Mask:
    """Return the samples of a mask that have a face neighbour outside it; beyond the array is outside."""
    data = np.asarray(mask, dtype=np.bool_)
    inside = data.copy()
    for axis in range(data.ndim):
        first: list[slice] = [slice(None)] * data.ndim
        last: list[slice] = [slice(None)] * data.ndim
        first[axis], last[axis] = slice(None, -1), slice(1, None)
        inside[tuple(last)] &= data[tuple(first)]
        inside[tuple(first)] &= data[tuple(last)]
        edge: list[Any] = [slice(None)] * data.ndim
        for end in (0, -1):
            edge[axis] = end
            inside[tuple(edge)] = False
    result: Mask = data & ~inside
    return result


def bounding_box(mask: npt.ArrayLike, margin: int | Sequence[int] = 0) -> tuple[slice, ...] | None:
    """Return the smallest box around a mask as slices, `margin` samples wider on each side, held to the array.

    None for an empty mask.
    """
    data = np.asarray(mask, dtype=np.bool_)
    margins = (margin,) * data.ndim if isinstance(margin, int) else tuple(margin)
    box: list[slice] = []
    for axis in range(data.ndim):
        # What earlier axes have shown to be empty is not looked at again.
        inside = data[tuple(slice(b.start, b.stop) for b in box)]
        where = np.flatnonzero(inside.any(axis=tuple(k for k in range(data.ndim) if k != axis)))
        if not where.size:
            return None
        box.append(slice(int(where[0]), int(where[-1]) + 1))
    return tuple(slice(max(0, b.start - m), min(n, b.stop + m)) for b, m, n in zip(box, margins, data.shape, strict=True))
