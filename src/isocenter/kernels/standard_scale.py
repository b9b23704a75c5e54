"""Common scales for intensities without a unit.

References
----------
Nyul, Udupa, Zhang. New variants of a method of MRI scale standardization. IEEE Trans. Med. Imaging 19 (2000) 143-150.
Shinohara et al. Statistical normalization techniques for magnetic resonance imaging. NeuroImage: Clinical 6 (2014) 9-19.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.kernels.otsu import otsu

__all__ = ["PERCENTILES", "foreground", "learn_landmarks", "to_landmarks", "white_stripe"]

Array = npt.NDArray[Any]

PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)

#: Half width in probability of the stripe around the peak of white matter.
_STRIPE = 0.05


def foreground(array: Array) -> Array:
    """Return the values of what is no dark background: those above half of Otsu's threshold's height over the minimum.

    All of them where that leaves nearly all or nearly none.
    """
    low, high = float(array.min()), float(array.max())
    if high <= low:
        return array.reshape(-1)
    kept = array[array > low + 0.5 * (otsu(array) - low)]
    return kept if 0.02 * array.size < kept.size < 0.98 * array.size else array.reshape(-1)


def to_landmarks(array: Array, values: Array, landmarks: Sequence[float] | None) -> Array:
    """Return an array whose foreground percentiles lie at landmarks; beyond them the end pieces go on."""
    wanted = np.linspace(0.0, 100.0, len(PERCENTILES)) if landmarks is None else np.asarray(landmarks, np.float64)
    own = np.percentile(values, PERCENTILES)
    places, first = np.unique(own, return_index=True)
    wanted = wanted[first]
    if len(places) < 2:
        return np.full_like(array, wanted[0])
    slopes = np.diff(wanted) / np.diff(places)
    piece = np.clip(np.searchsorted(places, array, side="right") - 1, 0, len(slopes) - 1)
    result: Array = (wanted[piece] + slopes[piece] * (array - places[piece])).astype(array.dtype)
    return result


def learn_landmarks(arrays: Iterable[Array], low: float = 0.0, high: float = 100.0) -> tuple[float, ...]:
    """Return the landmarks of a cohort: each image's percentiles, its 1st and 99th taken to `low` and `high`, averaged."""
    rows = []
    for array in arrays:
        own = np.percentile(foreground(np.asarray(array)), PERCENTILES)
        rows.append(low + (own - own[0]) * ((high - low) / max(float(own[-1] - own[0]), 1e-12)))
    return tuple(float(v) for v in np.mean(rows, axis=0))


def white_stripe(values: Array) -> tuple[float, float]:
    """Return middle and spread of the brightest large peak of a histogram: normal white matter in T1."""
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    if high <= low:
        return float(np.median(values)), 0.0
    counts, edges = np.histogram(values, bins=256, range=(low, high))
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), 4.0)
    peaks = np.flatnonzero((smooth[1:-1] >= smooth[:-2]) & (smooth[1:-1] > smooth[2:])) + 1
    large = [int(k) for k in peaks if smooth[k] >= 0.25 * smooth.max()]
    top = float((edges[large[-1]] + edges[large[-1] + 1]) / 2) if large else float(np.median(values))
    below = float((values < top).mean())
    ends = np.quantile(values, (max(0.0, below - _STRIPE), min(1.0, below + _STRIPE)))
    stripe = values[(values >= ends[0]) & (values <= ends[1])]
    return top, float(stripe.std(dtype=np.float64))
