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

import numba
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.core.dtype import working_dtype
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
        kept = data.dtype if data.dtype.newbyteorder("=") in (np.int16, np.uint16, np.uint8) else result
        return kernel_input(_three(np.ascontiguousarray(data)), kept), result
    coefficients = np.ascontiguousarray(data, dtype=result)
    for axis in range(coefficients.ndim):
        if coefficients.shape[axis] > 1:  # the mirror of a single sample is itself
            coefficients = ndimage.spline_filter1d(coefficients, 3, axis=axis, output=result, mode="mirror")
    return kernel_input(_three(coefficients)), result


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
    source, dtype = _prepared(data, method)
    inner, outer = data.ndim, len(tuple(shape))
    full = np.zeros((3, 4))
    full[3 - inner :, 3 - outer : 3] = matrix[:, :outer]
    full[3 - inner :, 3] = matrix[:, outer]
    full = snapped(full)
    size = (1,) * (3 - outer) + tuple(int(n) for n in shape)
    out = np.empty(size, dtype)
    value, extend = _fill_value(fill, dtype, method)
    linear = full[:, :3]
    if method == "linear" and np.count_nonzero(linear - np.diag(np.diag(linear))) == 0:
        tables = [part for k in range(3) for part in _axis_table(linear[k, k], full[k, 3], source.shape[k], size[k])]
        run_rows(_linear_separable, size[0] * size[1], threads, source, *tables, value, extend, out)
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


def _axis_table(step: float, start: float, size: int, count: int) -> tuple[Array, Array, Array]:
    """Return lower neighbour, weight of the upper one and whether inside, for every output index along one axis."""
    place = step * np.arange(count) + start
    inside = (place >= -0.5 - _SLACK) & (place <= size - 0.5 + _SLACK)
    held = np.clip(place, 0.0, size - 1.0)
    low = np.minimum(np.floor(held).astype(np.int64), max(size - 2, 0))
    return low, held - low, inside


@numba.njit(cache=True, nogil=True)
def _linear_separable(
    first: int, last: int, source: Any, zi: Any, zw: Any, zok: Any, yi: Any, yw: Any, yok: Any, xi: Any, xw: Any, xok: Any,
    fill: Any, extend: bool, out: Any,
) -> None:  # fmt: skip  # pragma: no cover - compiled
    ny, nx = out.shape[1], out.shape[2]
    width = source.shape[2]
    up_z, up_y, up_x = min(1, source.shape[0] - 1), min(1, source.shape[1] - 1), min(1, width - 1)
    kind = out.dtype.type
    line = np.empty(width, out.dtype)
    one = kind(1)
    for row in range(first, last):
        z, y = row // ny, row % ny
        if not extend and not (zok[z] and yok[y]):
            out[z, y, :] = fill
            continue
        z0, y0 = zi[z], yi[y]
        a, b = kind(zw[z]), kind(yw[y])
        # Weights of the four rows around; those of weight zero are left out, so that no infinity reaches past its sample.
        w00, w01, w10, w11 = (one - a) * (one - b), (one - a) * b, a * (one - b), a * b
        r00, r01 = source[z0, y0], source[z0, y0 + up_y]
        r10, r11 = source[z0 + up_z, y0], source[z0 + up_z, y0 + up_y]
        if a == 0 and b == 0:
            for x in range(width):
                line[x] = kind(r00[x])
        elif a == 0:
            for x in range(width):
                line[x] = w00 * kind(r00[x]) + w01 * kind(r01[x])
        elif b == 0:
            for x in range(width):
                line[x] = w00 * kind(r00[x]) + w10 * kind(r10[x])
        else:
            for x in range(width):
                line[x] = (w00 * kind(r00[x]) + w01 * kind(r01[x])) + (w10 * kind(r10[x]) + w11 * kind(r11[x]))
        for x in range(nx):
            if extend or xok[x]:
                low, c = xi[x], kind(xw[x])
                out[z, y, x] = line[low] if c == 0 else (one - c) * line[low] + c * line[low + up_x]
            else:
                out[z, y, x] = fill


@numba.njit(cache=True, nogil=True)
def _inside(shape: Any, z: float, y: float, x: float) -> bool:  # pragma: no cover - compiled
    low, high = -0.5 - 1e-6, -0.5 + 1e-6
    return low <= z <= shape[0] + high and low <= y <= shape[1] + high and low <= x <= shape[2] + high


@numba.njit(cache=True, nogil=True)
def _held(size: int, place: float) -> float:  # pragma: no cover - compiled
    return min(max(place, 0.0), size - 1.0)


@numba.njit(cache=True, nogil=True)
def _nearest(source: Any, z: float, y: float, x: float, work: Any) -> Any:  # pragma: no cover - compiled
    nz, ny, nx = source.shape
    return source[int(np.floor(_held(nz, z) + 0.5)), int(np.floor(_held(ny, y) + 0.5)), int(np.floor(_held(nx, x) + 0.5))]


@numba.njit(cache=True, nogil=True)
def _linear(source: Any, z: float, y: float, x: float, work: Any) -> float:  # pragma: no cover - compiled
    z, y, x = _held(source.shape[0], z), _held(source.shape[1], y), _held(source.shape[2], x)
    total = 0.0
    z0, y0, x0 = int(z), int(y), int(x)
    for dz in range(2):
        wz = z - z0 if dz else 1.0 - (z - z0)
        if wz == 0.0:  # a neighbour of weight zero may lie outside, or hold an infinity
            continue
        for dy in range(2):
            wy = y - y0 if dy else 1.0 - (y - y0)
            if wy == 0.0:
                continue
            for dx in range(2):
                wx = x - x0 if dx else 1.0 - (x - x0)
                if wx != 0.0:
                    total += wz * wy * wx * source[z0 + dz, y0 + dy, x0 + dx]
    return total


@numba.njit(cache=True, nogil=True)
def _label(source: Any, z: float, y: float, x: float, work: Any) -> Any:  # pragma: no cover - compiled
    z, y, x = _held(source.shape[0], z), _held(source.shape[1], y), _held(source.shape[2], x)
    z0, y0, x0 = int(z), int(y), int(x)
    values = np.zeros(8, source.dtype)
    weights = np.zeros(8)
    count = 0
    for dz in range(2):
        wz = z - z0 if dz else 1.0 - (z - z0)
        for dy in range(2):
            wy = y - y0 if dy else 1.0 - (y - y0)
            for dx in range(2):
                weight = wz * wy * (x - x0 if dx else 1.0 - (x - x0))
                if weight == 0.0:
                    continue
                value = source[z0 + dz, y0 + dy, x0 + dx]
                k = 0
                while k < count and values[k] != value:
                    k += 1
                if k == count:
                    values[k] = value
                    count += 1
                weights[k] += weight
    best = 0
    for k in range(1, count):
        # Equal weights go to the smaller value; sums of the same eighths may differ in the last bits.
        if weights[k] > weights[best] + 1e-12 or (weights[k] > weights[best] - 1e-12 and values[k] < values[best]):
            best = k
    return values[best]


@numba.njit(cache=True, nogil=True)
def _mirrored(k: int, size: int) -> int:  # pragma: no cover - compiled
    if size == 1:
        return 0
    period = 2 * size - 2
    k = abs(k) % period
    return k if k < size else period - k


@numba.njit(cache=True, nogil=True)
def _spline_weights(t: float, weights: Any) -> None:  # pragma: no cover - compiled
    s = 1.0 - t
    weights[0] = s * s * s / 6.0
    weights[1] = 2.0 / 3.0 - t * t * (2.0 - t) / 2.0
    weights[2] = 2.0 / 3.0 - s * s * (2.0 - s) / 2.0
    weights[3] = t * t * t / 6.0


@numba.njit(cache=True, nogil=True)
def _cubic(source: Any, z: float, y: float, x: float, work: Any) -> float:  # pragma: no cover - compiled
    nz, ny, nx = source.shape
    z0, y0, x0 = int(np.floor(z)), int(np.floor(y)), int(np.floor(x))
    _spline_weights(z - z0, work[0])
    _spline_weights(y - y0, work[1])
    _spline_weights(x - x0, work[2])
    total = 0.0
    for i in range(4):
        if nz == 1 and i:
            break  # an axis of one sample is its own spline
        wz = 1.0 if nz == 1 else work[0, i]
        zz = _mirrored(z0 - 1 + i, nz)
        for j in range(4):
            if ny == 1 and j:
                break
            wy = wz if ny == 1 else wz * work[1, j]
            yy = _mirrored(y0 - 1 + j, ny)
            if nx == 1:
                total += wy * source[zz, yy, 0]
                continue
            part = 0.0
            for k in range(4):
                part += work[2, k] * source[zz, yy, _mirrored(x0 - 1 + k, nx)]
            total += wy * part
    return total


@numba.njit(cache=True, nogil=True)
def _cubic_held(source: Any, z: float, y: float, x: float, work: Any) -> float:  # pragma: no cover - compiled
    return _cubic(source, _held(source.shape[0], z), _held(source.shape[1], y), _held(source.shape[2], x), work)


@numba.njit(cache=True, nogil=True)
def _place(m: Any, points: Any, i: int, j: int, k: int) -> Any:  # pragma: no cover - compiled
    """Where an output sample lies in the source: given point by point, or by the matrix where no points are."""
    if points.shape[0]:
        return points[i, 0], points[i, 1], points[i, 2]
    z = m[0, 0] * i + m[0, 1] * j + m[0, 3] + m[0, 2] * k
    y = m[1, 0] * i + m[1, 1] * j + m[1, 3] + m[1, 2] * k
    x = m[2, 0] * i + m[2, 1] * j + m[2, 3] + m[2, 2] * k
    return z, y, x


@numba.njit(cache=True, nogil=True)
def _rows_nearest(
    first: int, last: int, source: Any, m: Any, points: Any, fill: Any, extend: bool, out: Any
) -> None:  # pragma: no cover - compiled
    work = np.empty((3, 4))
    for row in range(first, last):
        i, j = row // out.shape[1], row % out.shape[1]
        for k in range(out.shape[2]):
            z, y, x = _place(m, points, i, j, k)
            if extend or _inside(source.shape, z, y, x):
                out[i, j, k] = _nearest(source, z, y, x, work)
            else:
                out[i, j, k] = fill


@numba.njit(cache=True, nogil=True)
def _rows_linear(
    first: int, last: int, source: Any, m: Any, points: Any, fill: Any, extend: bool, out: Any
) -> None:  # pragma: no cover - compiled
    work = np.empty((3, 4))
    for row in range(first, last):
        i, j = row // out.shape[1], row % out.shape[1]
        for k in range(out.shape[2]):
            z, y, x = _place(m, points, i, j, k)
            if extend or _inside(source.shape, z, y, x):
                out[i, j, k] = _linear(source, z, y, x, work)
            else:
                out[i, j, k] = fill


@numba.njit(cache=True, nogil=True)
def _rows_cubic(
    first: int, last: int, source: Any, m: Any, points: Any, fill: Any, extend: bool, out: Any
) -> None:  # pragma: no cover - compiled
    work = np.empty((3, 4))
    for row in range(first, last):
        i, j = row // out.shape[1], row % out.shape[1]
        for k in range(out.shape[2]):
            z, y, x = _place(m, points, i, j, k)
            if extend or _inside(source.shape, z, y, x):
                # Up to half a sample beyond the last one the spline goes on into its mirror image; farther out it is held.
                out[i, j, k] = _cubic_held(source, z, y, x, work) if extend else _cubic(source, z, y, x, work)
            else:
                out[i, j, k] = fill


@numba.njit(cache=True, nogil=True)
def _rows_label(
    first: int, last: int, source: Any, m: Any, points: Any, fill: Any, extend: bool, out: Any
) -> None:  # pragma: no cover - compiled
    work = np.empty((3, 4))
    for row in range(first, last):
        i, j = row // out.shape[1], row % out.shape[1]
        for k in range(out.shape[2]):
            z, y, x = _place(m, points, i, j, k)
            if extend or _inside(source.shape, z, y, x):
                out[i, j, k] = _label(source, z, y, x, work)
            else:
                out[i, j, k] = fill


_ROWS = {"nearest": _rows_nearest, "linear": _rows_linear, "cubic": _rows_cubic, "label": _rows_label}
