"""Co-occurrence features of the window around every sample, without ever making a matrix.

A window of radius 1 holds at most 18 pairs per direction. Most features are sums over the pairs; the others need to know
how often equal pairs occur, which a small table of the levels that are present answers. Matrices are symmetric, as the
IBSI defines them, so both marginals are one.

References
----------
IBSI reference manual v11, section 3.6 (LFYI); Haralick et al. 1973.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.texture.cooccurrence import COOCCURRENCE
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["MAPPED", "NEEDS_COUNT", "texture_maps"]

#: The features that can be mapped, in the order of `COOCCURRENCE`.
MAPPED: tuple[str, ...] = tuple(COOCCURRENCE)

#: Features that depend on the number of levels of the whole image.
NEEDS_COUNT = frozenset({"inv_diff_norm", "inv_diff_mom_norm"})

_JOINT = {"joint_max", "joint_entr", "energy", "info_corr1", "info_corr2"}
_DIFFERENCE = {"diff_entr"}
_SUM = {"sum_entr"}
_INVERSE = {"inv_diff", "inv_diff_norm", "inv_diff_mom", "inv_diff_mom_norm", "inv_var"}
_POWERS = {"sum_var", "clust_tend", "clust_shade", "clust_prom"}


def texture_maps(
    levels: npt.NDArray[Any],
    count: int,
    features: Sequence[str],
    *,
    radius: int = 1,
    distance: int = 1,
    merged: bool = False,
    threads: int = 1,
) -> npt.NDArray[np.float32]:
    """Return maps of co-occurrence features of the window around every sample of a region.

    Parameters
    ----------
    levels
        Shape (z, y, x) or (y, x): 0 outside the region, 1 to `count` inside. Only samples of the region take part.
    count
        Number of levels of the whole image.
    features
        Names out of `MAPPED`.
    radius
        Samples from the middle of the window to its sides.
    distance
        Samples between the two of a pair, along the 13 directions of space (4 of the plane).
    merged
        Whether the matrices of all directions are added up before features are taken; else features are averaged over
        the directions that have pairs.
    threads
        Threads to use; the result does not depend on it.

    Returns
    -------
    numpy.ndarray
        float32, one map of the levels' shape per feature; 0 outside the region and where a window has no pair.
    """
    flat = levels.ndim == 2
    stack = kernel_input(levels[None] if flat else levels, np.int32)
    window, pairs, ends = _pairs(radius, distance, flat)
    wanted = np.array([MAPPED.index(name) for name in features], np.int64)
    names = set(features)
    needs = np.array([bool(names & group) for group in (_JOINT, _INVERSE, _DIFFERENCE, _SUM, _POWERS)])
    most = 2 * len(pairs) + 2
    table = np.array([0.0] + [n * math.log2(n) for n in range(1, most)])
    padded = np.zeros((stack.shape[0] + 2 * (0 if flat else radius), *(n + 2 * radius for n in stack.shape[1:])), np.int32)
    inner = (slice(None) if flat else slice(radius, -radius), slice(radius, -radius), slice(radius, -radius))
    padded[inner] = stack
    out = np.zeros((len(wanted), *stack.shape), np.float32)
    run_rows(
        _maps, stack.shape[0] * stack.shape[1], threads,
        kernel_input(padded), count, window, pairs, ends, wanted, needs, merged, radius, table, _inverse(count), out,
    )  # fmt: skip
    return out[:, 0] if flat else out


def _pairs(radius: int, distance: int, flat: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the window's offsets (n, 3), its pairs as (m, 2) places in it by direction, and where each direction ends."""
    reach = [0 if flat else radius, radius, radius]
    window = [(z, y, x) for z in _span(reach[0]) for y in _span(reach[1]) for x in _span(reach[2])]
    place = {offset: k for k, offset in enumerate(window)}
    pairs, ends = [], []
    for step in [(z, y, x) for z in (0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)]:
        if step <= (0, 0, 0) or (flat and step[0]):
            continue
        for offset, k in place.items():
            other = place.get((offset[0] + distance * step[0], offset[1] + distance * step[1], offset[2] + distance * step[2]))
            if other is not None:
                pairs.append((k, other))
        ends.append(len(pairs))
    return np.array(window, np.int64), np.array(pairs, np.int64).reshape(-1, 2), np.array(ends, np.int64)


def _inverse(count: int) -> npt.NDArray[np.float64]:
    """Return what a pair of levels that are k apart adds to the four inverse-difference features, shape (4, count + 1)."""
    k = np.arange(count + 1, dtype=np.float64)
    return np.stack([1.0 / (1.0 + k), 1.0 / (1.0 + k / count), 1.0 / (1.0 + k * k), 1.0 / (1.0 + (k / count) ** 2)])


def _span(reach: int) -> range:
    return range(-reach, reach + 1)


@njit(cache=True, nogil=True)
def _maps(
    first: int, last: int, padded: Any, count: int, window: Any, pairs: Any, ends: Any, wanted: Any, needs: Any,
    merged: bool, radius: int, table: Any, inverse: Any, out: Any,
) -> None:  # pragma: no cover - compiled  # fmt: skip
    height, width = out.shape[2], out.shape[3]
    side = len(window)
    stride = padded.shape[2]
    plane = padded.shape[1] * stride
    flat = padded.ravel()
    shifts = window[:, 0] * plane + window[:, 1] * stride + window[:, 2]
    depth_radius = (padded.shape[0] - out.shape[1]) // 2
    values, ranks, rank_of, joint, seen, marginal, differences, sums = _scratch(side, count, len(pairs))
    acc = np.zeros(13)
    features = np.empty(25)
    total = np.empty(len(wanted))
    for row in range(first, last):
        z, y = row // height, row % height
        base = (z + depth_radius) * plane + (y + radius) * stride + radius
        for x in range(width):
            if flat[base + x] == 0:
                continue
            lowest, distinct = _look(flat, base + x, shifts, values, ranks, rank_of, needs[0])
            total[:] = 0.0
            used = 0
            begin = 0
            acc[:] = 0.0
            entries = 0
            for d in range(len(ends)):
                entries = _gather(
                    begin, ends[d], pairs, values, ranks, lowest, needs, inverse, acc, joint, seen, entries, marginal, differences, sums,
                )  # fmt: skip
                begin = ends[d]
                if merged and d < len(ends) - 1:
                    continue
                if acc[0] > 0.0:
                    _finish(
                        acc, lowest, needs, joint, seen, entries, marginal, differences, sums, table, features, distinct, count
                    )
                    for k in range(len(wanted)):
                        total[k] += features[wanted[k]]
                    used += 1
                acc[:] = 0.0
                entries = 0
            if used > 0:
                for k in range(len(wanted)):
                    out[k, z, y, x] = total[k] / used
            if needs[0]:
                for k in range(side):
                    rank_of[values[k]] = -1


@njit(cache=True, nogil=True)
def _scratch(side: int, count: int, pairs: int) -> Any:  # pragma: no cover - compiled
    """Return the working arrays of one thread; counters are 0 between windows."""
    window = np.empty((2, side), np.int64)
    joint = np.zeros((side, side), np.int64)
    seen = np.empty(pairs, np.int64)
    marginal = np.zeros(side, np.int64)
    differences = np.zeros(count + 1, np.int64)
    sums = np.zeros(2 * count + 1, np.int64)
    return window[0], window[1], np.full(count + 1, -1, np.int64), joint, seen, marginal, differences, sums


@njit(cache=True, nogil=True)
def _look(
    flat: Any, middle: int, shifts: Any, values: Any, ranks: Any, rank_of: Any, ranked: bool
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Read a window; returns its lowest level and, where levels are ranked, how many different ones it holds."""
    lowest = len(rank_of)
    distinct = 0
    for k in range(len(shifts)):
        v = flat[middle + shifts[k]]
        values[k] = v
        if v > 0:
            lowest = min(lowest, v)
            if ranked:
                if rank_of[v] < 0:
                    rank_of[v] = distinct
                    distinct += 1
                ranks[k] = rank_of[v]
    return lowest, distinct


@njit(cache=True, nogil=True)
def _gather(
    begin: int, end: int, pairs: Any, values: Any, ranks: Any, lowest: int, needs: Any, inverse: Any, acc: Any, joint: Any,
    seen: Any, entries: int, marginal: Any, differences: Any, sums: Any,
) -> int:  # pragma: no cover - compiled  # fmt: skip
    """Add the pairs of one direction to the sums, and count equal ones; returns the number of different pairs so far."""
    found = total = squares = products = apart = 0
    for p in range(begin, end):
        a, b = values[pairs[p, 0]], values[pairs[p, 1]]
        if a == 0 or b == 0:
            continue
        # Above the lowest level of the window, so that high powers of sums stay exact.
        i, j = a - lowest, b - lowest
        k = abs(i - j)
        s = i + j
        found += 1
        total += s
        squares += i * i + j * j
        products += i * j
        apart += k
        if needs[1]:
            acc[5] += inverse[0, k]
            acc[6] += inverse[1, k]
            acc[7] += inverse[2, k]
            acc[8] += inverse[3, k]
            if k > 0:
                acc[9] += 1.0 / (k * k)
        if needs[4]:
            square = float(s) * s
            acc[10] += square
            acc[11] += square * s
            acc[12] += square * square
        if needs[0]:
            one, two = ranks[pairs[p, 0]], ranks[pairs[p, 1]]
            marginal[one] += 1
            marginal[two] += 1
            if one > two:
                one, two = two, one
            if joint[one, two] == 0:
                seen[entries] = one * len(values) + two
                entries += 1
            joint[one, two] += 1
        if needs[2]:
            differences[k] += 1
        if needs[3]:
            sums[s] += 1
    acc[0] += found
    acc[1] += total
    acc[2] += squares
    acc[3] += products
    acc[4] += apart
    return entries


@njit(cache=True, nogil=True)
def _finish(
    acc: Any, lowest: int, needs: Any, joint: Any, seen: Any, entries: int, marginal: Any, differences: Any, sums: Any,
    table: Any, features: Any, distinct: int, count: int,
) -> None:  # pragma: no cover - compiled  # fmt: skip
    """Turn the sums into features, in the order of `COOCCURRENCE`, and empty the counters."""
    n = acc[0]
    mean = acc[1] / (2.0 * n)
    variance = max(0.0, acc[2] / (2.0 * n) - mean * mean)
    product = acc[3] / n
    away = acc[4] / n
    contrast = (acc[2] - 2.0 * acc[3]) / n
    two, three, four = acc[10] / n, acc[11] / n, acc[12] / n
    middle = 2.0 * mean
    tendency = max(0.0, two - middle * middle)
    shade = three - 3.0 * middle * two + 2.0 * middle**3
    prominence = four - 4.0 * middle * three + 6.0 * middle * middle * two - 3.0 * middle**4
    features[1], features[2] = mean + lowest, variance
    features[4], features[5] = away, max(0.0, contrast - away * away)
    features[7], features[8] = middle + 2.0 * lowest, tendency
    features[11], features[12] = contrast, away
    features[13], features[14], features[15], features[16] = acc[5] / n, acc[6] / n, acc[7] / n, acc[8] / n
    features[17] = acc[9] / n
    features[18] = (product - mean * mean) / variance if variance > 1e-12 * (1.0 + mean * mean) else 1.0
    features[19] = product + lowest * 2.0 * mean + float(lowest) * lowest
    features[20], features[21], features[22] = tendency, shade, prominence
    features[0] = features[3] = features[6] = features[9] = features[10] = features[23] = features[24] = 0.0
    if needs[0]:
        # n pairs are 2 n entries of the symmetric matrix: 2 c on the diagonal, c at both places off it.
        highest = square = inner = 0.0
        for e in range(entries):
            one, other = seen[e] // len(joint), seen[e] % len(joint)
            c = joint[one, other]
            joint[one, other] = 0
            if one == other:
                highest = max(highest, 2.0 * c)
                square += 4.0 * c * c
                inner += table[2 * c]
            else:
                highest = max(highest, float(c))
                square += 2.0 * c * c
                inner += 2.0 * table[c]
        whole = 2.0 * n
        entropy = np.log2(whole) - inner / whole
        outer = 0.0
        for k in range(distinct):
            outer += table[marginal[k]]
            marginal[k] = 0
        single = np.log2(whole) - outer / whole
        features[0], features[3], features[10] = highest / whole, entropy, square / (whole * whole)
        features[23] = (entropy - 2.0 * single) / single if single > 1e-12 else 0.0
        features[24] = np.sqrt(max(0.0, 1.0 - np.exp(-2.0 * (2.0 * single - entropy))))
    if needs[2]:
        features[6] = _entropy(differences, n, table)
    if needs[3]:
        features[9] = _entropy(sums, n, table)


@njit(cache=True, nogil=True)
def _entropy(counts: Any, n: float, table: Any) -> float:  # pragma: no cover - compiled
    """Return the entropy of counts that sum to n, and empty them."""
    left, inner, k = n, 0.0, 0
    while left > 0.0:
        if counts[k] > 0:
            inner += table[counts[k]]
            left -= counts[k]
            counts[k] = 0
        k += 1
    found: float = np.log2(n) - inner / n
    return found
