"""The compiled loops of `isocenter.kernels.interpolate`: each fills a share of the rows of the output.

References
----------
Unser, Aldroubi, Eden. B-spline signal processing: part II. IEEE Trans. Signal Process. 41 (1993) 834-848.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["linear_separable", "rows_cubic", "rows_label", "rows_linear", "rows_nearest"]


@numba.njit(cache=True, nogil=True)
def linear_separable(
    first: int, last: int, source: Any, zi: Any, zw: Any, zok: Any, yi: Any, yw: Any, yok: Any, xi: Any, xw: Any, xok: Any,
    fill: Any, extend: bool, out: Any,
) -> None:  # fmt: skip  # pragma: no cover - compiled
    """Interpolate linearly where axes map to axes: rows are mixed first, then sampled along the last axis by tables."""
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
def _lower(size: int, place: float) -> int:  # pragma: no cover - compiled
    """Return the lower of the two neighbours along an axis, which has an upper one unless there is only one sample."""
    return min(int(_held(size, place)), max(size - 2, 0))


@numba.njit(cache=True, nogil=True)
def _nearest(source: Any, z: float, y: float, x: float, work: Any) -> Any:  # pragma: no cover - compiled
    nz, ny, nx = source.shape
    return source[int(np.floor(_held(nz, z) + 0.5)), int(np.floor(_held(ny, y) + 0.5)), int(np.floor(_held(nx, x) + 0.5))]


@numba.njit(cache=True, nogil=True)
def _linear(source: Any, z: float, y: float, x: float, work: Any) -> float:  # pragma: no cover - compiled
    z, y, x = _held(source.shape[0], z), _held(source.shape[1], y), _held(source.shape[2], x)
    z0, y0, x0 = int(z), int(y), int(x)
    if z0 + 1 < source.shape[0] and y0 + 1 < source.shape[1] and x0 + 1 < source.shape[2]:
        fz, fy, fx = z - z0, y - y0, x - x0
        a = (source[z0, y0, x0] * (1.0 - fx) + source[z0, y0, x0 + 1] * fx) * (1.0 - fy)
        b = (source[z0, y0 + 1, x0] * (1.0 - fx) + source[z0, y0 + 1, x0 + 1] * fx) * fy
        c = (source[z0 + 1, y0, x0] * (1.0 - fx) + source[z0 + 1, y0, x0 + 1] * fx) * (1.0 - fy)
        d = (source[z0 + 1, y0 + 1, x0] * (1.0 - fx) + source[z0 + 1, y0 + 1, x0 + 1] * fx) * fy
        result = (a + b) * (1.0 - fz) + (c + d) * fz
        if result == result:  # a neighbour of weight zero may hold an infinity: then sample by sample, below
            return result
    total = 0.0
    for dz in range(2):
        wz = z - z0 if dz else 1.0 - (z - z0)
        if wz == 0.0:  # a neighbour of weight zero may lie outside
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
def rows_nearest(
    first: int, last: int, source: Any, m: Any, points: Any, fill: Any, extend: bool, out: Any
) -> None:  # pragma: no cover - compiled
    """Take the nearest sample."""
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
def _span(start: float, step: float, size: int, first: int, last: int) -> Any:  # pragma: no cover - compiled
    """Return the indices from `first` to `last` at which start + index * step lies between the first and last sample."""
    low, high = 1e-9, size - 1.0 - 1e-9
    if step == 0.0:
        return (first, last) if low <= start <= high else (first, first)
    one, two = (low - start) / step, (high - start) / step
    if one > two:
        one, two = two, one
    # Clipped before they become integers: far outside they may not fit.
    one, two = min(max(one, first - 1.0), last + 1.0), min(max(two, first - 1.0), last + 1.0)
    begin, end = max(first, int(np.ceil(one)) + 1), min(last, int(np.floor(two)))
    return (begin, end) if begin < end else (first, first)


@numba.njit(cache=True, nogil=True)
def rows_linear(
    first: int, last: int, source: Any, m: Any, points: Any, fill: Any, extend: bool, out: Any
) -> None:  # pragma: no cover - compiled
    """Mix the eight samples around linearly."""
    work = np.empty((3, 4))
    nz, ny, nx = source.shape
    flat = source.reshape(-1)
    plane = ny * nx
    for row in range(first, last):
        i, j = row // out.shape[1], row % out.shape[1]
        count = out.shape[2]
        begin, end = 0, 0
        if points.shape[0] == 0:  # along a row of a grid it is known beforehand where all eight neighbours are there
            z, y, x = _place(m, points, i, j, 0)
            begin, end = _span(z, m[0, 2], nz, 0, count)
            begin, end = _span(y, m[1, 2], ny, begin, end)
            begin, end = _span(x, m[2, 2], nx, begin, end)
        for k in range(begin, end):
            z, y, x = _place(m, points, i, j, k)
            z0, y0, x0 = int(z), int(y), int(x)
            fz, fy, fx = z - z0, y - y0, x - x0
            at = np.uint64(z0 * plane + y0 * nx + x0)
            p, r = at + np.uint64(plane), np.uint64(nx)
            one = np.uint64(1)
            a0, a1, b0, b1 = float(flat[at]), float(flat[at + one]), float(flat[at + r]), float(flat[at + r + one])
            c0, c1, d0, d1 = float(flat[p]), float(flat[p + one]), float(flat[p + r]), float(flat[p + r + one])
            a, b = a0 + (a1 - a0) * fx, b0 + (b1 - b0) * fx
            c, d = c0 + (c1 - c0) * fx, d0 + (d1 - d0) * fx
            low, high = a + (b - a) * fy, c + (d - c) * fy
            result = low + (high - low) * fz
            if result == result:
                out[i, j, k] = result
            else:  # a neighbour of weight zero may hold an infinity: then sample by sample
                out[i, j, k] = _linear(source, z, y, x, work)
        for k in range(count):
            if begin <= k < end:
                continue
            z, y, x = _place(m, points, i, j, k)
            if extend or _inside(source.shape, z, y, x):
                out[i, j, k] = _linear(source, z, y, x, work)
            else:
                out[i, j, k] = fill


@numba.njit(cache=True, nogil=True)
def rows_cubic(
    first: int, last: int, source: Any, m: Any, points: Any, fill: Any, extend: bool, out: Any
) -> None:  # pragma: no cover - compiled
    """Evaluate the spline of the coefficients in `source`."""
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
def rows_label(
    first: int, last: int, source: Any, m: Any, points: Any, fill: Any, extend: bool, out: Any
) -> None:  # pragma: no cover - compiled
    """Take the value with the largest linear weight."""
    work = np.empty((3, 4))
    nz, ny, nx = source.shape
    flat = source.reshape(-1)
    one, row_step, plane = np.uint64(1 if nx > 1 else 0), np.uint64(nx if ny > 1 else 0), np.uint64(ny * nx if nz > 1 else 0)
    for row in range(first, last):
        i, j = row // out.shape[1], row % out.shape[1]
        for k in range(out.shape[2]):
            z, y, x = _place(m, points, i, j, k)
            if not (extend or _inside(source.shape, z, y, x)):
                out[i, j, k] = fill
                continue
            # Within one label, where most samples lie, there is nothing to weigh.
            at = np.uint64((_lower(nz, z) * ny + _lower(ny, y)) * nx + _lower(nx, x))
            b, c, d = at + row_step, at + plane, at + plane + row_step
            v = flat[at]
            if (
                (v == flat[at + one]) & (v == flat[b]) & (v == flat[b + one]) & (v == flat[c])
                & (v == flat[c + one]) & (v == flat[d]) & (v == flat[d + one])
            ):  # fmt: skip
                out[i, j, k] = v
            else:
                out[i, j, k] = _label(source, z, y, x, work)
