"""Random walker: the probability that a walk, which avoids edges, meets the seeds of a label first.

The equations are solved by conjugate gradients that never build a matrix: six weights a sample are all there is.

References
----------
Grady. Random walks for image segmentation. IEEE Trans. PAMI 28 (2006) 1768-1783.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.labels import components

__all__ = ["random_walker"]

FloatArray = npt.NDArray[np.float32]

#: No edge is so strong that a walk could never cross it: every sample that a path joins to a seed gets a label.
_LEAST = np.float32(1e-6)


def random_walker(
    values: npt.NDArray[Any],
    seeds: npt.NDArray[np.integer[Any]],
    spacing: Sequence[float],
    stiffness: float,
    tolerance: float = 1e-3,
    iterations: int = 2000,
) -> npt.NDArray[np.int32]:
    """Return the most probable label of every sample.

    Parameters
    ----------
    values
        Finite values, one to three axes.
    seeds
        Labels 1 to k, 0 where unknown, below 0 where nothing is looked at.
    spacing
        mm, array order.
    stiffness
        A step of the values by d weighs ``exp(-stiffness * d ** 2)``.
    tolerance
        Residual relative to that at the beginning.
    iterations
        Most passes for each label.

    Returns
    -------
    numpy.ndarray
        Samples that no seed can reach stay 0.
    """
    shape = (1,) * (3 - values.ndim) + values.shape
    steps = np.concatenate([np.ones(3 - values.ndim), np.asarray(spacing, dtype=np.float64)])
    data = np.ascontiguousarray(values.reshape(shape), dtype=np.float32)
    where = np.ascontiguousarray(seeds.reshape(shape), dtype=np.int32)
    span = float(np.prod(steps[3 - values.ndim :]) ** (1.0 / values.ndim))
    # Walks are as likely to cross a face as it is large, and the less so the farther its neighbour is.
    along = [float((span / s) ** 2) for s in steps]
    weights = np.zeros((3, *(n + 1 for n in shape)), np.float32)
    _weights(data, where, np.float32(stiffness), np.float32(along[0]), np.float32(along[1]), np.float32(along[2]), weights)
    count = int(where.max(initial=0))
    best, top = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    rest = np.ones(shape, np.float32)
    for label in range(1, count + 1):
        if label < count:
            share = _solve(weights, where, label, tolerance, iterations)
            rest -= share
        else:  # the probabilities of all labels sum to one
            share = rest
        ahead = share > top
        best[ahead], top[ahead] = label, share[ahead]
    best[where > 0] = where[where > 0]
    parts, number = components(where >= 0, 6)
    seeded = np.zeros(number + 1, np.bool_)
    seeded[np.unique(parts[where > 0])] = True
    best[~seeded[parts] | (where < 0)] = 0
    return best.reshape(values.shape)


@numba.njit(cache=True, nogil=True)
def _weights(data: Any, where: Any, scale: Any, dz: Any, dy: Any, dx: Any, weights: Any) -> None:  # pragma: no cover - compiled
    """Fill the weight of each sample's link to the one before it along every axis."""
    for z in range(data.shape[0]):
        for y in range(data.shape[1]):
            for x in range(data.shape[2]):
                if where[z, y, x] < 0:
                    continue
                value = data[z, y, x]
                if z > 0 and where[z - 1, y, x] >= 0:
                    weights[0, z, y, x] = dz * (np.exp(-scale * (value - data[z - 1, y, x]) ** 2) + _LEAST)
                if y > 0 and where[z, y - 1, x] >= 0:
                    weights[1, z, y, x] = dy * (np.exp(-scale * (value - data[z, y - 1, x]) ** 2) + _LEAST)
                if x > 0 and where[z, y, x - 1] >= 0:
                    weights[2, z, y, x] = dx * (np.exp(-scale * (value - data[z, y, x - 1]) ** 2) + _LEAST)


def _solve(weights: FloatArray, where: npt.NDArray[np.int32], label: int, tolerance: float, iterations: int) -> FloatArray:
    """Return the probability of one label, by conjugate gradients with the diagonal as preconditioner."""
    shape = where.shape
    padded = tuple(n + 2 for n in shape)
    share = np.zeros(padded, np.float32)
    inner = (slice(1, -1),) * 3
    share[inner] = where == label
    product = np.zeros(shape, np.float32)
    diagonal = np.zeros(shape, np.float32)
    _diagonal(weights, where, diagonal)
    _apply(weights, share, product)
    free = (where == 0) & (diagonal > 0)
    residual = np.where(free, -product, np.float32(0.0))
    inverse = np.where(free, 1.0 / np.where(diagonal > 0, diagonal, 1.0), 0.0).astype(np.float32)
    direction = np.zeros(padded, np.float32)
    solution = share[inner].copy()
    energy = _start(residual, inverse, direction)
    limit = tolerance**2 * energy
    for _ in range(iterations):
        if energy <= limit or energy <= 0.0:
            break
        curvature = _apply_free(weights, direction, free, product)
        if curvature <= 0.0:
            break
        renewed = _advance(np.float32(energy / curvature), direction, product, inverse, solution, residual)
        _turn(np.float32(renewed / energy), residual, inverse, direction)
        energy = renewed
    result: FloatArray = np.clip(solution, 0.0, 1.0)
    return result


@numba.njit(cache=True, nogil=True)
def _diagonal(weights: Any, where: Any, out: Any) -> None:  # pragma: no cover - compiled
    depth, height, width = where.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                total = weights[0, z, y, x] + weights[1, z, y, x] + weights[2, z, y, x]
                total += weights[0, z + 1, y, x] + weights[1, z, y + 1, x] + weights[2, z, y, x + 1]
                out[z, y, x] = total


@numba.njit(cache=True, nogil=True)
def _apply(weights: Any, p: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Apply the Laplacian; `p` has one sample more on every side, and links beyond the edge weigh nothing."""
    depth, height, width = out.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                here = p[z + 1, y + 1, x + 1]
                total = weights[0, z, y, x] * (here - p[z, y + 1, x + 1])
                total += weights[0, z + 1, y, x] * (here - p[z + 2, y + 1, x + 1])
                total += weights[1, z, y, x] * (here - p[z + 1, y, x + 1])
                total += weights[1, z, y + 1, x] * (here - p[z + 1, y + 2, x + 1])
                total += weights[2, z, y, x] * (here - p[z + 1, y + 1, x])
                total += weights[2, z, y, x + 1] * (here - p[z + 1, y + 1, x + 2])
                out[z, y, x] = total


@numba.njit(cache=True, nogil=True)
def _apply_free(weights: Any, p: Any, free: Any, out: Any) -> float:  # pragma: no cover - compiled
    """Apply the Laplacian to what is unknown, and return the product of the result with its input."""
    _apply(weights, p, out)
    depth, height, width = out.shape
    total = 0.0
    for z in range(depth):
        for y in range(height):
            part: Any = np.float32(0.0)  # summed in rows: fast, and accurate enough over a row
            for x in range(width):
                out[z, y, x] = out[z, y, x] if free[z, y, x] else np.float32(0.0)
                part += out[z, y, x] * p[z + 1, y + 1, x + 1]
            total += part
    return total


@numba.njit(cache=True, nogil=True)
def _start(residual: Any, inverse: Any, direction: Any) -> float:  # pragma: no cover - compiled
    total = 0.0
    for z in range(residual.shape[0]):
        for y in range(residual.shape[1]):
            for x in range(residual.shape[2]):
                direction[z + 1, y + 1, x + 1] = residual[z, y, x] * inverse[z, y, x]
                total += residual[z, y, x] * direction[z + 1, y + 1, x + 1]
    return total


@numba.njit(cache=True, nogil=True)
def _advance(
    length: Any, direction: Any, product: Any, inverse: Any, solution: Any, residual: Any
) -> float:  # pragma: no cover - compiled
    total = 0.0
    for z in range(residual.shape[0]):
        for y in range(residual.shape[1]):
            part: Any = np.float32(0.0)  # summed in rows: fast, and accurate enough over a row
            for x in range(residual.shape[2]):
                solution[z, y, x] += length * direction[z + 1, y + 1, x + 1]
                left = residual[z, y, x] - length * product[z, y, x]
                residual[z, y, x] = left
                part += left * left * inverse[z, y, x]
            total += part
    return total


@numba.njit(cache=True, nogil=True)
def _turn(share: Any, residual: Any, inverse: Any, direction: Any) -> None:  # pragma: no cover - compiled
    for z in range(residual.shape[0]):
        for y in range(residual.shape[1]):
            for x in range(residual.shape[2]):
                near = residual[z, y, x] * inverse[z, y, x]
                direction[z + 1, y + 1, x + 1] = near + share * direction[z + 1, y + 1, x + 1]
