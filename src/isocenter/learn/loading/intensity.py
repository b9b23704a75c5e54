"""Intensity augmentation: gamma, brightness, contrast, noise, blur; of samples (channels, *spatial)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["blurred", "brightened", "contrasted", "gamma_changed", "noised"]

FloatArray = npt.NDArray[np.float32]


def gamma_changed(image: FloatArray, gamma: float) -> FloatArray:
    """Return each channel raised to a power between its own lowest and highest value, which stay as they are."""
    axes = tuple(range(1, image.ndim))
    low = image.min(axis=axes, keepdims=True)
    span = np.maximum(image.max(axis=axes, keepdims=True) - low, np.float32(1e-6))
    return (np.power((image - low) / span, np.float32(gamma)) * span + low).astype(np.float32, copy=False)


def brightened(image: FloatArray, offset: float) -> FloatArray:
    """Return samples plus `offset` times each channel's standard deviation."""
    axes = tuple(range(1, image.ndim))
    return (image + np.float32(offset) * image.std(axis=axes, keepdims=True)).astype(np.float32, copy=False)


def contrasted(image: FloatArray, factor: float) -> FloatArray:
    """Return deviations from each channel's mean, times `factor`."""
    mean = image.mean(axis=tuple(range(1, image.ndim)), keepdims=True, dtype=np.float64).astype(np.float32)
    return ((image - mean) * np.float32(factor) + mean).astype(np.float32, copy=False)


def noised(image: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    """Return samples with Gaussian noise of `sigma` times each channel's standard deviation."""
    spread = image.std(axis=tuple(range(1, image.ndim)), keepdims=True)
    return (image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma) * spread).astype(
        np.float32, copy=False
    )


def blurred(image: FloatArray, sigma: float) -> FloatArray:
    """Return each channel smoothed by a Gaussian of `sigma` samples."""
    return ndimage.gaussian_filter(image, [0.0] + [sigma] * (image.ndim - 1), mode="nearest").astype(np.float32, copy=False)
