"""Grey-level co-occurrence (GLCM): the 25 features of a matrix.

References
----------
IBSI reference manual v11, section 3.6 (LFYI); Haralick et al. 1973.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["COOCCURRENCE", "cooccurrence_features"]

#: Feature -> IBSI code, in the order of `cooccurrence_features`.
COOCCURRENCE = {
    "joint_max": "GYBY", "joint_avg": "60VM", "joint_var": "UR99", "joint_entr": "TU9B", "diff_avg": "TF7R",
    "diff_var": "D3YU", "diff_entr": "NTRS", "sum_avg": "ZGXS", "sum_var": "OEEB", "sum_entr": "P6QZ",
    "energy": "8ZQL", "contrast": "ACUI", "dissimilarity": "8S9J", "inv_diff": "IB1Z", "inv_diff_norm": "NDRX",
    "inv_diff_mom": "WF0Z", "inv_diff_mom_norm": "1QCO", "inv_var": "E8JP", "corr": "NI2N", "auto_corr": "QWB0",
    "clust_tend": "DG8W", "clust_shade": "7NFM", "clust_prom": "AE86", "info_corr1": "R8DG", "info_corr2": "JN9H",
}  # fmt: skip

Counts = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def _of_marginal(marginal: Any, mean: float) -> tuple[float, float]:  # pragma: no cover
    """Return variance and entropy of the levels."""
    variance = entropy = 0.0
    for i in range(len(marginal)):
        variance += (i + 1 - mean) ** 2 * marginal[i]
        if marginal[i] > 0.0:
            entropy -= marginal[i] * np.log2(marginal[i])
    return variance, entropy


@njit(cache=True, nogil=True)
def _of_differences(difference: Any) -> tuple[float, float, float, float]:  # pragma: no cover
    """Return mean, mean square, entropy and variance of the differences of levels."""
    mean = square = entropy = variance = 0.0
    for k in range(len(difference)):
        mean += k * difference[k]
        square += k * k * difference[k]
        if difference[k] > 0.0:
            entropy -= difference[k] * np.log2(difference[k])
    for k in range(len(difference)):
        variance += (k - mean) ** 2 * difference[k]
    return mean, square, entropy, variance


@njit(cache=True, nogil=True)
def _of_sums(sums: Any, level_mean: float) -> tuple[float, float, float, float, float]:  # pragma: no cover
    """Return mean, entropy and variance of the sums of levels, and their third and fourth moment about twice the mean level."""
    mean = entropy = variance = shade = prominence = 0.0
    for k in range(len(sums)):
        mean += (k + 2) * sums[k]
        if sums[k] > 0.0:
            entropy -= sums[k] * np.log2(sums[k])
    for k in range(len(sums)):
        away = k + 2 - mean
        variance += away**2 * sums[k]
        away = k + 2 - 2.0 * level_mean
        shade += away**3 * sums[k]
        prominence += away**4 * sums[k]
    return mean, entropy, variance, shade, prominence


@njit(cache=True, nogil=True)
def cooccurrence_features(counts: Counts) -> npt.NDArray[np.float64]:  # pragma: no cover
    """Return the 25 features of one symmetric matrix, in the order of `COOCCURRENCE`; NaN of an empty one."""
    n = len(counts)
    out = np.full(25, np.nan)
    total = 0.0
    for i in range(n):
        for j in range(n):
            total += counts[i, j]
    if total == 0.0:
        return out
    marginal = np.zeros(n)
    difference = np.zeros(n)
    sums = np.zeros(2 * n - 1)
    highest = mean = joint_entropy = energy = 0.0
    inv_norm = inv_mom = inv_mom_norm = inv_diff = inv_var = auto = 0.0
    for i in range(n):
        for j in range(n):
            if counts[i, j] == 0:
                continue
            p = counts[i, j] / total
            marginal[i] += p
            k = abs(i - j)
            difference[k] += p
            sums[i + j] += p
            highest = max(highest, p)
            mean += (i + 1) * p
            joint_entropy -= p * np.log2(p)
            energy += p * p
            inv_diff += p / (1.0 + k)
            inv_norm += p / (1.0 + k / n)
            inv_mom += p / (1.0 + k * k)
            inv_mom_norm += p / (1.0 + k * k / (n * n))
            if i < j:
                inv_var += 2.0 * p / (k * k)
            auto += (i + 1.0) * (j + 1.0) * p
    variance, marginal_entropy = _of_marginal(marginal, mean)
    diff_mean, diff_square, diff_entropy, diff_var = _of_differences(difference)
    sum_mean, sum_entropy, sum_var, shade, prominence = _of_sums(sums, mean)
    # The marginals of a symmetric matrix are one and the same, so both cross entropies are twice theirs.
    shared = 2.0 * marginal_entropy
    out[0], out[1], out[2], out[3] = highest, mean, variance, joint_entropy
    out[4], out[5], out[6] = diff_mean, diff_var, diff_entropy
    out[7], out[8], out[9] = sum_mean, sum_var, sum_entropy
    out[10], out[11], out[12] = energy, diff_square, diff_mean
    out[13], out[14], out[15], out[16], out[17] = inv_diff, inv_norm, inv_mom, inv_mom_norm, inv_var
    # A flat region correlates perfectly with itself; the IBSI sets 1 there.
    out[18] = (auto - mean * mean) / variance if variance > 0.0 else 1.0
    out[19], out[20], out[21], out[22] = auto, sum_var, shade, prominence
    # Without any information there is none to share: 0 by convention, as a limit from above.
    out[23] = (joint_entropy - shared) / marginal_entropy if marginal_entropy > 0.0 else 0.0
    out[24] = np.sqrt(max(0.0, 1.0 - np.exp(-2.0 * (shared - joint_entropy))))
    return out
