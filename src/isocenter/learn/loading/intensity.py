"""Intensity augmentation: gain, offset, gamma, noise, blur; of samples (channels, *spatial) of about zero mean and unit deviation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["blurred", "gained", "gamma_changed", "noised", "shifted"]

FloatArray = npt.NDArray[np.float32]


def gained(image: FloatArray, factor: float) -> FloatArray:
    """Return samples times `factor`: of normalised samples that is another contrast."""
    return (image * np.float32(factor)).astype(np.float32, copy=False)


def shifted(image: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    """Return samples plus an offset of standard deviation `sigma`, another one for each channel."""
    offset = rng.normal(0.0, sigma, (len(image),) + (1,) * (image.ndim - 1)).astype(np.float32)
    return (image + offset).astype(np.float32, copy=False)


def gamma_changed(image: FloatArray, gamma: float) -> FloatArray:
    """Return samples raised to a power between the lowest and highest value of all channels, which stay as they are."""
    low = image.min()
    span = max(float(image.max()) - float(low), 1e-6)
    return (np.power((image - low) / np.float32(span), np.float32(gamma)) * np.float32(span) + low).astype(np.float32, copy=False)


def noised(image: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    """Return samples with Gaussian noise of standard deviation `sigma`."""
    return (image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma)).astype(np.float32, copy=False)


def blurred(image: FloatArray, sigma: float) -> FloatArray:
    """Return each channel smoothed by a Gaussian of `sigma` samples."""
    return ndimage.gaussian_filter(image, [0.0] + [sigma] * (image.ndim - 1), mode="nearest").astype(np.float32, copy=False)
