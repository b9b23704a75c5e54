"""Spatial autocorrelation of a region: Moran's I and Geary's C, exact in n log n.

Both weigh every pair of samples by the inverse of their distance, which depends on their displacement alone. So
the sums over all pairs are sums of a convolution, taken by the fast Fourier transform: a region of 700,000 samples
has 2.5e11 pairs and is done in seconds.

References
----------
IBSI reference manual v11, section 3.1 (N365 and NPT7); Moran 1950; Geary 1954.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

__all__ = ["autocorrelation"]


def autocorrelation(array: npt.NDArray[Any], mask: npt.NDArray[np.bool_], spacing: Sequence[float]) -> tuple[float, float]:
    """Return Moran's I and Geary's C.

    Parameters
    ----------
    array
        Intensities, cropped to the region.
    mask
        The region, same shape.
    spacing
        mm per sample, array order.

    Returns
    -------
    tuple of float
        Both NaN for fewer than two samples or equal intensities.
    """
    count = int(mask.sum())
    values = np.where(mask, array, 0.0).astype(np.float64)
    if count < 2:
        return float("nan"), float("nan")
    away = np.where(mask, values - values[mask].mean(), 0.0)
    total = float(np.sum(away * away))
    if total <= 1e-24 * max(1.0, float(np.abs(values).max())) ** 2 * count:
        return float("nan"), float("nan")
    padded = [fft.next_fast_len(2 * n - 1, real=True) for n in mask.shape]
    kernel = fft.rfftn(_inverse_distance(padded, mask.shape, spacing))

    def weighted(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
        result = fft.irfftn(fft.rfftn(data, padded) * kernel, padded)
        return np.asarray(result[tuple(slice(n) for n in mask.shape)])

    near = weighted(mask.astype(np.float64))
    weights = float(near[mask].sum())
    cross = float((away * weighted(away)).sum())
    squares = float((away * away * near).sum())
    return count / weights * cross / total, (count - 1) / (2.0 * weights) * (2.0 * squares - 2.0 * cross) / total


def _inverse_distance(padded: Sequence[int], shape: Sequence[int], spacing: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return 1 / distance of every displacement, wrapped for a circular convolution; 0 for none."""
    square = np.zeros(tuple(padded))
    for axis, (n, size, step) in enumerate(zip(padded, shape, spacing, strict=True)):
        index = np.arange(n)
        index = np.where(index > n // 2, index - n, index)
        index[np.abs(index) >= size] = 0  # displacements that no pair of samples has; they meet zeros only
        view = [1] * len(padded)
        view[axis] = n
        square = square + ((index * step) ** 2).reshape(view)
    with np.errstate(divide="ignore"):
        kernel = 1.0 / np.sqrt(square)
    kernel[square == 0.0] = 0.0
    return np.asarray(kernel)
