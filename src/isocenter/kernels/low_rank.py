"""Denoising of series by principal components: what random matrix theory says is noise is left out.

References
----------
Veraart et al. Denoising of diffusion MRI using random matrix theory. NeuroImage 142 (2016) 394-406.
Manjon et al. Diffusion weighted image denoising using overcomplete local PCA. PLoS ONE 8 (2013) e73021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["marchenko_pastur_rank", "marchenko_pastur_shrink"]

Array = npt.NDArray[Any]

#: Patches decomposed together.
_BATCH = 256


def marchenko_pastur_rank(values: npt.NDArray[np.float64], longer: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return how many components stand above the noise, and the variance of the noise.

    Parameters
    ----------
    values
        Squared singular values over the longer side of the matrix, ascending, shape (matrices, components).
    longer
        The longer side of the matrices.
    """
    count = values.shape[1]
    tail = np.arange(1, count + 1, dtype=np.float64)  # noise components if all but these few are signal
    mean = np.cumsum(values, axis=1) / tail
    # Noise alone spreads its values by 4 sigma^2 sqrt(rest / longer) from the smallest to the largest.
    spread = (values - values[:, :1]) / (4.0 * np.sqrt((tail) / longer))
    noise_like = spread <= mean
    noise_like[:, 0] = True
    noise = np.max(np.where(noise_like, tail, 0.0), axis=1).astype(np.int64)
    return count - noise, np.take_along_axis(mean, noise[:, None] - 1, axis=1)[:, 0]


def marchenko_pastur_shrink(series: Array, radius: Sequence[int]) -> tuple[Array, float]:
    """Return a series without the components that are noise, and the median standard deviation of the noise.

    Parameters
    ----------
    series
        Time points first, then one to three spatial axes; float32 or float64.
    radius
        Half width of the patches along every spatial axis, in samples; held to what the axes have.

    Notes
    -----
    Patches overlap by about half; a sample is the mean of what the patches around it say, those of few components counting
    more.
    """
    times, shape = series.shape[0], series.shape[1:]
    sides = [min(2 * r + 1, n) for r, n in zip(radius, shape, strict=True)]
    starts = [_starts(n, s) for n, s in zip(shape, sides, strict=True)]
    total = np.zeros(series.shape, np.float64)
    weight = np.zeros(shape, np.float64)
    places = [tuple(int(v) for v in p) for p in np.stack(np.meshgrid(*starts, indexing="ij"), -1).reshape(-1, len(shape))]
    sigmas = []
    for begin in range(0, len(places), _BATCH):
        boxes = [tuple(slice(a, a + s) for a, s in zip(place, sides, strict=True)) for place in places[begin : begin + _BATCH]]
        patches = np.stack([series[(slice(None), *box)].reshape(times, -1) for box in boxes]).astype(np.float64)
        clean, ranks, noise = _without_noise(patches)
        sigmas.append(np.sqrt(noise))
        for box, patch, rank in zip(boxes, clean, ranks, strict=True):
            share = 1.0 / (1.0 + rank)
            total[(slice(None), *box)] += share * patch.reshape(times, *sides)
            weight[box] += share
    result = (total / weight).astype(series.dtype)
    return result, float(np.median(np.concatenate(sigmas)))


def _starts(size: int, side: int) -> npt.NDArray[np.int64]:
    """Return where patches begin so that they overlap by about half and reach both ends."""
    count = max(1, -(-(size - side) // max(1, (side + 1) // 2)) + 1)
    return np.rint(np.linspace(0, size - side, count)).astype(np.int64)


def _without_noise(patches: Array) -> tuple[Array, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return patches (matrices of time x place) of their signal components, their ranks, and the noise variance."""
    middle = patches.mean(axis=2, keepdims=True)
    centred = patches - middle
    times, places = centred.shape[1:]
    wide = times <= places
    gram = centred @ centred.transpose(0, 2, 1) if wide else centred.transpose(0, 2, 1) @ centred
    values, vectors = np.linalg.eigh(gram)
    longer = max(times, places)
    ranks, noise = marchenko_pastur_rank(np.maximum(values, 0.0) / longer, longer)
    keep = np.arange(values.shape[1]) >= (values.shape[1] - ranks)[:, None]
    basis = vectors * keep[:, None, :]
    projected = basis @ (basis.transpose(0, 2, 1) @ centred) if wide else (centred @ basis) @ basis.transpose(0, 2, 1)
    return projected + middle, ranks, noise
