"""Neighbourhoods of every sample: grey-tone differences (NGTDM) and like neighbours (NGLDM), in one pass.

References
----------
IBSI reference manual v11, sections 3.10 (IPET) and 3.11 (REK0); Amadasun and King 1989; Sun and Wee 1983.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["TONES", "neighbours", "tone_features"]

#: Feature -> IBSI code, in the order of `tone_features`.
TONES = {"coarseness": "QCDE", "contrast": "65HE", "busyness": "NQ30", "complexity": "HDEZ", "strength": "1X9X"}


@njit(cache=True, nogil=True)
def neighbours(
    levels: npt.NDArray[np.int32], count: int, in_plane: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:  # pragma: no cover
    """Return the neighbourhood statistics of a region.

    Parameters
    ----------
    levels
        Discretised region (see the package).
    count
        Number of levels n.
    in_plane
        8 neighbours in the slice instead of 26 in space.

    Returns
    -------
    occurrences
        int64 (n,): samples of each level that have a neighbour in the region.
    differences
        float64 (n,): their summed distances from the mean of their neighbours.
    dependences
        int64 (n, 27): entry [i, k] counts samples of level i + 1 with k like neighbours.
    """
    depth, height, width = levels.shape
    occurrences = np.zeros(count, np.int64)
    differences = np.zeros(count)
    dependences = np.zeros((count, 27), np.int64)
    reach = 0 if in_plane else 1
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                here = levels[z, y, x]
                if here == 0:
                    continue
                total = inside = alike = 0
                for dz in range(max(0, z - reach), min(depth, z + reach + 1)):
                    for dy in range(max(0, y - 1), min(height, y + 2)):
                        for dx in range(max(0, x - 1), min(width, x + 2)):
                            other = levels[dz, dy, dx]
                            if other > 0:
                                total += other
                                inside += 1
                                if other == here:
                                    alike += 1
                inside -= 1
                dependences[here - 1, alike - 1] += 1
                if inside > 0:
                    occurrences[here - 1] += 1
                    differences[here - 1] += abs(here - (total - here) / inside)
    return occurrences, differences, dependences


@njit(cache=True, nogil=True)
def tone_features(
    occurrences: npt.NDArray[np.int64], differences: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:  # pragma: no cover
    """Return the five features of a grey-tone difference matrix, in the order of `TONES`.

    A flat region has coarseness 10^6 (its limit is infinite), and contrast, busyness, complexity and strength 0,
    as the IBSI sets them.
    """
    out = np.full(5, np.nan)
    total = 0.0
    present = 0
    for n in occurrences:
        total += n
        present += n > 0
    if total == 0.0:
        return out
    n = len(occurrences)
    p = occurrences / total
    weighted = spread = summed = 0.0
    for i in range(n):
        weighted += p[i] * differences[i]
        summed += differences[i]
        for j in range(n):
            spread += p[i] * p[j] * (i - j) ** 2
    busy = complexity = strength = 0.0
    for i in range(n):
        if p[i] == 0.0:
            continue
        for j in range(n):
            if p[j] == 0.0:
                continue
            busy += abs((i + 1) * p[i] - (j + 1) * p[j])
            complexity += abs(i - j) * (p[i] * differences[i] + p[j] * differences[j]) / (p[i] + p[j])
            strength += (p[i] + p[j]) * (i - j) ** 2
    out[0] = min(1e6, 1.0 / weighted) if weighted > 0.0 else 1e6
    out[1] = spread / (present * (present - 1)) * summed / total if present > 1 else 0.0
    out[2] = weighted / busy if present > 1 and busy > 0.0 else 0.0
    out[3] = complexity / total
    out[4] = strength / summed if summed > 0.0 else 0.0
    return out
