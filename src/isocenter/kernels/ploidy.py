"""DNA cytometry: how much stain a nucleus holds, and what that says of its chromosomes.

References
----------
Bocking et al., Consensus report of the ESACP task force on standardization of diagnostic DNA image cytometry, Anal. Cell.
Pathol. 8 (1995) 67-74. Haroske et al., 4th updated ESACP consensus report, Cell. Oncol. 23 (2001) 89-95.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["diploid_peak", "exceeding_rate", "focus", "optical_density"]

FloatArray = npt.NDArray[np.float64]


def optical_density(intensity: npt.ArrayLike, clear: float) -> FloatArray:
    """Return -log10(I / I0) of transmitted light.

    Parameters
    ----------
    intensity
        Transmitted light; less than a ten-thousandth of the clear field counts as that much (an optical density of 4).
    clear
        Light of the clear field, more than 0; brighter samples have a negative density.
    """
    data = np.asarray(intensity, dtype=np.float64) / clear
    result: FloatArray = -np.log10(np.maximum(data, 1e-4))
    return result


def diploid_peak(stain: npt.ArrayLike, *, width: float = 0.1, least: float = 0.3) -> float:
    """Return the integrated density of the 2c peak of a population of nuclei.

    The lowest peak of the density of log2 values that is at least `least` as high as the highest one: the fraction that has
    doubled its DNA stands to its right, and fragments to its left are rare.

    Parameters
    ----------
    stain
        Integrated optical density of each nucleus; what is not above 0 is left out.
    width
        Standard deviation of the smoothing on the log2 axis.
    least
        Share of the highest peak.

    Returns
    -------
    float
        NaN of no nuclei.
    """
    values = np.asarray(stain, dtype=np.float64)
    values = np.log2(values[np.isfinite(values) & (values > 0.0)])
    if not values.size:
        return float("nan")
    grid = np.arange(values.min() - 4.0 * width, values.max() + 4.0 * width, width / 20.0)
    density = np.zeros(grid.size)
    for value in np.sort(values):
        density += np.exp(-0.5 * ((grid - value) / width) ** 2)
    tops = np.flatnonzero((density[1:-1] >= density[:-2]) & (density[1:-1] > density[2:])) + 1
    chosen = tops[density[tops] >= least * density.max()][0]
    near = np.abs(values - grid[chosen]) <= 2.0 * width
    return float(2.0 ** np.mean(values[near])) if near.any() else float(2.0 ** grid[chosen])


def exceeding_rate(index: npt.ArrayLike, times: float = 5.0) -> float:
    """Return the fraction of nuclei with more than `times` c of DNA, from their DNA indices (1 is 2c)."""
    values = np.asarray(index, dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(np.mean(2.0 * values > times)) if values.size else float("nan")


def focus(density: npt.ArrayLike, mask: npt.NDArray[np.bool_]) -> float:
    """Return how sharp a nucleus is: summed squared gradient of its density over its summed squared density, per sample.

    Parameters
    ----------
    density
        Optical density of shape (y, x).
    mask
        The nucleus with its border, on the same grid.
    """
    data = np.asarray(density, dtype=np.float64)
    strength = float(np.sum(np.square(data[mask])))
    if min(data.shape) < 2 or not strength > 0.0:
        return float("nan")
    squared = np.sum(np.square(np.asarray(np.gradient(data))), axis=0)
    return float(np.sum(squared[mask])) / strength
