"""From image and mask to the region that features are computed in: crop, interpolate, round, re-segment.

References
----------
IBSI reference manual v11, chapter 2 (image processing): 2.4 interpolation (VTM2), 2.5 re-segmentation (IFBJ).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.radiomics.peaks import RADIUS
from isocenter.kernels.regrid import Axis, axis_of, planes

__all__ = ["Chain", "Region", "cut", "grid_axes", "grid_spacing", "is_whole", "prepare", "resegment"]

Mask = npt.NDArray[np.bool_]
Box = tuple[slice, ...]


@dataclass(frozen=True)
class Chain:
    """How a region is prepared.

    Attributes
    ----------
    spacing
        mm of the interpolated samples along each axis (None: as it is); None for no interpolation.
    order
        0 nearest, 1 linear, 3 cubic.
    threshold
        Share of a new sample that the mask must cover (its linear interpolation).
    rounding
        Whether interpolated intensities are rounded to whole numbers.
    low, high
        Ends of the range that the intensity mask is restricted to, both belonging to it; None where open.
    sigma
        Intensities farther than this many standard deviations from the mean leave the intensity mask; None keeps all.
    with_peaks
        Whether as much image is kept around the region as local intensities need.
    reach
        Samples (of the interpolated grid) along each axis that filters read beyond the region; empty: none.
    """

    spacing: tuple[float | None, ...] | None = None
    order: int = 1
    threshold: float = 0.5
    rounding: bool = False
    low: float | None = None
    high: float | None = None
    sigma: float | None = None
    with_peaks: bool = False
    reach: tuple[int, ...] = ()


@dataclass(frozen=True)
class Region:
    """A region, cropped.

    Attributes
    ----------
    array
        Intensities of its box and of the margin that local intensities and filters need.
    inner
        Where the box lies in `array`.
    mask
        uint8, the box with one empty sample on every side: 1 in the morphological mask, 3 in the intensity mask too.
    spacing
        mm per sample along each axis.
    lost
        Samples of the region that are not finite.
    """

    array: npt.NDArray[Any]
    inner: Box
    mask: npt.NDArray[np.uint8]
    spacing: tuple[float, ...]
    lost: int = 0

    @property
    def box(self) -> tuple[int, ...]:
        """Samples of the box along each axis."""
        return tuple(part.stop - part.start for part in self.inner)

    @property
    def intensities(self) -> npt.NDArray[Any]:
        """Samples of the box."""
        return self.array[self.inner]

    def values(self) -> npt.NDArray[Any]:
        """Return the intensities of the intensity mask, one axis, in their own type; a new array."""
        core = self.mask[1:-1, 1:-1, 1:-1]
        found = np.empty(sum(int(np.count_nonzero(plane == 3)) for plane in core), self.array.dtype.newbyteorder("="))
        first = 0
        for samples, plane in zip(self.intensities, core, strict=True):  # plane by plane: no mask of the whole in between
            part = samples[plane == 3]
            found[first : first + part.size] = part
            first += part.size
        return found


def cut(mask: Mask) -> Box | None:
    """Return the box around a mask, None for an empty one."""
    bounds = []
    for axis in range(mask.ndim):
        others = tuple(k for k in range(mask.ndim) if k != axis)
        where = np.flatnonzero(mask.any(axis=others))
        if not len(where):
            return None
        bounds.append(slice(int(where[0]), int(where[-1]) + 1))
    return tuple(bounds)


def is_whole(values: npt.NDArray[Any]) -> bool:
    """Return whether all values are whole numbers."""
    if values.dtype.kind in "iub":
        return True
    return all(bool(np.array_equal(part, np.floor(part))) for part in np.array_split(values, 1 + values.size // (1 << 16)))


def grid_axes(shape: Sequence[int], spacing: Sequence[float], chain: Chain) -> tuple[Axis, ...]:
    """Return the axes of the interpolated grid of a whole image."""
    wanted = chain.spacing or (None,) * len(tuple(shape))
    return tuple(axis_of(n, s, w) for n, s, w in zip(shape, spacing, wanted, strict=True))


def grid_spacing(spacing: Sequence[float], chain: Chain) -> tuple[float, ...]:
    """Return mm per sample of the interpolated grid along each axis."""
    return tuple(w or s for s, w in zip(spacing, chain.spacing or (None,) * len(tuple(spacing)), strict=True))


def prepare(array: npt.NDArray[Any], mask: Mask, box: Box, spacing: Sequence[float], chain: Chain) -> Region | None:
    """Return the region of a mask in an image before re-segmentation, None where nothing is in it.

    Parameters
    ----------
    array
        The whole image, three axes.
    mask
        The mask, cropped to `box`.
    box
        Where it lies in the image.
    spacing
        mm per sample along each axis.
    chain
        What is done.
    """
    inside = cut(mask)
    if inside is None:
        return None
    mask = mask[inside]
    box = tuple(slice(b.start + i.start, b.start + i.stop) for b, i in zip(box, inside, strict=True))
    axes = grid_axes(array.shape, spacing, chain)
    if all(axis.is_identity for axis in axes):
        steps = tuple(spacing)
        new_mask, new_box = mask, box
    else:
        steps = grid_spacing(spacing, chain)
        found = _mask_on_grid(mask, box, array.shape, axes, chain.threshold)
        if found is None:
            return None
        new_mask, new_box = found
    grown = tuple(
        slice(max(0, b.start - m), min(axis.count, b.stop + m))
        for b, m, axis in zip(new_box, _margin(steps, chain), axes, strict=True)
    )
    if all(axis.is_identity for axis in axes):
        part = array[grown]
    else:
        part = _image_on_grid(array, tuple(axis.part(g.start, g.stop) for axis, g in zip(axes, grown, strict=True)), chain)
    inner = tuple(slice(b.start - g.start, b.stop - g.start) for b, g in zip(new_box, grown, strict=True))
    padded = np.zeros(tuple(n + 2 for n in new_mask.shape), np.uint8)
    core = padded[1:-1, 1:-1, 1:-1]
    lost = 0
    for z, plane in enumerate(part[inner]):  # plane by plane: no second copy of the region
        chosen = new_mask[z]
        finite = np.isfinite(plane) if plane.dtype.kind == "f" else True
        core[z] = np.where(chosen, np.where(finite, 3, 1), 0)
        lost += int(np.count_nonzero(chosen & ~finite)) if plane.dtype.kind == "f" else 0
    return Region(part, inner, padded, steps, lost)


def _margin(spacing: Sequence[float], chain: Chain) -> tuple[int, ...]:
    peaks = [math.floor(RADIUS / s + 1e-9) if chain.with_peaks else 0 for s in spacing]
    return tuple(max(peak, reach) for peak, reach in zip(peaks, chain.reach or (0,) * len(peaks), strict=True))


def _mask_on_grid(mask: Mask, box: Box, shape: Sequence[int], axes: Sequence[Axis], threshold: float) -> tuple[Mask, Box] | None:
    """Return the mask on the new grid, cropped, and where it lies there."""
    # Beside the box the mask is empty; at the edge of the image it goes on as the image does.
    before = [int(b.start > 0) for b in box]
    pad = [(a, int(b.stop < n)) for a, b, n in zip(before, box, shape, strict=True)]
    padded = np.pad(mask, pad)
    bounds = [axis.cut(b.start - 1.0, float(b.stop)) for axis, b in zip(axes, box, strict=True)]
    local = [
        Axis(axis.part(first, last).start - (b.start - a), axis.step, last - first)
        for axis, (first, last), b, a in zip(axes, bounds, box, before, strict=True)
    ]
    new = np.empty(tuple(axis.count for axis in local), np.bool_)
    for z, plane in enumerate(planes(padded, local, 1)):
        new[z] = plane >= threshold - 1e-9  # a sample covered by exactly that share belongs to it, whatever was rounded
    inside = cut(new)
    if inside is None:
        return None
    return new[inside], tuple(slice(first + i.start, first + i.stop) for (first, _), i in zip(bounds, inside, strict=True))


def _image_on_grid(array: npt.NDArray[Any], axes: Sequence[Axis], chain: Chain) -> npt.NDArray[Any]:
    """Return a part of the interpolated image: int16 where rounded values fit, else float32."""
    shape = tuple(axis.count for axis in axes)
    result = np.empty(shape, np.int16 if chain.rounding and array.dtype.kind in "iub" else np.float32)
    for z, plane in enumerate(planes(array, axes, chain.order)):
        if chain.rounding:
            np.rint(plane, out=plane)
            if result.dtype == np.int16 and not -32768 <= plane.min() <= plane.max() <= 32767:
                result = result.astype(np.float32)
        result[z] = plane
    return result


def resegment(region: Region, chain: Chain) -> None:
    """Restrict the intensity mask of a region to the range and to values near the mean, in place.

    Both are taken of the mask as it was before: where they are combined, their intersection remains.
    """
    low, high = chain.low, chain.high
    if chain.sigma is not None:
        values = region.values()
        if values.size:
            mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
            near, far = mean - chain.sigma * deviation, mean + chain.sigma * deviation
            low, high = max(near, -math.inf if low is None else low), min(far, math.inf if high is None else high)
    if low is None and high is None:
        return
    core = region.mask[1:-1, 1:-1, 1:-1]
    for z, plane in enumerate(region.intensities):
        outside = np.zeros(plane.shape, np.bool_)
        if low is not None:
            outside |= plane < low
        if high is not None:
            outside |= plane > high
        core[z] &= np.where(outside, np.uint8(1), np.uint8(3))
