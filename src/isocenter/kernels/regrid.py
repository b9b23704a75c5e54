"""Separable interpolation onto a regular grid, as the IBSI defines it: both grids share their centre.

The new samples are made plane by plane, so that only the result and one plane are held at a time.

References
----------
IBSI reference manual v11, section 2.4 (VTM2): interpolation, and the alignment of grid centres.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Axis", "axis_of", "planes", "support"]

#: Samples beyond which the prefilter of a cubic spline no longer feels an edge (0.268^16 is 7e-10).
_SPLINE_REACH = 16

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """Where the samples of a new grid lie along one axis of the old one.

    Attributes
    ----------
    start
        Position of the first new sample, in old samples.
    step
        Old samples per new sample.
    count
        New samples.
    """

    start: float
    step: float
    count: int

    @property
    def positions(self) -> FloatArray:
        """Positions of the new samples, in old samples."""
        return self.start + self.step * np.arange(self.count, dtype=np.float64)

    def cut(self, low: float, high: float) -> tuple[int, int]:
        """Return the first and last (exclusive) new sample with a position from `low` to `high`, at least one."""
        first = min(max(0, int(np.ceil((low - self.start) / self.step - 1e-9))), self.count - 1)
        last = min(self.count - 1, int(np.floor((high - self.start) / self.step + 1e-9)))
        return first, max(first, last) + 1

    def part(self, first: int, last: int) -> Axis:
        """Return the new samples from `first` to `last` (exclusive)."""
        return Axis(self.start + first * self.step, self.step, last - first)

    @property
    def is_identity(self) -> bool:
        """Whether every new sample is an old one, in their order."""
        return self.step == 1.0 and self.start == int(self.start)


def axis_of(count: int, spacing: float, wanted: float | None) -> Axis:
    """Return the new axis for `count` samples of `spacing` mm, sampled every `wanted` mm (None: as it is).

    The number of samples is rounded up, and the centres of both grids coincide.
    """
    if wanted is None or abs(wanted - spacing) <= 1e-9 * spacing:
        return Axis(0.0, 1.0, count)
    new = int(np.ceil(count * spacing / wanted - 1e-9))
    step = wanted / spacing
    return Axis((count - 1) / 2.0 - step * (new - 1) / 2.0, step, new)


def support(axis: Axis, size: int, order: int) -> tuple[int, int]:
    """Return the first and last (exclusive) old sample that the new ones depend on."""
    if axis.is_identity:
        return int(axis.start), int(axis.start) + axis.count
    reach = {0: 1, 1: 1, 3: _SPLINE_REACH}[order]
    positions = axis.positions
    low, high = int(np.floor(positions[0])) - reach, int(np.ceil(positions[-1])) + reach + 1
    low = min(max(low, 0), size - 1)
    return low, max(min(high, size), low + 1)


def planes(array: npt.NDArray[Any], axes: Sequence[Axis], order: int) -> Iterator[FloatArray]:
    """Yield the planes of an array of three axes sampled on a new grid, float64.

    Parameters
    ----------
    array
        Samples, edges extended by the nearest one.
    axes
        One per array axis.
    order
        0 nearest, 1 linear, 3 cubic B-spline (interpolating).
    """
    bounds = [support(axis, size, order) for axis, size in zip(axes, array.shape, strict=True)]
    part = array[tuple(slice(a, b) for a, b in bounds)]
    taps = []
    for k, (axis, size, (low, high)) in enumerate(zip(axes, array.shape, bounds, strict=True)):
        if order == 3 and not axis.is_identity and part.shape[k] > 1:
            # Lines are filtered in float64 and kept in float32: 1e-7 of the value, far below what a sample is good for.
            part = ndimage.spline_filter1d(part, 3, axis=k, mode="mirror", output=np.float32)
        taps.append(_taps(axis, size, low, high - low, order))
    (iz, wz), (iy, wy), (ix, wx) = taps
    for z in range(axes[0].count):
        plane = wz[0][z] * part[iz[0][z]].astype(np.float64)
        for i, w in zip(iz[1:], wz[1:], strict=True):
            plane += w[z] * part[i[z]].astype(np.float64)
        plane = _along_rows(plane, iy, wy)
        yield np.ascontiguousarray(_along_rows(plane.T, ix, wx).T)


def _along_rows(plane: FloatArray, index: list[npt.NDArray[np.intp]], weights: list[FloatArray]) -> FloatArray:
    total = plane[index[0]] * weights[0][:, None]
    for i, w in zip(index[1:], weights[1:], strict=True):
        total += plane[i] * w[:, None]
    return total


def _taps(axis: Axis, size: int, low: int, length: int, order: int) -> tuple[list[Any], list[FloatArray]]:
    """Return the old samples that each new one is a weighted sum of, and their weights."""
    positions = axis.positions
    if axis.is_identity or order == 0:
        # Halfway between two samples the later one is taken, to within rounding.
        return [np.clip(np.floor(positions + 0.5 + 1e-9).astype(np.intp), 0, size - 1) - low], [np.ones(axis.count)]
    inside = np.clip(positions, 0, size - 1) - low
    first = np.floor(inside + 1e-9).astype(np.intp)
    t = np.maximum(inside - first, 0.0)
    if length == 1:  # weights of one sample add up to it, filtered or not
        return [np.zeros_like(first)], [np.ones(axis.count)]
    if order == 1:
        return [_mirrored(first + k, length) for k in (0, 1)], [1.0 - t, t]
    weights = [(1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6]
    return [_mirrored(first + k, length) for k in (-1, 0, 1, 2)], weights


def _mirrored(index: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Return indices reflected at the first and last sample of several."""
    period = 2 * (size - 1)
    folded = np.abs(index) % period
    return np.where(folded < size, folded, period - folded)
