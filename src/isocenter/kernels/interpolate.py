"""Sample an array at points between its samples: nearest, linear and cubic (B-spline).

A point inside the outermost samples, or up to half a sample beyond, takes the edge sample where its neighbourhood ends;
farther out is the fill value. Points come as an affine map of output to input indices, or one by one.

References
----------
Unser, Aldroubi, Eden. B-spline signal processing: part II. IEEE Trans. Signal Process. 41 (1993) 834-848.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.core.dtype import working_dtype
from isocenter.kernels.interpolate_rows import (
    linear_separable,
    rows_cubic,
    rows_label,
    rows_linear,
    rows_nearest,
)
from isocenter.kernels.spline_lines import spline_axis
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["Method", "Sampler", "sample_affine", "sample_points", "sampled_dtype", "snapped"]

Method = Literal["nearest", "linear", "cubic", "label"]
Array = npt.NDArray[Any]

_NO_POINTS = kernel_input(np.zeros((0, 3)))
_NO_MATRIX = np.zeros((3, 4))

#: How far outside the half-sample margin rounding may push a point that belongs to it, in samples.
_SLACK = 1e-6


def sampled_dtype(dtype: Any, method: Method) -> np.dtype[Any]:
    """Return the dtype that sampling gives: its own where values are only picked, the working one where they are mixed."""
    return np.dtype(dtype) if method in ("nearest", "label") else working_dtype(dtype)


def snapped(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return an index map with rounding noise taken off whole numbers, so that a grid on itself is exactly identity."""
    whole = np.rint(matrix)
    result: npt.NDArray[np.float64] = np.where(np.abs(matrix - whole) < 1e-9, whole, matrix)
    return result


def _three(array: Array) -> Array:
    """Return an array with leading axes of one sample up to three axes."""
    return array.reshape((1,) * (3 - array.ndim) + array.shape)


def _prepared(array: Array, method: Method) -> tuple[Array, np.dtype[Any]]:
    """Return an array as the kernels take it, and the dtype of what they give.

    Values that are only picked travel as unsigned integers of their width, so that few kernels need compiling.
    """
    data = np.asarray(array)
    result = sampled_dtype(data.dtype, method)
    if method in ("nearest", "label"):
        native = np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))
        return kernel_input(_three(native).view(f"u{native.dtype.itemsize}")), native.dtype
    if method == "linear":
        return _samples(data, result)
    coefficients = np.ascontiguousarray(data, dtype=result)
    for axis in range(coefficients.ndim):
        if coefficients.shape[axis] > 1:  # the mirror of a single sample is itself
            coefficients = ndimage.spline_filter1d(coefficients, 3, axis=axis, output=result, mode="mirror")
    return kernel_input(_three(coefficients)), result


def _samples(data: Array, result: np.dtype[Any]) -> tuple[Array, np.dtype[Any]]:
    """Return short integers as they are, and all else in the type of the result."""
    kept = data.dtype if data.dtype.newbyteorder("=") in (np.int16, np.uint16, np.uint8) else result
    return kernel_input(_three(np.ascontiguousarray(data)), kept), result


def sample_affine(
    array: npt.ArrayLike,
    matrix: npt.NDArray[np.float64],
    shape: Sequence[int],
    method: Method = "linear",
    fill: float | None = 0.0,
    threads: int = 1,
) -> Array:
    """Sample an array on a grid whose index maps affinely to the array's.

    Parameters
    ----------
    array
        One to three axes.
    matrix
        Shape (array axes, output axes + 1): input index = matrix @ (output index, 1).
    shape
        Samples per output axis, one to three.
    method
        ``nearest``, ``linear``, ``cubic`` (B-spline, may overshoot), or ``label`` (the value with the largest linear weight).
    fill
        Value outside; None extends the edge samples.
    threads
        Threads to use; the result does not depend on it.
    """
    data = np.asarray(array)
    inner, outer = data.ndim, len(tuple(shape))
    full = np.zeros((3, 4))
    full[3 - inner :, 3 - outer : 3] = matrix[:, :outer]
    full[3 - inner :, 3] = matrix[:, outer]
    full = snapped(full)
    size = (1,) * (3 - outer) + tuple(int(n) for n in shape)
    parallel = np.count_nonzero(full[:, :3] - np.diag(np.diag(full[:, :3]))) == 0
    # Along its own axes a spline is filtered and sampled in one go, from the samples as they are.
    source, dtype = (
        _samples(data, sampled_dtype(data.dtype, method)) if method == "cubic" and parallel else _prepared(data, method)
    )
    value, extend = _fill_value(fill, dtype, method)
    out = np.empty(size if method != "cubic" or not parallel else (0,), dtype)
    if method == "cubic" and parallel:
        out = _cubic_separable(source, dtype, full, size, value, extend, threads)
    elif method == "linear" and parallel:
        linear = full[:, :3]
        tables = [part for k in range(3) for part in _axis_table(linear[k, k], full[k, 3], source.shape[k], size[k])]
        run_rows(linear_separable, size[0] * size[1], threads, source, *tables, value, extend, out)
    else:
        run_rows(_ROWS[method], size[0] * size[1], threads, source, full, _NO_POINTS, value, extend, _as_bits(out, method))
    return out.reshape(tuple(int(n) for n in shape))


def _as_bits(out: Array, method: Method) -> Array:
    return out.view(f"u{out.dtype.itemsize}") if method in ("nearest", "label") else out


def _fill_value(fill: float | None, dtype: np.dtype[Any], method: Method) -> tuple[Any, bool]:
    """Return the fill value as a kernel takes it, and whether edges are extended instead."""
    value = np.array([0 if fill is None else fill]).astype(dtype)
    return _as_bits(value, method)[0], fill is None


def sample_points(
    array: npt.ArrayLike, index: npt.NDArray[np.float64], method: Method = "linear", fill: float | None = 0.0, threads: int = 1
) -> Array:
    """Sample an array at continuous indices of shape (..., axes); the parameters are those of `sample_affine`."""
    return Sampler(array, method, fill, threads)(index)


class Sampler:
    """An array prepared once and sampled at many sets of points."""

    def __init__(self, array: npt.ArrayLike, method: Method = "linear", fill: float | None = 0.0, threads: int = 1) -> None:
        self._source, self._dtype = _prepared(np.asarray(array), method)
        self._ndim = np.asarray(array).ndim
        self._method, self._fill, self._threads = method, fill, threads

    def __call__(self, index: npt.NDArray[np.float64]) -> Array:
        """Return the values at continuous indices of shape (..., axes)."""
        points = np.zeros((int(np.prod(index.shape[:-1])), 3))
        points[:, 3 - self._ndim :] = index.reshape(-1, self._ndim)
        out = np.empty(len(points), self._dtype)
        value, extend = _fill_value(self._fill, self._dtype, self._method)
        bits = _as_bits(out, self._method).reshape(-1, 1, 1)
        if len(points):
            run_rows(
                _ROWS[self._method],
                len(points),
                self._threads,
                self._source,
                _NO_MATRIX,
                kernel_input(points),
                value,
                extend,
                bits,
            )
        return out.reshape(index.shape[:-1])


def _cubic_separable(
    source: Array,
    dtype: np.dtype[Any],
    full: npt.NDArray[np.float64],
    size: tuple[int, ...],
    value: Any,
    extend: bool,
    threads: int,
) -> Array:
    """Return the spline on a grid whose axes are the array's: one axis after the other, that which shrinks most first."""
    result = source
    outside = [np.zeros(0, np.int64)] * 3
    for axis in sorted(range(3), key=lambda k: (size[k] / source.shape[k], k)):
        places, weights, inside = _spline_table(full[axis, axis], full[axis, 3], source.shape[axis], size[axis], extend)
        outside[axis] = np.flatnonzero(~inside)
        if source.shape[axis] == 1:  # a single sample is its own spline
            result = np.repeat(result, size[axis], axis=axis)
        elif full[axis, axis] != 1.0 or full[axis, 3] != 0.0 or size[axis] != source.shape[axis]:
            result = spline_axis(result, axis, places, weights, dtype, threads)
    result = np.array(result, dtype=dtype) if result.dtype != dtype or np.shares_memory(result, source) else result
    if not extend:
        result[outside[0]] = value
        result[:, outside[1]] = value
        result[:, :, outside[2]] = value
    return result


def _spline_table(step: float, start: float, size: int, count: int, extend: bool) -> tuple[Array, Array, Array]:
    """Return which coefficients, mirrored at the ends, every output index mixes, with their weights, and whether inside."""
    place = step * np.arange(count) + start
    inside = (place >= -0.5 - _SLACK) & (place <= size - 0.5 + _SLACK)
    if size == 1:
        return np.zeros((count, 1), np.int64), np.ones((count, 1)), inside
    place = np.clip(place, 0.0, size - 1.0) if extend else np.clip(place, -0.5 - _SLACK, size - 0.5 + _SLACK)
    low = np.floor(place)
    t = place - low
    s = 1.0 - t
    weights = np.stack([s**3 / 6, 2 / 3 - t * t * (2 - t) / 2, 2 / 3 - s * s * (2 - s) / 2, t**3 / 6], axis=1)
    period = 2 * size - 2
    index = np.abs(low[:, None].astype(np.int64) + np.arange(-1, 3)) % period
    return np.where(index < size, index, period - index), weights, inside


def _axis_table(step: float, start: float, size: int, count: int) -> tuple[Array, Array, Array]:
    """Return lower neighbour, weight of the upper one and whether inside, for every output index along one axis."""
    place = step * np.arange(count) + start
    inside = (place >= -0.5 - _SLACK) & (place <= size - 0.5 + _SLACK)
    held = np.clip(place, 0.0, size - 1.0)
    low = np.minimum(np.floor(held).astype(np.int64), max(size - 2, 0))
    return low, held - low, inside


_ROWS = {"nearest": rows_nearest, "linear": rows_linear, "cubic": rows_cubic, "label": rows_label}
