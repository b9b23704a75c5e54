"""Work on a coarser grid, and in the patient's axes: what needs no detail is decided where it is cheap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["block_mean", "draw", "enlarge", "enlarge_smooth", "factors_for", "to_patient_axes"]

FloatArray = npt.NDArray[np.float32]


def to_patient_axes(affine: npt.ArrayLike) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Return how a volume is turned so that its axes run to Superior, Posterior and Left.

    Parameters
    ----------
    affine
        Shape (4, 4), LPS, array order.

    Returns
    -------
    order : tuple of int
        For each of superior, posterior, left: the array axis that mostly runs along it.
    flipped : tuple of bool
        Whether that axis runs the other way.
    """
    steps = np.asarray(affine, dtype=np.float64)[:3, :3]
    directions = steps / np.linalg.norm(steps, axis=0)
    taken: dict[int, int] = {}
    # The strongest axis chooses first, so that an oblique volume never has one axis twice.
    for axis in sorted(range(3), key=lambda k: -float(np.abs(directions[:, k]).max())):
        free = [w for w in range(3) if w not in taken]
        taken[max(free, key=lambda w: (float(abs(directions[w, axis])), -w))] = axis
    order = tuple(taken[w] for w in (2, 1, 0))
    flipped = tuple(bool(directions[w, taken[w]] < 0) for w in (2, 1, 0))
    return order, flipped


def factors_for(shape: Sequence[int], spacing: Sequence[float], step: float) -> tuple[int, ...]:
    """Return how many samples along each axis make a block of about `step` mm (at least 1, at most the axis)."""
    return tuple(max(1, min(round(step / s), n)) for s, n in zip(spacing, shape, strict=True))


def _laid_out(view: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the samples of a turned and flipped volume in memory order, and where it begins and steps among them.

    So kernels read (and write) a volume in the patient's axes without a copy of it.
    """
    turned = view[tuple(slice(None, None, -1 if s < 0 else 1) for s in view.strides)]
    order = sorted(range(3), key=lambda k: -turned.strides[k])
    flat = turned.transpose(order)
    if not flat.flags.c_contiguous or flat.dtype.byteorder == ">":
        flat = np.ascontiguousarray(flat, dtype=flat.dtype.newbyteorder("="))
    steps = [0, 0, 0]
    for k, stride in zip(order, flat.strides, strict=True):
        steps[k] = stride // flat.itemsize if view.shape[k] > 1 else 0  # along a single sample a stride may be anything
    begin = 0
    for k in range(3):
        if view.strides[k] < 0:
            begin += (view.shape[k] - 1) * steps[k]
            steps[k] = -steps[k]
    return flat.reshape(-1), np.array([begin, *steps, *view.shape], np.int64)


@numba.njit(cache=True, nogil=True)
def _block_mean(
    first: int, last: int, flat: Any, at: Any, fz: int, fy: int, fx: int, result: Any
) -> None:  # pragma: no cover - compiled
    for k in range(first, last):
        for j in range(result.shape[1]):
            for i in range(result.shape[2]):
                total, count = 0.0, 0
                for z in range(k * fz, min((k + 1) * fz, at[4])):
                    for y in range(j * fy, min((j + 1) * fy, at[5])):
                        place = at[0] + z * at[1] + y * at[2]
                        for x in range(i * fx, min((i + 1) * fx, at[6])):
                            total += flat[place + x * at[3]]
                            count += 1
                result[k, j, i] = total / count


def block_mean(array: npt.NDArray[Any], factors: Sequence[int], threads: int = 1) -> FloatArray:
    """Return the mean of every block of `factors` samples (the last blocks may be smaller), float32."""
    shape = tuple(-(-n // f) for n, f in zip(array.shape, factors, strict=True))
    result = np.empty(shape, dtype=np.float32)
    flat, at = _laid_out(array)
    run_rows(_block_mean, shape[0], threads, kernel_input(flat), at, *(int(f) for f in factors), result)
    return result


def draw(
    hu: npt.NDArray[Any],
    codes: npt.NDArray[np.uint8],
    factors: Sequence[int],
    limits: tuple[float, float],
    out: npt.NDArray[np.uint8],
    value: int = 1,
    smooth: npt.NDArray[np.bool_] | None = None,
    threads: int = 1,
) -> None:
    """Draw what was decided block by block at full resolution: write `value` to samples of `out` that hold 0.

    Parameters
    ----------
    hu, out
        Volumes in the patient's axes, views of contiguous arrays of the same layout.
    codes
        Of every block: 1 takes all of its samples, 2 those above the lower limit, 4 those below the upper one, 8 those at
        which the interpolated `smooth` is more than a half; codes add up.
    factors
        Samples in a block.
    limits
        HU, as `codes` needs them.
    smooth
        A mask of blocks.
    """
    kind = hu.dtype.type if hu.dtype.kind == "f" else np.float64  # as numpy would compare
    flat, at = _laid_out(hu)
    target, same = _laid_out(out)
    assert np.array_equal(at, same) and np.may_share_memory(target, out)  # the caller allocates one like the other
    mixed = np.zeros((1, 1, 1), np.float32) if smooth is None else np.ascontiguousarray(smooth, dtype=np.float32)
    tables = [part for f, n, m in zip(factors, hu.shape, codes.shape, strict=True) for part in _between(f, n, m)]
    low, high = float(kind(limits[0])), float(kind(limits[1]))
    run_rows(_draw, hu.shape[0], threads, kernel_input(flat), at, np.ascontiguousarray(codes), mixed, *(int(f) for f in factors),
             *tables, low, high, np.uint8(value), target)  # fmt: skip


def _between(factor: int, length: int, count: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return the block before every sample, and the share of the next one, along an axis."""
    if factor == 1:
        return np.arange(length), np.zeros(length, np.float32)
    place = np.clip((np.arange(length) + 0.5) / factor - 0.5, 0.0, count - 1.0)
    low = np.minimum(place.astype(np.int64), max(count - 2, 0))
    return low, (place - low).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _draw(
    first: int, last: int, flat: Any, at: Any, codes: Any, smooth: Any, fz: int, fy: int, fx: int,
    zi: Any, zw: Any, yi: Any, yw: Any, xi: Any, xw: Any, low: float, high: float, value: Any, out: Any,
) -> None:  # fmt: skip  # pragma: no cover - compiled
    for z in range(first, last):
        for y in range(at[5]):
            place = at[0] + z * at[1] + y * at[2]
            row = codes[z // fz, y // fy]
            for i in range(row.size):
                code = row[i]
                if code == 0:
                    continue
                for x in range(i * fx, min((i + 1) * fx, at[6])):
                    k = place + x * at[3]
                    if out[k] != 0:
                        continue
                    take = (code & 1) != 0
                    if (code & 2) != 0 and flat[k] > low:
                        take = True
                    if (code & 4) != 0 and flat[k] < high:
                        take = True
                    if not take and (code & 8) != 0:
                        take = _mixed(smooth, zi[z], zw[z], yi[y], yw[y], xi[x], xw[x]) > np.float32(0.5)
                    if take:
                        out[k] = value


@numba.njit(cache=True, nogil=True, inline="always")
def _mixed(block: Any, z: int, a: Any, y: int, b: Any, x: int, c: Any) -> Any:  # pragma: no cover - compiled
    one = np.float32(1.0)
    zz, yy, xx = min(z + 1, block.shape[0] - 1), min(y + 1, block.shape[1] - 1), min(x + 1, block.shape[2] - 1)
    n0 = (block[z, y, x] * (one - a) + block[zz, y, x] * a) * (one - b)
    n0 += (block[z, yy, x] * (one - a) + block[zz, yy, x] * a) * b
    n1 = (block[z, y, xx] * (one - a) + block[zz, y, xx] * a) * (one - b)
    n1 += (block[z, yy, xx] * (one - a) + block[zz, yy, xx] * a) * b
    return n0 * (one - c) + n1 * c


def enlarge(coarse: npt.NDArray[Any], factors: Sequence[int], shape: Sequence[int]) -> npt.NDArray[Any]:
    """Return every block value repeated over its samples, cut to `shape`."""
    result = coarse
    for axis, (factor, length) in enumerate(zip(factors, shape, strict=True)):
        result = np.repeat(result, factor, axis=axis) if factor > 1 else result
        result = result[(slice(None),) * axis + (slice(0, length),)]
    return result


def enlarge_smooth(coarse: npt.NDArray[Any], factors: Sequence[int], shape: Sequence[int]) -> FloatArray:
    """Return block values interpolated linearly between block centres (and held at the ends), float32."""
    result = np.asarray(coarse, dtype=np.float32)
    for axis, (factor, length) in enumerate(zip(factors, shape, strict=True)):
        if factor == 1:
            continue
        count = result.shape[axis]
        place = np.clip((np.arange(length) + 0.5) / factor - 0.5, 0.0, count - 1.0)
        low = np.minimum(place.astype(np.int64), max(count - 2, 0))
        share = (place - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        high = np.minimum(low + 1, count - 1)
        result = result.take(low, axis=axis) * (1.0 - share) + result.take(high, axis=axis) * share
    return result
