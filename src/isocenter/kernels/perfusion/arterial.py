"""Arterial input: the population average of Parker et al.

References
----------
Parker et al., Experimentally-derived functional form for a population-averaged high-temporal-resolution arterial input
function for DCE-MRI, Magn. Reson. Med. 56 (2006) 993-1000, table 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["parker"]

#: Area (mM min), centre and width (min) of the two Gaussians.
_BOLUSES = ((0.809, 0.17046, 0.0563), (0.330, 0.365, 0.132))
#: Amplitude (mM) and rate (1/min) of the washout, slope (1/min) and centre (min) of its onset.
_WASHOUT = (1.050, 0.1685, 38.078, 0.483)


def parker(times: npt.ArrayLike, delay: float = 0.0, hematocrit: float | None = None) -> npt.NDArray[np.float64]:
    """Return the concentration in arterial blood in mM.

    Parameters
    ----------
    times
        Seconds.
    delay
        Seconds until the contrast agent arrives; before, the concentration is 0.
    hematocrit
        Fraction of cells in the blood; given, the concentration in plasma is returned.
    """
    minutes = (np.asarray(times, dtype=np.float64) - delay) / 60.0
    t = np.maximum(minutes, 0.0)
    amplitude, rate, slope, centre = _WASHOUT
    blood = amplitude * np.exp(-rate * t) / (1.0 + np.exp(np.minimum(-slope * (t - centre), 700.0)))
    for area, middle, width in _BOLUSES:
        blood += area / (width * np.sqrt(2.0 * np.pi)) * np.exp(-0.5 * ((t - middle) / width) ** 2)
    result: npt.NDArray[np.float64] = np.where(minutes < 0.0, 0.0, blood)
    return result if hematocrit is None else result / (1.0 - hematocrit)
