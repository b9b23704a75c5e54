"""Parallel-beam projection of a plane and back: line sums over angles, and filtered back-projection.

Lengths are in samples of an isotropic plane; angles in radians. The detector has one bin per sample, with its middle on the
axis of rotation, the middle of the plane.

References
----------
Kak, Slaney. Principles of computerized tomographic imaging. IEEE Press (1988), chapter 3.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["angles_for", "back_projected", "detector_bins", "line_sums", "ramp_filtered"]

Array = npt.NDArray[Any]


def detector_bins(shape: tuple[int, int]) -> int:
    """Return how many bins see the whole of a plane from every side (an odd number)."""
    return int(2 * np.ceil(np.hypot(*shape) / 2) + 3)


def angles_for(shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return as many angles over half a turn as a plane of this size needs."""
    count = max(32, int(np.ceil(np.pi / 2 * max(shape))))
    return np.asarray(np.arange(count) * (np.pi / count), dtype=np.float64)


def line_sums(plane: Array, angles: Array, threads: int = 1) -> npt.NDArray[np.float64]:
    """Return the sums along parallel lines, shape (angles, bins): linear interpolation, one step per sample.

    Parameters
    ----------
    plane
        Two axes; outside of it is 0.
    angles
        Of the detector against the last axis.
    threads
        Threads to use; the result does not depend on it.
    """
    source = kernel_input(np.ascontiguousarray(plane, dtype=np.float64))
    out = np.zeros((len(angles), detector_bins(source.shape)))
    run_rows(_project_rows, len(angles), threads, source, np.cos(angles), np.sin(angles), out)
    return out


def ramp_filtered(sums: Array) -> npt.NDArray[np.float64]:
    """Return line sums convolved with the band-limited ramp, each angle by itself."""
    bins = sums.shape[1]
    size = 1 << int(np.ceil(np.log2(max(2, 2 * bins))))
    place = np.arange(size)
    place = np.minimum(place, size - place)
    kernel = np.zeros(size)
    kernel[0] = 0.25
    odd = place % 2 == 1
    kernel[odd] = -1.0 / (np.pi * place[odd]) ** 2
    response = np.fft.rfft(kernel).real
    return np.asarray(np.fft.irfft(np.fft.rfft(sums, size, axis=1) * response, size, axis=1)[:, :bins])


def back_projected(filtered: Array, angles: Array, shape: tuple[int, int], threads: int = 1) -> npt.NDArray[np.float64]:
    """Return the plane that filtered line sums come from; parameters as of `line_sums`."""
    out = np.zeros(shape)
    rows = kernel_input(np.ascontiguousarray(filtered, dtype=np.float64))
    run_rows(_back_rows, shape[0], threads, rows, np.cos(angles), np.sin(angles), out)
    return out * (np.pi / len(angles))


@numba.njit(cache=True, nogil=True)
def _project_rows(first: int, last: int, plane: Any, cosines: Any, sines: Any, out: Any) -> None:  # pragma: no cover - compiled
    height, width = plane.shape
    bins = out.shape[1]
    middle = (bins - 1) / 2.0
    cy, cx = (height - 1) / 2.0, (width - 1) / 2.0
    for k in range(first, last):
        c, s = cosines[k], sines[k]
        for b in range(bins):
            t = b - middle
            total = 0.0
            for u in range(bins):
                along = u - middle
                x, y = t * c - along * s + cx, t * s + along * c + cy
                if x <= -1.0 or y <= -1.0 or x >= width or y >= height:
                    continue
                x0, y0 = int(np.floor(x)), int(np.floor(y))
                fx, fy = x - x0, y - y0
                if y0 >= 0:
                    if x0 >= 0:
                        total += (1 - fy) * (1 - fx) * plane[y0, x0]
                    if x0 + 1 < width:
                        total += (1 - fy) * fx * plane[y0, x0 + 1]
                if y0 + 1 < height:
                    if x0 >= 0:
                        total += fy * (1 - fx) * plane[y0 + 1, x0]
                    if x0 + 1 < width:
                        total += fy * fx * plane[y0 + 1, x0 + 1]
            out[k, b] = total


@numba.njit(cache=True, nogil=True)
def _back_rows(first: int, last: int, sums: Any, cosines: Any, sines: Any, out: Any) -> None:  # pragma: no cover - compiled
    height, width = out.shape
    count, bins = sums.shape
    middle = (bins - 1) / 2.0
    cy, cx = (height - 1) / 2.0, (width - 1) / 2.0
    for y in range(first, last):
        for k in range(count):
            start = (y - cy) * sines[k] + middle - cx * cosines[k]
            for x in range(width):
                t = start + x * cosines[k]
                b = int(t)
                if b >= 0 and b + 1 < bins:
                    f = t - b
                    out[y, x] += (1 - f) * sums[k, b] + f * sums[k, b + 1]
