"""Features of every matrix that counts (level, extent) pairs: runs, zones, distance zones, dependences.

They share their formulae and differ in what the extent is: the length of a run, the size of a zone, the
distance of a zone from the border, the number of like neighbours. Matrices are kept as sparse triples, since
the size of a zone has no useful bound.

References
----------
IBSI reference manual v11, sections 3.7 (TP0I), 3.8 (9SAK), 3.9 (VMDZ), 3.11 (REK0).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["DEPENDENCES", "DISTANCES", "EMPHASIS", "RUNS", "ZONES", "emphasis_features", "sparse"]

#: Order of `emphasis_features`; `extent` stands for the run, zone, distance or dependence.
EMPHASIS = (
    "short", "long", "low", "high", "short_low", "short_high", "long_low", "long_high",
    "level_nonuniformity", "level_nonuniformity_norm", "extent_nonuniformity", "extent_nonuniformity_norm",
    "percentage", "level_variance", "extent_variance", "entropy", "energy",
)  # fmt: skip

#: IBSI tag -> code, in the order of `EMPHASIS`.
RUNS = {
    "sre": "22OV", "lre": "W4KF", "lgre": "V3SW", "hgre": "G3QZ", "srlge": "HTZT", "srhge": "GD3A", "lrlge": "IVPO",
    "lrhge": "3KUM", "glnu": "R5YN", "glnu_norm": "OVBL", "rlnu": "W92Y", "rlnu_norm": "IC23", "r_perc": "9ZK5",
    "gl_var": "8CE5", "rl_var": "SXLW", "rl_entr": "HJ9O",
}  # fmt: skip
ZONES = {
    "sze": "5QRC", "lze": "48P8", "lgze": "XMSY", "hgze": "5GN9", "szlge": "5RAI", "szhge": "HW1V", "lzlge": "YH51",
    "lzhge": "J17V", "glnu": "JNSA", "glnu_norm": "Y1RO", "zsnu": "4JP3", "zsnu_norm": "VB3A", "z_perc": "P30P",
    "gl_var": "BYLV", "zs_var": "3NSA", "zs_entr": "GU8N",
}  # fmt: skip
DISTANCES = {
    "sde": "0GBI", "lde": "MB4I", "lgze": "S1RA", "hgze": "K26C", "sdlge": "RUVG", "sdhge": "DKNJ", "ldlge": "A7WM",
    "ldhge": "KLTH", "glnu": "VFT7", "glnu_norm": "7HP3", "zdnu": "V294", "zdnu_norm": "IATH", "z_perc": "VIWW",
    "gl_var": "QK93", "zd_var": "7WT1", "zd_entr": "GBDU",
}  # fmt: skip
DEPENDENCES = {
    "lde": "SODN", "hde": "IMOQ", "lgce": "TL9H", "hgce": "OAE7", "ldlge": "EQ3F", "ldhge": "JA6D", "hdlge": "NBZI",
    "hdhge": "9QMG", "glnu": "FP8K", "glnu_norm": "5SPA", "dcnu": "Z87G", "dcnu_norm": "OKJI", "dc_perc": "6XV8",
    "gl_var": "1PFV", "dc_var": "DNX2", "dc_entr": "FCBV", "dc_energy": "CAS9",
}  # fmt: skip

Triples = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def sparse(matrix: npt.NDArray[np.int64], first_extent: int = 1) -> Triples:
    """Return a dense (level, extent) matrix as (level, extent, count) of its entries that are not zero."""
    level, extent = np.nonzero(matrix)
    return level + 1, extent + first_extent, matrix[level, extent]


@njit(cache=True, nogil=True)
def emphasis_features(
    level: npt.NDArray[np.int64], extent: npt.NDArray[np.int64], count: npt.NDArray[np.int64], samples: float
) -> npt.NDArray[np.float64]:  # pragma: no cover
    """Return the features of a sparse (level, extent) matrix, in the order of `EMPHASIS`.

    Parameters
    ----------
    level, extent, count
        Shape (m,): the entries of the matrix; each (level, extent) occurs once.
    samples
        Number of samples that could have started one (samples of the region times merged directions).

    Returns
    -------
    numpy.ndarray
        Shape (17,); NaN of an empty matrix.
    """
    out = np.full(17, np.nan)
    total = 0.0
    for k in range(len(count)):
        total += count[k]
    if total == 0.0:
        return out
    values = np.zeros(17)
    by_level = np.zeros(level.max() + 1)
    level_mean = extent_mean = 0.0
    for k in range(len(count)):
        g, e, n = float(level[k]), float(extent[k]), float(count[k])
        gg, ee = g * g, e * e
        values[0] += n / ee
        values[1] += n * ee
        values[2] += n / gg
        values[3] += n * gg
        values[4] += n / (gg * ee)
        values[5] += n * gg / ee
        values[6] += n * ee / gg
        values[7] += n * gg * ee
        by_level[level[k]] += n
        level_mean += g * n
        extent_mean += e * n
        p = n / total
        values[15] -= p * np.log2(p)
        values[16] += p * p
    level_mean /= total
    extent_mean /= total
    for k in range(8):
        values[k] /= total
    for n in by_level:
        values[8] += n * n
    values[8] /= total
    values[10] = _squares_by_extent(extent, count) / total
    values[9] = values[8] / total
    values[11] = values[10] / total
    values[12] = total / samples
    for k in range(len(count)):
        p = count[k] / total
        values[13] += p * (level[k] - level_mean) ** 2
        values[14] += p * (extent[k] - extent_mean) ** 2
    return values


@njit(cache=True, nogil=True)
def _squares_by_extent(extent: npt.NDArray[np.int64], count: npt.NDArray[np.int64]) -> float:  # pragma: no cover
    """Return the sum over extents of the square of how often each occurs; zones may be as large as the region: no table."""
    found, together, before = 0.0, 0.0, np.int64(-1)
    for k in np.argsort(extent):
        if extent[k] != before:
            found += together * together
            together, before = 0.0, extent[k]
        together += count[k]
    return found + together * together
