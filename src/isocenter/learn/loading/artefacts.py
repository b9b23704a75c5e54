"""Artefacts of MR as augmentation: an uneven field, ghosts, motion between shots, spikes; made where they arise, in k-space.

References
----------
F. Perez-Garcia et al., TorchIO, Comput. Methods Programs Biomed. 208 (2021) 106236 (which artefacts help training).
R. Shaw et al., MRI k-space motion artefact augmentation, MIDL (2019) 427-436.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.kernels.interpolate import sample_affine

__all__ = ["biased", "ghosted", "moved", "spiked"]

FloatArray = npt.NDArray[np.float32]


def biased(image: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Return samples times a smooth field exp(f), f of standard deviation `strength` at its knots, about each channel's lowest value.

    Parameters
    ----------
    image
        (channels, *spatial).
    strength
        About 0.2 is a usual coil.
    rng
        Decides the field, which all channels share.
    """
    shape = image.shape[1:]
    knots = tuple(min(4, n) for n in shape)
    scale = np.diag([(k - 1) / max(n - 1, 1) for k, n in zip(knots, shape, strict=True)])
    coarse = rng.normal(0.0, strength, knots).astype(np.float32)
    field = np.exp(sample_affine(coarse, np.column_stack([scale, np.zeros(len(shape))]), shape, "cubic", None))
    low = image.min(axis=tuple(range(1, image.ndim)), keepdims=True)
    return ((image - low) * field.astype(np.float32) + low).astype(np.float32, copy=False)


def ghosted(image: FloatArray, strength: float, count: int, axis: int) -> FloatArray:
    """Return samples with `count` ghosts along a spatial axis: every `count`-th line of k-space weaker by `strength` (0 to 1)."""
    lines = np.fft.fft(image, axis=axis + 1)
    factor = np.ones(image.shape[axis + 1], np.float32)
    factor[::count] = 1.0 - strength
    factor[0] = 1.0  # the mean stays
    return np.fft.ifft(lines * _along(factor, image.ndim, axis), axis=axis + 1).real.astype(np.float32)


def moved(image: FloatArray, matrix: npt.NDArray[np.float64], share: float, axis: int) -> FloatArray:
    """Return samples whose k-space lines are partly those of the moved object.

    Parameters
    ----------
    image
        (channels, *spatial).
    matrix
        Index map of the movement.
    share
        Part of the lines, at the end of the acquisition, that were taken after it; below a half, so that the centre is not.
    axis
        Spatial axis of the phase encoding.
    """
    shape = image.shape[1:]
    other = np.stack([sample_affine(channel, matrix, shape, "linear", None) for channel in image])
    size = shape[axis]
    # Lines in the order of acquisition: from the lowest frequency index to the highest, the centre in the middle.
    late = np.fft.ifftshift(np.arange(size) >= size - round(share * size))
    mask = _along(late.astype(np.float32), image.ndim, axis)
    before, after = np.fft.fft(image, axis=axis + 1), np.fft.fft(other, axis=axis + 1)
    return np.fft.ifft(before + mask * (after - before), axis=axis + 1).real.astype(np.float32)


def spiked(image: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Return samples with one corrupted sample of k-space: stripes over the whole patch, `strength` in standard deviations."""
    shape = image.shape[1:]
    where = [rng.uniform(0.05, 0.45) * (1 if rng.random() < 0.5 else -1) for _ in shape]
    phase = rng.uniform(0, 2 * np.pi)
    total = np.float32(phase)
    for axis, (frequency, size) in enumerate(zip(where, shape, strict=True)):
        wave = (2 * np.pi * round(frequency * size) / size * np.arange(size)).astype(np.float32)
        total = total + _along(wave, image.ndim, axis)[0]
    spread = image.std(axis=tuple(range(1, image.ndim)), keepdims=True)
    return (image + np.float32(strength) * spread * np.cos(total)).astype(np.float32, copy=False)


def _along(values: npt.NDArray[np.float32], ndim: int, axis: int) -> npt.NDArray[np.float32]:
    return values.reshape([-1 if k == axis + 1 else 1 for k in range(ndim)])
