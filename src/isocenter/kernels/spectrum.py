"""Power spectra of sampled channels: Welch's estimate, and what is read off it.

References
----------
Welch. The use of fast Fourier transform for the estimation of power spectra. IEEE Trans. Audio Electroacoust. 15 (1967)
70-73.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

__all__ = ["band_power", "edge_frequency", "peak_frequency", "power_density"]

Array = npt.NDArray[np.float64]


def power_density(samples: npt.NDArray[Any], rate: float, seconds: float) -> tuple[Array, Array]:
    """Return frequencies in Hz and the power density, in squared units per Hz, of one channel.

    Parameters
    ----------
    samples
        Shape (samples,), finite.
    rate
        Samples per second.
    seconds
        Length of a segment; segments overlap by half and are tapered (Hann). A shorter channel is one segment.
    """
    length = int(min(max(round(seconds * rate), 2), len(samples)))
    values = np.asarray(samples, dtype=np.float64)
    scale = float(np.abs(values).max(initial=0.0)) or 1.0  # squares of very large samples would overflow
    frequencies, density = signal.welch(values / scale, rate, "hann", length, detrend="constant")
    with np.errstate(over="ignore"):
        return np.asarray(frequencies, dtype=np.float64), np.asarray(density * scale**2, dtype=np.float64)


def band_power(frequencies: Array, density: Array, low: float, high: float) -> float:
    """Return the power from `low` to below `high` Hz: the density times the width of its bins."""
    if len(frequencies) < 2:
        return 0.0
    inside = (frequencies >= low) & (frequencies < high)
    return float(density[inside].sum() * (frequencies[1] - frequencies[0]))


def peak_frequency(frequencies: Array, density: Array, low: float, high: float) -> float:
    """Return the frequency in Hz of the highest density from `low` to below `high` Hz; NaN where there is no power."""
    inside = np.flatnonzero((frequencies >= low) & (frequencies < high))
    if not inside.size or not density[inside].any():
        return float("nan")
    return float(frequencies[inside[np.argmax(density[inside])]])


def edge_frequency(frequencies: Array, density: Array, low: float, high: float, share: float = 0.95) -> float:
    """Return the frequency in Hz below which `share` of the power from `low` to `high` Hz lies; NaN where there is none."""
    inside = (frequencies >= low) & (frequencies < high)
    grown = np.cumsum(density[inside])
    if not grown.size or not grown[-1] > 0:
        return float("nan")
    return float(frequencies[inside][np.searchsorted(grown, share * grown[-1])])
