"""Counts whose noise grows with the signal, brought to noise of one strength and back.

References
----------
Anscombe. The transformation of Poisson, binomial and negative-binomial data. Biometrika 35 (1948) 246-254.
Makitalo, Foi. A closed-form approximation of the exact unbiased inverse of the Anscombe variance-stabilizing transformation.
IEEE Trans. Image Process. 20 (2011) 2697-2698.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["stabilised", "unstabilised"]

Array = npt.NDArray[Any]


def stabilised(array: Array, gain: float) -> Array:
    """Return values of which the noise has standard deviation 1.

    Parameters
    ----------
    array
        Values of 0 or more; `gain` times a count.
    gain
        Variance per unit of signal.
    """
    return 2.0 * np.sqrt(array / array.dtype.type(gain) + array.dtype.type(0.375), dtype=array.dtype)


def unstabilised(array: Array, gain: float) -> Array:
    """Return the means of the counts that smoothed values of `stabilised` stand for, without the bias of squaring."""
    values = np.maximum(array.astype(np.float64), 2.0 * np.sqrt(0.375))
    root = np.sqrt(1.5)
    counts = values**2 / 4 + root / (4 * values) - 11 / (8 * values**2) + 5 * root / (8 * values**3) - 0.125
    return np.asarray((gain * np.maximum(counts, 0.0)).astype(array.dtype))
