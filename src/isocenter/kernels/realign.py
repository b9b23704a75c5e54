"""Rigid motion between two images of one object: Gauss-Newton on the mean square, coarse to fine.

Positions are in mm along the array axes, from the middle of the grid; a motion is a matrix that maps a place of the fixed
image to the place of the moving one that shows the same. Gain and offset of the moving image are fitted along, so that
contrast that comes and goes moves nothing.

References
----------
Friston et al. Spatial registration and normalization of images. Human Brain Mapping 3 (1995) 165-189.
Baker, Matthews. Lucas-Kanade 20 years on: a unifying framework. Int. J. Computer Vision 56 (2004) 221-255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.interpolate import Method, sample_affine
from isocenter.kernels.smooth import gaussian

__all__ = ["Motion", "index_map", "moved", "rigid_matrix", "rigid_motion"]

Array = npt.NDArray[Any]

#: Shortest axis of the coarsest grid.
_LEAST = 12
#: A step below this fraction of a sample (and of a radian at the rim) ends a level.
_DONE = 1e-3


@dataclass(frozen=True)
class Motion:
    """A rigid motion.

    Attributes
    ----------
    matrix
        Shape (n + 1, n + 1): places in mm from the middle, fixed to moving, n axes in array order.
    degrees
        Angle of the rotation.
    shift
        Displacement in mm of the middle, along the array axes.
    overlap
        Fraction of the fixed grid that the moving image covers.
    """

    matrix: npt.NDArray[np.float64]
    degrees: float
    shift: tuple[float, ...]
    overlap: float

    @property
    def distance(self) -> float:
        """Displacement of the middle in mm."""
        return float(np.linalg.norm(self.shift))

    def farthest(self, radius: float) -> float:
        """Return the largest displacement in mm within a distance in mm of the middle."""
        return self.distance + 2.0 * radius * float(np.sin(np.deg2rad(self.degrees) / 2.0))


def rigid_matrix(angles: Sequence[float], shift: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the matrix of a rotation followed by a shift.

    Parameters
    ----------
    angles
        Radians: one for two axes; for three a rotation vector in array order.
    shift
        mm along the array axes.
    """
    n = len(shift)
    matrix = np.eye(n + 1)
    if n == 2:
        c, s = np.cos(angles[0]), np.sin(angles[0])
        matrix[:2, :2] = [[c, -s], [s, c]]
    elif n == 3:
        size = float(np.linalg.norm(angles))
        k = np.array([[0.0, -angles[2], angles[1]], [angles[2], 0.0, -angles[0]], [-angles[1], angles[0], 0.0]])
        if size > 0.0:
            k /= size
            matrix[:3, :3] = np.eye(3) + np.sin(size) * k + (1.0 - np.cos(size)) * (k @ k)
    matrix[:n, n] = shift
    return matrix


def index_map(matrix: npt.NDArray[np.float64], shape: Sequence[int], spacing: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return a motion as a map of indices on one grid: shape (n, n + 1), as `sample_affine` takes it."""
    n = len(shape)
    steps = np.asarray(spacing, dtype=np.float64)
    middle = (np.asarray(shape, dtype=np.float64) - 1.0) / 2.0
    turn = matrix[:n, :n] * steps[None, :] / steps[:, None]
    offset = matrix[:n, n] / steps + middle - turn @ middle
    return np.concatenate([turn, offset[:, None]], axis=1)


def moved(
    array: Array, matrix: npt.NDArray[np.float64], spacing: Sequence[float], method: Method = "cubic", threads: int = 1
) -> Array:
    """Return an image brought onto the fixed grid: each sample is taken where the motion leads; edges are extended."""
    return sample_affine(array, index_map(matrix, array.shape, spacing), array.shape, method, None, threads)


def rigid_motion(
    fixed: Array,
    moving: Array,
    spacing: Sequence[float],
    *,
    iterations: int = 30,
    levels: int = 3,
    start: npt.NDArray[np.float64] | None = None,
    threads: int = 1,
) -> Motion:
    """Return the rigid motion that brings `moving` onto `fixed` with the smallest mean square.

    Parameters
    ----------
    fixed, moving
        Finite samples on one grid of two or three axes.
    spacing
        mm per sample, in array order.
    iterations
        Steps at each level, at most.
    levels
        Number of grids, each of half the samples of the one before.
    start
        Motion to begin with; default none.
    threads
        Threads to use; the result does not depend on it.
    """
    n = fixed.ndim
    matrix = np.eye(n + 1) if start is None else np.array(start, dtype=np.float64)
    one, two = fixed.astype(np.float64), moving.astype(np.float64)
    if float(np.ptp(one)) == 0.0 or float(np.ptp(two)) == 0.0 or np.array_equal(one, two):
        return _described(np.eye(n + 1), 1.0)
    overlap = 1.0
    for factor in (2**k for k in reversed(range(levels))):
        steps = [factor if size // factor >= _LEAST else max(1, min(factor, size // _LEAST)) for size in fixed.shape]
        if factor > 1 and max(steps) == 1:
            continue
        grid, sizes = _coarse(one, steps, spacing, threads)
        other, _ = _coarse(two, steps, spacing, threads)
        method: Method = "cubic" if factor == 1 else "linear"
        matrix, overlap = _level(grid, other, sizes, matrix, iterations, method, threads)
    return _described(matrix, overlap)


def _coarse(array: Array, steps: Sequence[int], spacing: Sequence[float], threads: int) -> tuple[Array, list[float]]:
    """Return an image smoothed and sampled every `steps`, around the same middle, and its spacing."""
    smooth = gaussian(array, [0.6 * s if n > 1 else 0.0 for s, n in zip(steps, array.shape, strict=True)], 3.0, threads)
    where = []
    for n, s in zip(array.shape, steps, strict=True):
        count = (n - 1) // s + 1
        where.append(((n - 1) / 2.0 - (count - 1) / 2.0 * s, count))
    n = array.ndim
    matrix = np.zeros((n, n + 1))
    matrix[:, :n] = np.diag([float(s) for s in steps])
    matrix[:, n] = [first for first, _ in where]
    small = smooth if max(steps) == 1 else sample_affine(smooth, matrix, [c for _, c in where], "linear", None, threads)
    return small, [float(s * d) for s, d in zip(steps, spacing, strict=True)]


def _level(
    fixed: Array,
    moving: Array,
    spacing: Sequence[float],
    matrix: npt.NDArray[np.float64],
    iterations: int,
    method: Method,
    threads: int,
) -> tuple[npt.NDArray[np.float64], float]:
    """Improve a motion on one grid; the slopes are those of the fixed image, which stay (inverse compositional)."""
    n, shape = fixed.ndim, fixed.shape
    jacobian = _jacobian(fixed, spacing)
    reach = max(float(d) * (s - 1) / 2.0 for d, s in zip(spacing, shape, strict=True))
    flat = fixed.reshape(-1)
    overlap = 1.0
    for _ in range(iterations):
        values = sample_affine(moving, index_map(matrix, shape, spacing), shape, method, np.nan, threads).reshape(-1)
        inside = np.isfinite(values)
        overlap = float(inside.mean())
        if overlap < 0.2:
            break
        seen = values[inside]
        # The moving image may be brighter: its values are brought to the fixed image's by gain and offset.
        centred = seen - seen.mean()
        power = float(centred @ centred)
        wanted = flat[inside]
        gain = float(centred @ (wanted - wanted.mean())) / power if power > 0 else 1.0
        if gain <= 0:
            gain = 1.0
        apart = gain * centred + wanted.mean() - wanted
        slopes = jacobian[inside]
        slopes = slopes - slopes.mean(axis=0)  # an offset explains none of the motion
        system = slopes.T @ slopes
        system += np.eye(len(system)) * 1e-9 * float(np.trace(system))
        change = np.linalg.solve(system, slopes.T @ apart)
        turns = len(change) - n
        step: Any = np.linalg.inv(rigid_matrix(change[:turns].tolist(), change[turns:].tolist()))
        matrix = np.asarray(matrix @ step, dtype=np.float64)
        matrix[:n, :n] = _orthogonal(matrix[:n, :n])
        small = max(float(np.abs(change[:turns]).max(initial=0.0)) * reach, float(np.abs(change[turns:]).max()))
        if small < _DONE * min(spacing):
            break
    return matrix, overlap


def _jacobian(fixed: Array, spacing: Sequence[float]) -> Array:
    """Return how every sample changes with each angle and shift, shape (samples, parameters)."""
    n = fixed.ndim
    slopes = []
    for axis in range(n):
        slope = np.gradient(fixed, spacing[axis], axis=axis) if fixed.shape[axis] > 1 else np.zeros(fixed.shape)
        slopes.append(slope)
    axes = [(np.arange(s) - (s - 1) / 2.0) * d for s, d in zip(fixed.shape, spacing, strict=True)]
    places = np.meshgrid(*axes, indexing="ij", sparse=True)
    if n == 2:
        turns = [slopes[1] * places[0] - slopes[0] * places[1]]
    else:
        turns = [
            slopes[2] * places[1] - slopes[1] * places[2],
            slopes[0] * places[2] - slopes[2] * places[0],
            slopes[1] * places[0] - slopes[0] * places[1],
        ]
    return np.stack([*turns, *slopes], axis=-1).reshape(-1, len(turns) + n)


def _orthogonal(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the rotation nearest to a matrix that rounding has moved off one."""
    left, _, right = np.linalg.svd(matrix)
    found: npt.NDArray[np.float64] = left @ right
    return found


def _described(matrix: npt.NDArray[np.float64], overlap: float) -> Motion:
    n = len(matrix) - 1
    trace = float(np.trace(matrix[:n, :n]))
    cosine = trace / 2.0 if n == 2 else (trace - 1.0) / 2.0
    degrees = float(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0)))) if n > 1 else 0.0
    return Motion(matrix, degrees, tuple(float(v) for v in matrix[:n, n]), overlap)
