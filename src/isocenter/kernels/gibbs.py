"""Ringing of truncated k-space, taken off by sampling the image where its sinc oscillates through zero.

References
----------
Kellner, Dhital, Kiselev, Reisert. Gibbs-ringing artifact removal based on local subvoxel-shifts. Magn. Reson. Med. 76
(2016) 1574-1581.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["unring"]

Array = npt.NDArray[Any]

#: Shifts tried to each side, of up to half a sample.
_SHIFTS = 20
#: Samples whose variation is looked at, from near to far.
_NEAR, _FAR = 1, 3


def unring(image: Array) -> Array:
    """Return a two-dimensional image without ringing along both axes."""
    rows, columns = image.shape
    spectrum = np.fft.fft2(image.astype(np.float64))
    ky = np.cos(2 * np.pi * np.fft.fftfreq(rows))[:, None]
    kx = np.cos(2 * np.pi * np.fft.fftfreq(columns))[None, :]
    # Each direction gets the frequencies that ring along it; together they are all.
    total = np.maximum(2.0 + ky + kx, 1e-12)
    along_y = np.fft.ifft2(spectrum * (1.0 + kx) / total).real
    along_x = np.fft.ifft2(spectrum * np.where(2.0 + ky + kx > 1e-9, (1.0 + ky) / total, 0.0)).real
    rest = np.fft.ifft2(spectrum * np.where(2.0 + ky + kx > 1e-9, 0.0, 1.0)).real
    result: Array = _lines(along_x) + _lines(np.ascontiguousarray(along_y.T)).T + rest
    return result.astype(image.dtype)


def _lines(image: Array) -> Array:
    """Return an image whose rows are sampled, each sample at the shift where its surroundings vary least."""
    size = image.shape[1]
    if size < 2 * _FAR + 2:
        return image
    spectrum = np.fft.fft(image, axis=1)
    frequency = np.fft.fftfreq(size) * size
    if size % 2 == 0:
        frequency[size // 2] = 0.0  # it has no direction to be shifted in
    shifts = np.concatenate([[0.0], *[[k / (2.0 * _SHIFTS), -k / (2.0 * _SHIFTS)] for k in range(1, _SHIFTS + 1)]])
    best = np.full(image.shape, np.inf)
    chosen, value, before, after = (np.zeros(image.shape) for _ in range(4))
    for shift in shifts:
        moved = np.fft.ifft(spectrum * np.exp(2j * np.pi * frequency * shift / size), axis=1).real
        steps = np.abs(moved - np.roll(moved, 1, axis=1))  # between a sample and the one before
        left = sum(np.roll(steps, k, axis=1) for k in range(_NEAR, _FAR + 1))
        right = sum(np.roll(steps, -k - 1, axis=1) for k in range(_NEAR, _FAR + 1))
        variation = np.minimum(left, right)
        better = variation < best * (1.0 - 1e-9)
        best = np.where(better, variation, best)
        chosen, value = np.where(better, shift, chosen), np.where(better, moved, value)
        before = np.where(better, np.roll(moved, 1, axis=1), before)
        after = np.where(better, np.roll(moved, -1, axis=1), after)
    # The moved image holds the value at x + shift: go back to x between it and its neighbour.
    result: Array = np.where(chosen > 0, value + chosen * (before - value), value - chosen * (after - value))
    return result
