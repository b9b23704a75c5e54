"""Work on a coarser grid, and in the patient's axes: what needs no detail is decided where it is cheap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input, numba_threads

__all__ = ["block_mean", "enlarge", "enlarge_smooth", "factors_for", "to_patient_axes"]

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


@numba.njit(parallel=True, cache=True, nogil=True)
def _block_mean(array: Any, fz: int, fy: int, fx: int, result: Any) -> None:  # pragma: no cover - compiled
    for k in numba.prange(result.shape[0]):
        for j in range(result.shape[1]):
            for i in range(result.shape[2]):
                total, count = 0.0, 0
                for z in range(k * fz, min((k + 1) * fz, array.shape[0])):
                    for y in range(j * fy, min((j + 1) * fy, array.shape[1])):
                        for x in range(i * fx, min((i + 1) * fx, array.shape[2])):
                            total += array[z, y, x]
                            count += 1
                result[k, j, i] = total / count


def block_mean(array: npt.NDArray[Any], factors: Sequence[int], threads: int = 1) -> FloatArray:
    """Return the mean of every block of `factors` samples (the last blocks may be smaller), float32."""
    shape = tuple(-(-n // f) for n, f in zip(array.shape, factors, strict=True))
    result = np.empty(shape, dtype=np.float32)
    with numba_threads(threads):
        _block_mean(kernel_input(array), *(int(f) for f in factors), result)
    return result


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
