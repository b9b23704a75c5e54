"""Superpixels: samples gathered around a grid of centres by likeness and nearness (SLIC).

References
----------
Achanta et al. SLIC superpixels compared to state-of-the-art superpixel methods. IEEE Trans. PAMI 34 (2012) 2274-2282.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input

__all__ = ["slic"]


def slic(
    values: npt.NDArray[Any], count: int, compactness: float, spacing: Sequence[float], iterations: int = 10
) -> npt.NDArray[np.int32]:
    """Return about `count` connected superpixels, numbered 1, 2 ... in array order.

    Parameters
    ----------
    values
        Finite values, two or three axes.
    count
        How many are wanted.
    compactness
        What a distance of one superpixel's width weighs, in units of the values.
    spacing
        mm, array order: superpixels are as wide along every axis in mm.
    iterations
        Passes.
    """
    shape = (1,) * (3 - values.ndim) + values.shape
    data = kernel_input(values.reshape(shape), np.float32)
    steps = np.ones(3)
    steps[3 - values.ndim :] = spacing
    used = [k for k in range(3) if shape[k] > 1]
    if not used:
        return np.ones(values.shape, np.int32)
    width = float(np.prod([shape[k] * steps[k] for k in used]) / count) ** (1.0 / len(used))
    cells = [max(1, round(n * s / width)) for n, s in zip(shape, steps, strict=True)]
    axes = [(np.arange(c) + 0.5) * n / c - 0.5 for c, n in zip(cells, shape, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = tuple(np.rint(places).astype(np.int64).T)
    centers = np.column_stack([places, data[nearest]]).astype(np.float32)
    reach = np.array([int(np.ceil(width / s)) for s in steps], np.int64)
    weight = ((steps / width) * compactness).astype(np.float32) ** 2
    labels, best = np.zeros(shape, np.int32), np.empty(shape, np.float32)
    for _ in range(iterations):
        best[:] = np.inf
        _assign(data, centers, reach, weight, labels, best)
        if not _renew(data, labels, centers):
            break
    smallest = max(1, int(np.prod([n / c for n, c in zip(shape, cells, strict=True)]) / 4.0))
    result = np.zeros(shape, np.int32)
    _join(labels, smallest, result)
    return result.reshape(values.shape)


@numba.njit(cache=True, nogil=True)
def _assign(data: Any, centers: Any, reach: Any, weight: Any, labels: Any, best: Any) -> None:  # pragma: no cover - compiled
    for k in range(centers.shape[0]):
        cz, cy, cx, value = centers[k]
        z0, z1 = max(0, int(cz) - reach[0]), min(data.shape[0], int(cz) + reach[0] + 2)
        y0, y1 = max(0, int(cy) - reach[1]), min(data.shape[1], int(cy) + reach[1] + 2)
        x0, x1 = max(0, int(cx) - reach[2]), min(data.shape[2], int(cx) + reach[2] + 2)
        for z in range(z0, z1):
            far_z = weight[0] * (np.float32(z) - cz) ** 2
            for y in range(y0, y1):
                far_y = far_z + weight[1] * (np.float32(y) - cy) ** 2
                row, top, own = data[z, y], best[z, y], labels[z, y]
                for x in range(x0, x1):
                    far = far_y + weight[2] * (np.float32(x) - cx) ** 2 + (row[x] - value) ** 2
                    nearer = far < top[x]
                    top[x] = far if nearer else top[x]
                    own[x] = k if nearer else own[x]


@numba.njit(cache=True, nogil=True)
def _renew(data: Any, labels: Any, centers: Any) -> bool:  # pragma: no cover - compiled
    """Move the centres to the middle of their samples; return whether any moved."""
    sums = np.zeros((centers.shape[0], 5))
    for z in range(data.shape[0]):
        for y in range(data.shape[1]):
            for x in range(data.shape[2]):
                row = sums[labels[z, y, x]]
                row[0] += z
                row[1] += y
                row[2] += x
                row[3] += data[z, y, x]
                row[4] += 1.0
    moved = False
    for k in range(centers.shape[0]):
        if sums[k, 4] > 0.0:
            for j in range(4):
                value = np.float32(sums[k, j] / sums[k, 4])
                moved |= abs(value - centers[k, j]) > 1e-3
                centers[k, j] = value
    return moved


@numba.njit(cache=True, nogil=True)
def _join(labels: Any, smallest: int, result: Any) -> None:  # pragma: no cover - compiled
    """Give connected parts numbers of their own; join one that is too small to a part it touches."""
    depth, height, width = labels.shape
    stack = np.empty(labels.size, np.int64)
    plane = height * width
    count = 0
    for start in range(labels.size):
        z, y, x = start // plane, start // width % height, start % width
        if result[z, y, x]:
            continue
        # A part that was numbered earlier lies before this one along some axis, unless this is the first.
        beside = 0
        if x > 0:
            beside = result[z, y, x - 1]
        elif y > 0:
            beside = result[z, y - 1, x]
        elif z > 0:
            beside = result[z - 1, y, x]
        count += 1
        own = labels[z, y, x]
        result[z, y, x] = count
        stack[0], size, at = start, 1, 0
        while at < size:
            place = stack[at]
            at += 1
            pz, py, px = place // plane, place // width % height, place % width
            for step in range(6):
                nz, ny, nx = pz, py, px
                if step == 0:
                    nz -= 1
                elif step == 1:
                    nz += 1
                elif step == 2:
                    ny -= 1
                elif step == 3:
                    ny += 1
                elif step == 4:
                    nx -= 1
                else:
                    nx += 1
                inside = 0 <= nz < depth and 0 <= ny < height and 0 <= nx < width
                if inside and result[nz, ny, nx] == 0 and labels[nz, ny, nx] == own:
                    result[nz, ny, nx] = count
                    stack[size] = (nz * height + ny) * width + nx
                    size += 1
        if size < smallest and beside > 0:
            for k in range(size):
                place = stack[k]
                result[place // plane, place // width % height, place % width] = beside
            count -= 1
