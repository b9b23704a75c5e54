"""Run-length, size-zone, dependence and grey-tone features of the window around every sample.

A window is cut out of the levels and treated as a region of its own, so these maps cost a few microseconds a sample; for
co-occurrence there is the quicker `isocenter.kernels.texture.maps`.

References
----------
IBSI reference manual v11, sections 3.7 (TP0I), 3.8 (9SAK), 3.10 (IPET) and 3.11 (REK0).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.texture.emphasis import DEPENDENCES, RUNS, ZONES, emphasis_features
from isocenter.kernels.texture.tones import TONES
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["WINDOWED", "window_map"]

#: Feature -> (family, position in its list): runs, zones, dependences, tones.
WINDOWED: dict[str, tuple[int, int]] = {
    f"{prefix}_{name}": (family, k)
    for family, (prefix, names) in enumerate((("rlm", RUNS), ("szm", ZONES), ("ngl", DEPENDENCES), ("ngt", TONES)))
    for k, name in enumerate(names)
}


def window_map(
    levels: npt.NDArray[Any], feature: str, *, radius: int = 1, merged: bool = False, threads: int = 1
) -> npt.NDArray[np.float32]:
    """Return the map of one feature of the window around every sample of a region.

    Parameters
    ----------
    levels
        Shape (z, y, x) or (y, x): 0 outside the region, 1 and more inside. Only samples of the region take part.
    feature
        One of `WINDOWED`: ``rlm_`` runs, ``szm_`` zones, ``ngl_`` dependences, ``ngt_`` grey-tone differences.
    radius
        Samples from the middle of the window to its sides.
    merged
        Whether runs of all directions are counted together; else the feature is averaged over the directions.
    threads
        Threads to use; the result does not depend on it.

    Returns
    -------
    numpy.ndarray
        float32, shape of the levels; 0 outside the region and where the feature is not defined.
    """
    flat = levels.ndim == 2
    stack = kernel_input(levels[None] if flat else levels, np.int32)
    depth = 0 if flat else radius
    padded = np.zeros((stack.shape[0] + 2 * depth, stack.shape[1] + 2 * radius, stack.shape[2] + 2 * radius), np.int32)
    padded[tuple(slice(r, r + n) for r, n in zip((depth, radius, radius), stack.shape, strict=True))] = stack
    out = np.zeros(stack.shape, np.float32)
    family, place = WINDOWED[feature]
    steps = [(z, y, x) for z in (0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0) and not (flat and z)]
    directions = np.array(steps, np.int64)
    rows = stack.shape[0] * stack.shape[1]
    run_rows(_rows, rows, threads, kernel_input(padded), depth, radius, family, place, merged, directions, out)
    return out[0] if flat else out


@njit(cache=True, nogil=True)
def _rows(
    first: int, last: int, padded: Any, depth: int, radius: int, family: int, place: int, merged: bool, directions: Any, out: Any
) -> None:  # pragma: no cover - compiled
    side = 2 * radius + 1
    window = np.zeros((2 * depth + 3, side + 2, side + 2), np.int32)  # with an empty sample all around
    for row in range(first, last):
        z, y = row // out.shape[1], row % out.shape[1]
        for x in range(out.shape[2]):
            if padded[z + depth, y + radius, x + radius] == 0:
                continue
            window[1:-1, 1:-1, 1:-1] = padded[z : z + 2 * depth + 1, y : y + side, x : x + side]
            value = np.nan
            if family == 0:
                value = _of_runs(window, directions, merged, place)
            elif family == 1:
                value = _of_zones(window, depth > 0, place)
            elif family == 2:
                value = _of_dependences(window, depth > 0, place)
            else:
                value = _of_tones(window, depth > 0)[place]
            out[z, y, x] = value if np.isfinite(value) else 0.0


@njit(cache=True, nogil=True)
def _emphasis(level: Any, extent: Any, count: int, samples: float, place: int) -> float:  # pragma: no cover - compiled
    """Return one feature of entries that may repeat."""
    if count == 0:
        return np.nan
    span = extent[:count].max() + 1
    keys = np.sort(level[:count] * span + extent[:count])
    found = 0
    numbers = np.zeros(count, np.int64)
    for k in range(count):
        if k == 0 or keys[k] != keys[k - 1]:
            keys[found] = keys[k]
            found += 1
        numbers[found - 1] += 1
    value: float = emphasis_features(keys[:found] // span, keys[:found] % span, numbers[:found], samples)[place]
    return value


@njit(cache=True, nogil=True)
def _of_runs(window: Any, directions: Any, merged: bool, place: int) -> float:  # pragma: no cover - compiled
    level = np.empty(window.size * len(directions), np.int64)
    extent = np.empty(len(level), np.int64)
    total, used, count, inside = 0.0, 0, 0, 0
    for value in window.flat:
        inside += value > 0
    for d in range(len(directions)):
        dz, dy, dx = directions[d]
        for z in range(1, window.shape[0] - 1):
            for y in range(1, window.shape[1] - 1):
                for x in range(1, window.shape[2] - 1):
                    here = window[z, y, x]
                    if here == 0 or window[z - dz, y - dy, x - dx] == here:
                        continue
                    length = 1
                    while window[z + length * dz, y + length * dy, x + length * dx] == here:
                        length += 1
                    level[count], extent[count] = here, length
                    count += 1
        if not merged:
            total += _emphasis(level, extent, count, inside, place)
            used += 1
            count = 0
    if merged:
        return _emphasis(level, extent, count, inside * len(directions), place)
    return total / used


@njit(cache=True, nogil=True)
def _of_zones(window: Any, deep: bool, place: int) -> float:  # pragma: no cover - compiled
    left = window.copy()
    level, extent = np.empty(window.size, np.int64), np.empty(window.size, np.int64)
    stack = np.empty((window.size, 3), np.int64)
    count = inside = 0
    reach = 1 if deep else 0
    for z in range(1, window.shape[0] - 1):
        for y in range(1, window.shape[1] - 1):
            for x in range(1, window.shape[2] - 1):
                here = left[z, y, x]
                if here == 0:
                    continue
                left[z, y, x] = 0
                stack[0] = z, y, x
                waiting, size = 1, 0
                while waiting > 0:
                    waiting -= 1
                    size += 1
                    cz, cy, cx = stack[waiting]
                    for nz in range(cz - reach, cz + reach + 1):
                        for ny in range(cy - 1, cy + 2):
                            for nx in range(cx - 1, cx + 2):
                                if left[nz, ny, nx] == here:
                                    left[nz, ny, nx] = 0
                                    stack[waiting] = nz, ny, nx
                                    waiting += 1
                level[count], extent[count] = here, size
                count += 1
                inside += size
    return _emphasis(level, extent, count, inside, place)


@njit(cache=True, nogil=True)
def _of_dependences(window: Any, deep: bool, place: int) -> float:  # pragma: no cover - compiled
    level, extent = np.empty(window.size, np.int64), np.empty(window.size, np.int64)
    count = 0
    reach = 1 if deep else 0
    for z in range(1, window.shape[0] - 1):
        for y in range(1, window.shape[1] - 1):
            for x in range(1, window.shape[2] - 1):
                here = window[z, y, x]
                if here == 0:
                    continue
                alike = 0
                for nz in range(z - reach, z + reach + 1):
                    for ny in range(y - 1, y + 2):
                        for nx in range(x - 1, x + 2):
                            alike += window[nz, ny, nx] == here
                level[count], extent[count] = here, alike
                count += 1
    return _emphasis(level, extent, count, count, place)


@njit(cache=True, nogil=True)
def _of_tones(window: Any, deep: bool) -> Any:  # pragma: no cover - compiled
    """Return the five features, in the order of `TONES`, from the levels that are present alone."""
    levels = np.unique(window)
    number, away = np.zeros(len(levels)), np.zeros(len(levels))
    reach = 1 if deep else 0
    for z in range(1, window.shape[0] - 1):
        for y in range(1, window.shape[1] - 1):
            for x in range(1, window.shape[2] - 1):
                here = window[z, y, x]
                if here == 0:
                    continue
                total, near = -here, -1
                for nz in range(z - reach, z + reach + 1):
                    for ny in range(y - 1, y + 2):
                        for nx in range(x - 1, x + 2):
                            total += window[nz, ny, nx]
                            near += window[nz, ny, nx] > 0
                if near > 0:
                    k = np.searchsorted(levels, here)
                    number[k] += 1
                    away[k] += abs(here - total / near)
    out = np.full(5, np.nan)
    samples, present = number.sum(), int((number > 0).sum())
    if samples == 0:
        return out
    p = number / samples
    weighted, summed = (p * away).sum(), away.sum()
    spread = busy = complexity = strength = 0.0
    for i in range(len(levels)):
        for j in range(len(levels)):
            if p[i] > 0.0 and p[j] > 0.0:
                apart = abs(levels[i] - levels[j])
                spread += p[i] * p[j] * apart * apart
                busy += abs(levels[i] * p[i] - levels[j] * p[j])
                complexity += apart * (p[i] * away[i] + p[j] * away[j]) / (p[i] + p[j])
                strength += (p[i] + p[j]) * apart * apart
    out[0] = min(1e6, 1.0 / weighted) if weighted > 0.0 else 1e6
    out[1] = spread / (present * (present - 1)) * summed / samples if present > 1 else 0.0
    out[2] = weighted / busy if present > 1 and busy > 0.0 else 0.0
    out[3] = complexity / samples
    out[4] = strength / summed if summed > 0.0 else 0.0
    return out
