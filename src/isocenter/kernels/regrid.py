"""Separable interpolation onto a regular grid, as the IBSI defines it: both grids share their centre.

References
----------
IBSI reference manual v11, section 2.4 (VTM2): interpolation, and the alignment of grid centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Axis", "axis_of", "regrid"]

#: Samples beyond which the prefilter of a cubic spline no longer feels an edge (0.268^24 is 2e-14).
_SPLINE_REACH = 24


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
    def positions(self) -> npt.NDArray[np.float64]:
        """Positions of the new samples, in old samples."""
        return self.start + self.step * np.arange(self.count)

    def cut(self, low: float, high: float) -> tuple[Axis, int]:
        """Return the part of the axis with positions from `low` to `high`, and the index where it begins."""
        first = max(0, int(np.ceil((low - self.start) / self.step - 1e-9)))
        last = min(self.count - 1, int(np.floor((high - self.start) / self.step + 1e-9)))
        return Axis(self.start + first * self.step, self.step, max(1, last - first + 1)), first


def axis_of(count: int, spacing: float, wanted: float) -> Axis:
    """Return the new axis for `count` samples of `spacing` mm, sampled every `wanted` mm.

    The number of samples is rounded up, and the centres of both grids coincide.
    """
    new = int(np.ceil(count * spacing / wanted - 1e-9))
    step = wanted / spacing
    return Axis((count - 1) / 2.0 - step * (new - 1) / 2.0, step, new)


def regrid(array: npt.NDArray[Any], axes: Sequence[Axis], order: int) -> npt.NDArray[np.float64]:
    """Return an array sampled on a new grid.

    Parameters
    ----------
    array
        Samples, edges extended by the nearest one.
    axes
        One per array axis.
    order
        0 nearest, 1 linear, 3 cubic B-spline (interpolating).

    Returns
    -------
    numpy.ndarray
        float64.
    """
    result = np.asarray(array, dtype=np.float64)
    for k, axis in enumerate(axes):
        result = _along(result, k, axis, order)
    return result


def _along(array: npt.NDArray[np.float64], k: int, axis: Axis, order: int) -> npt.NDArray[np.float64]:
    size = array.shape[k]
    positions = axis.positions
    if axis.count == size and np.array_equal(positions, np.arange(size)):
        return array
    if order == 0:
        index = np.clip(np.floor(positions + 0.5).astype(np.intp), 0, size - 1)
        return np.take(array, index, axis=k)
    # Only what the new samples need takes part; a spline's prefilter needs some more on both sides.
    reach = 2 if order == 1 else _SPLINE_REACH
    low = max(0, int(np.floor(positions[0])) - reach)
    high = min(size, int(np.ceil(positions[-1])) + reach + 1)
    part = np.take(array, np.arange(low, max(high, low + 1)), axis=k)
    inside = np.clip(positions, 0, size - 1) - low
    if order == 1:
        taps, weights = _linear(inside)
    else:
        part = ndimage.spline_filter1d(part, 3, axis=k, mode="mirror") if part.shape[k] > 1 else part
        taps, weights = _cubic(inside)
    shape = [1] * array.ndim
    shape[k] = len(positions)
    total: npt.NDArray[np.float64] | None = None
    for tap, weight in zip(taps, weights, strict=True):
        term = np.take(part, _mirrored(tap, part.shape[k]), axis=k) * weight.reshape(shape)
        total = term if total is None else total + term
    assert total is not None  # there is at least one tap
    return total


def _mirrored(index: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Return indices reflected at the first and last sample."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    folded = np.abs(index) % period
    return np.where(folded < size, folded, period - folded)


def _linear(positions: npt.NDArray[np.float64]) -> tuple[list[Any], list[Any]]:
    low = np.floor(positions).astype(np.intp)
    share = positions - low
    return [low, low + 1], [1.0 - share, share]


def _cubic(positions: npt.NDArray[np.float64]) -> tuple[list[Any], list[Any]]:
    low = np.floor(positions).astype(np.intp)
    t = positions - low
    weights = [(1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6]
    return [low - 1, low, low + 1, low + 2], weights
