"""Grey-tone differences (NGTDM): how far levels lie from the mean of their neighbours, and the five features of that.

References
----------
IBSI reference manual v11, section 3.10 (IPET); Amadasun and King 1989.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["TONES", "tone_features"]

#: Feature -> IBSI code, in the order of `tone_features`.
TONES = {"coarseness": "QCDE", "contrast": "65HE", "busyness": "NQ30", "complexity": "HDEZ", "strength": "1X9X"}


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
