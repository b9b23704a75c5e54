"""Wavelet denoising, averaged over all shifts: an undecimated transform whose details are shrunk and added up again.

The filters of an orthogonal wavelet, spread by zeros from level to level and scaled by 1/sqrt(2), form a tight frame: the
transposed filters give the image back, and the average over all shifts of the decimated transform comes out at once.

References
----------
Coifman, Donoho. Translation-invariant de-noising. Wavelets and Statistics, Springer LNS 103 (1995) 125-150.
Chang, Yu, Vetterli. Adaptive wavelet thresholding for image denoising and compression. IEEE Trans. Image Process. 9
(2000) 1532-1546.
Mihcak, Kozintsev, Ramchandran, Moulin. Low-complexity image denoising based on statistical modeling of wavelet
coefficients. IEEE Signal Process. Lett. 6 (1999) 300-303.
Donoho, Johnstone. Ideal spatial adaptation by wavelet shrinkage. Biometrika 81 (1994) 425-455.
Daubechies. Ten lectures on wavelets. SIAM (1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
import numpy.typing as npt

from isocenter.kernels.smooth import convolve_axis
from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["WAVELETS", "low_pass", "wavelet_shrink"]

Array = npt.NDArray[Any]
Rule = Literal["bayes", "visu", "local"]

#: Samples to each side whose energy is averaged by the local rule.
_NEAR = 2
#: Number of vanishing moments of Daubechies' wavelets by name.
WAVELETS = {"haar": 1, "db2": 2, "db3": 3, "db4": 4}


def low_pass(name: str) -> npt.NDArray[np.float64]:
    """Return the orthonormal low-pass filter of a Daubechies wavelet, by factoring its half-band polynomial."""
    moments = WAVELETS[name]
    polynomial = np.array([1.0])
    power = np.array([1.0])
    # P(y) = sum of binomial(N - 1 + k, k) y^k with y = (2 - z - 1/z) / 4; kept as coefficients of z^-k ... z^k.
    binomial = 1.0
    for k in range(1, moments):
        power = np.convolve(power, [-0.25, 0.5, -0.25])
        binomial *= (moments - 1 + k) / k
        polynomial = np.pad(polynomial, 1) + binomial * power
    taps = np.array([1.0])
    for _ in range(moments):
        taps = np.convolve(taps, [0.5, 0.5])
    for root in np.roots(polynomial):
        if abs(root) < 1:
            taps = np.convolve(taps, [1.0, -root])
    real = np.real(taps)
    scaled: npt.NDArray[np.float64] = real * (np.sqrt(2.0) / real.sum())
    return scaled


@dataclass(frozen=True)
class _Plan:
    taps: Array
    axes: tuple[int, ...]
    levels: int
    sigma: float
    rule: str
    universal: float
    threads: int


def wavelet_shrink(
    array: Array, sigma: float, *, wavelet: str = "db2", levels: int = 3, rule: Rule = "bayes", threads: int = 1
) -> Array:
    """Return an array whose wavelet details are shrunk by what noise explains.

    Parameters
    ----------
    array
        float32 or float64.
    sigma
        Standard deviation of the noise.
    wavelet
        One of `WAVELETS`.
    levels
        Scales whose details are shrunk.
    rule
        ``bayes``: soft threshold sigma^2 / s with s the deviation of the signal in the band (BayesShrink); ``visu``: hard
        threshold sigma sqrt(2 log n) (VisuShrink); ``local``: the Wiener gain of the energy around each coefficient.
    threads
        Threads to use; the result does not depend on it.
    """
    axes = tuple(k for k, n in enumerate(array.shape) if n > 1)
    if not axes or sigma <= 0.0:
        return array.copy()
    taps = low_pass(wavelet)
    margin = (len(taps) - 1) * ((1 << levels) - 1) // 2 + 1
    widths = [(margin if k in axes else 0,) * 2 for k in range(array.ndim)]
    padded = np.pad(array, widths, mode="symmetric")
    universal = float(np.sqrt(2.0 * np.log(max(array.size, 2))))
    plan = _Plan((taps / np.sqrt(2.0)).astype(array.dtype), axes, levels, sigma, rule, universal, threads)
    inner = tuple(slice(a, n - b) for (a, b), n in zip(widths, padded.shape, strict=True))
    return np.ascontiguousarray(_level(padded, plan, 0)[inner])


def _level(block: Array, plan: _Plan, level: int) -> Array:
    return block if level == plan.levels else _axis(block, plan, level, 0, False)


def _axis(block: Array, plan: _Plan, level: int, position: int, detail: bool) -> Array:
    """Part along one axis after the other, shrink, and put together: one branch at a time, so that few volumes live."""
    if position == len(plan.axes):
        return _shrunk(block, plan, level) if detail else _level(block, plan, level + 1)
    axis = plan.axes[position]
    low, high = _parted(block, plan.taps, axis, 1 << level, plan.threads)
    low = _axis(low, plan, level, position + 1, detail)
    high = _axis(high, plan, level, position + 1, True)
    return _joined(low, high, plan.taps, axis, 1 << level, plan.threads)


def _shrunk(band: Array, plan: _Plan, level: int) -> Array:
    noise = plan.sigma * 2.0 ** (-0.5 * len(plan.axes) * (level + 1))
    kind = band.dtype.type
    if plan.rule == "visu":
        return np.where(np.abs(band) > kind(plan.universal * noise), band, kind(0.0))
    if plan.rule == "local":
        energy = np.square(band)
        for axis in plan.axes:
            energy = convolve_axis(energy, [1.0 / (2 * _NEAR + 1)] * (_NEAR + 1), axis, plan.threads)
        return band * (np.maximum(energy - kind(noise * noise), kind(0.0)) / np.maximum(energy, kind(noise * noise)))
    signal = float(np.mean(np.square(band), dtype=np.float64)) - noise * noise
    if signal <= 0.0:
        return np.zeros_like(band)
    limit = kind(noise * noise / float(np.sqrt(signal)))
    return band - np.clip(band, -limit, limit)


def _view(block: Array, axis: int) -> Array:
    """Return a block as (before, along, after)."""
    shape = block.shape
    return block.reshape(int(np.prod(shape[:axis])), shape[axis], int(np.prod(shape[axis + 1 :])))


def _parted(block: Array, taps: Array, axis: int, spread: int, threads: int) -> tuple[Array, Array]:
    source = _view(kernel_input(block), axis)
    low, high = np.empty(source.shape, block.dtype), np.empty(source.shape, block.dtype)
    run_rows(_part_rows, source.shape[0] * _pieces(source), threads, source, taps, spread, low, high)
    return low.reshape(block.shape), high.reshape(block.shape)


def _joined(low: Array, high: Array, taps: Array, axis: int, spread: int, threads: int) -> Array:
    one, two = _view(kernel_input(low), axis), _view(kernel_input(high), axis)
    out = np.empty(one.shape, low.dtype)
    run_rows(_join_rows, one.shape[0] * _pieces(one), threads, one, two, taps, spread, out)
    return out.reshape(low.shape)


def _pieces(source: Array) -> int:
    """Return in how many rows a block is worked on: along the last axis a whole line, else one sample of the axis."""
    return 1 if source.shape[2] == 1 else source.shape[1]


@numba.njit(cache=True, nogil=True)
def _part_rows(
    first: int, last: int, source: Any, taps: Any, spread: int, low: Any, high: Any
) -> None:  # pragma: no cover - compiled
    size, width, count = source.shape[1], source.shape[2], taps.size
    if width == 1:
        line = np.empty(size + (count - 1) * spread, source.dtype)
        for i in range(first, last):
            for x in range(line.size):
                line[x] = source[i, x % size, 0]
            one, two = low[i, :, 0], high[i, :, 0]
            one[:] = 0
            two[:] = 0
            for k in range(count):
                a, b = taps[k], taps[count - 1 - k] if k % 2 == 0 else -taps[count - 1 - k]
                shifted = line[k * spread : k * spread + size]
                for x in range(size):
                    one[x] += a * shifted[x]
                    two[x] += b * shifted[x]
        return
    for row in range(first, last):
        i, j = row // size, row % size
        one, two = low[i, j], high[i, j]
        one[:] = 0
        two[:] = 0
        for k in range(count):
            a, b = taps[k], taps[count - 1 - k] if k % 2 == 0 else -taps[count - 1 - k]
            shifted = source[i, (j + k * spread) % size]
            for x in range(width):
                one[x] += a * shifted[x]
                two[x] += b * shifted[x]


@numba.njit(cache=True, nogil=True)
def _join_rows(
    first: int, last: int, low: Any, high: Any, taps: Any, spread: int, out: Any
) -> None:  # pragma: no cover - compiled
    size, width, count = low.shape[1], low.shape[2], taps.size
    reach = (count - 1) * spread
    if width == 1:
        one, two = np.empty(size + reach, low.dtype), np.empty(size + reach, low.dtype)
        for i in range(first, last):
            for x in range(one.size):
                one[x] = low[i, (x - reach) % size, 0]
                two[x] = high[i, (x - reach) % size, 0]
            result = out[i, :, 0]
            result[:] = 0
            for k in range(count):
                a, b = taps[k], taps[count - 1 - k] if k % 2 == 0 else -taps[count - 1 - k]
                p, q = one[reach - k * spread :], two[reach - k * spread :]
                for x in range(size):
                    result[x] += a * p[x] + b * q[x]
        return
    for row in range(first, last):
        i, j = row // size, row % size
        result = out[i, j]
        result[:] = 0
        for k in range(count):
            a, b = taps[k], taps[count - 1 - k] if k % 2 == 0 else -taps[count - 1 - k]
            p, q = low[i, (j - k * spread) % size], high[i, (j - k * spread) % size]
            for x in range(width):
                result[x] += a * p[x] + b * q[x]
