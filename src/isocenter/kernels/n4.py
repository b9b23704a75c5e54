"""N4: the smooth gain that blurs the histogram of an image's logarithm, found by sharpening that histogram.

References
----------
Sled, Zijdenbos, Evans. A nonparametric method for automatic correction of intensity nonuniformity in MRI data. IEEE
Trans. Med. Imaging 17 (1998) 87-97. Tustison et al. N4ITK: improved N3 bias correction. IEEE Trans. Med. Imaging 29
(2010) 1310-1320.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.lattice import basis, refine

__all__ = ["bias_lattice"]

_BINS = 200
_WIDTH = 0.15  # full width at half maximum of the gains' logarithms
_NOISE = 0.01


def bias_lattice(
    values: npt.NDArray[np.float32],
    region: npt.NDArray[np.bool_],
    *,
    factors: Sequence[int],
    spans: Sequence[int],
    levels: int,
    iterations: int,
    convergence: float,
) -> npt.NDArray[np.float64]:
    """Return the control points of the logarithm of the gain over an image (see `kernels.lattice`).

    Parameters
    ----------
    values
        Samples, three axes, above 0 in the region.
    region
        Where they count.
    factors
        How many samples along each axis one is looked at of.
    spans
        Spans of the lattice along each axis at the first level; each level halves them.
    levels, iterations
        Number of levels, and iterations of each at most.
    convergence
        Coefficient of variation of the change of the gain at which a level is done.

    Notes
    -----
    It runs on one thread: its sums would depend on their number.
    """
    # One sample of each block, not their mean: means across the border of two tissues belong to neither.
    firsts = [min(f // 2, n - 1) for n, f in zip(values.shape, factors, strict=True)]
    places = [np.arange(s, n, f) for s, n, f in zip(firsts, values.shape, factors, strict=True)]
    picked = tuple(slice(s, None, f) for s, f in zip(firsts, factors, strict=True))
    counted = np.ascontiguousarray(region[picked])
    logs = np.log(values[picked][counted].astype(np.float64))
    starts = np.concatenate([[0], np.cumsum(counted.reshape(-1, counted.shape[2]).sum(axis=1))]).astype(np.int64)
    columns = np.nonzero(counted)[2].astype(np.int32)
    counts = [s if n > 1 else 1 for s, n in zip(spans, values.shape, strict=True)]
    lattice = np.zeros([s + 3 for s in counts])
    if not logs.size:
        return lattice
    for level in range(levels):
        if level:
            counts = [2 * s if n > 1 else 1 for s, n in zip(counts, values.shape, strict=True)]
            lattice = refine(lattice, values.shape)
        tables = [basis(p, n, s) for p, n, s in zip(places, values.shape, counts, strict=True)]
        lattice = lattice + _level(logs, starts, columns, tables, lattice.shape, iterations, convergence)
    return lattice


def _level(
    logs: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int32],
    tables: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]],
    shape: tuple[int, ...],
    iterations: int,
    convergence: float,
) -> npt.NDArray[np.float64]:
    """Return what one level adds to the control points, and take it from `logs`."""
    (fz, wz), (fy, wy), (fx, wx) = tables
    cubes = [w**3 / (w**2).sum(axis=1, keepdims=True) for w in (wz, wy, wx)]
    total, sums, squares = np.zeros(shape), np.empty(shape), np.empty(shape)
    table = np.zeros(1)
    _gather(logs, starts, columns, fz, wz**2, fy, wy**2, fx, wx**2, table, 0.0, 0.0, squares)
    for _ in range(iterations):
        low, high = float(logs.min()), float(logs.max())
        if not high > low:
            break
        slope = (high - low) / (_BINS - 1)
        table = sharpened(_histogram(logs, low, 1.0 / slope), low, slope)
        _gather(logs, starts, columns, fz, cubes[0], fy, cubes[1], fx, cubes[2], table, low, 1.0 / slope, sums)
        change = np.divide(sums, squares, out=np.zeros(shape), where=squares > 0)
        total += change
        if _subtract(logs, starts, columns, fz, wz, fy, wy, fx, wx, change) < convergence:
            break
    return total


def sharpened(counts: npt.NDArray[np.float64], low: float, slope: float) -> npt.NDArray[np.float64]:
    """Return, for every bin, the value that is expected without the gain: Wiener deconvolution by a Gaussian."""
    size = 1 << (2 * len(counts) - 1).bit_length()
    before = (size - len(counts)) // 2
    padded = np.zeros(size)
    padded[before : before + len(counts)] = counts
    away = np.minimum(np.arange(size), size - np.arange(size)) * (slope / _WIDTH)
    blur = np.exp(-4.0 * np.log(2.0) * away**2)
    spectrum = np.fft.rfft(blur / blur.sum())
    sharp = np.maximum(np.fft.irfft(np.fft.rfft(padded) * spectrum.conj() / (np.abs(spectrum) ** 2 + _NOISE), size), 0.0)
    centers = low + slope * (np.arange(size) - before)
    above = np.fft.irfft(np.fft.rfft(sharp * centers) * spectrum, size)[before : before + len(counts)]
    below = np.fft.irfft(np.fft.rfft(sharp) * spectrum, size)[before : before + len(counts)]
    own = centers[before : before + len(counts)]
    # Where the sharp histogram holds next to nothing there is no expectation: the value stays what it is.
    return np.where(below > 1e-9 * below.max(), above / np.where(below > 0, below, 1.0), own)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _histogram(logs: Any, low: float, scale: float) -> Any:  # pragma: no cover - compiled
    """Return the histogram in which every sample is shared by the two nearest bins."""
    counts = np.zeros(_BINS)
    for k in range(logs.size):
        at = (logs[k] - low) * scale
        bin_ = min(int(at), _BINS - 2)
        part = at - bin_
        counts[bin_] += 1.0 - part
        counts[bin_ + 1] += part
    return counts


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gather(
    logs: Any,
    starts: Any,
    columns: Any,
    fz: Any,
    cz: Any,
    fy: Any,
    cy: Any,
    fx: Any,
    cx: Any,
    table: Any,
    low: float,
    scale: float,
    out: Any,
) -> None:  # pragma: no cover - compiled
    """Sum what every sample gives to its control points: its distance from the expected value, or 1 without a table."""
    plane, row = np.empty(out.shape[1:]), np.empty(out.shape[2])
    out[:] = 0.0
    for z in range(fz.size):
        plane[:] = 0.0
        for y in range(fy.size):
            line = z * fy.size + y
            if starts[line] == starts[line + 1]:
                continue
            row[:] = 0.0
            for k in range(starts[line], starts[line + 1]):
                x = columns[k]
                value = 1.0
                if table.size > 1:
                    at = (logs[k] - low) * scale
                    bin_ = min(int(at), table.size - 2)
                    part = at - bin_
                    value = logs[k] - (table[bin_] + part * (table[bin_ + 1] - table[bin_]))
                f = fx[x]
                row[f] += cx[x, 0] * value
                row[f + 1] += cx[x, 1] * value
                row[f + 2] += cx[x, 2] * value
                row[f + 3] += cx[x, 3] * value
            for j in range(4):
                plane[fy[y] + j] += cy[y, j] * row
        for i in range(4):
            out[fz[z] + i] += cz[z, i] * plane


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _subtract(
    logs: Any, starts: Any, columns: Any, fz: Any, wz: Any, fy: Any, wy: Any, fx: Any, wx: Any, lattice: Any
) -> float:  # pragma: no cover - compiled
    """Take a function from the samples; return the coefficient of variation of its exponential."""
    plane, row = np.empty(lattice.shape[1:]), np.empty(lattice.shape[2])
    first, second = 0.0, 0.0
    for z in range(fz.size):
        plane[:] = 0.0
        for i in range(4):
            plane += wz[z, i] * lattice[fz[z] + i]
        for y in range(fy.size):
            line = z * fy.size + y
            if starts[line] == starts[line + 1]:
                continue
            row[:] = 0.0
            for j in range(4):
                row += wy[y, j] * plane[fy[y] + j]
            for k in range(starts[line], starts[line + 1]):
                x = columns[k]
                f = fx[x]
                value = wx[x, 0] * row[f] + wx[x, 1] * row[f + 1] + wx[x, 2] * row[f + 2] + wx[x, 3] * row[f + 3]
                logs[k] -= value
                gain = np.expm1(value)
                first += gain
                second += gain * gain
    mean = first / logs.size
    return np.sqrt(max(second / logs.size - mean * mean, 0.0)) / (1.0 + mean)
