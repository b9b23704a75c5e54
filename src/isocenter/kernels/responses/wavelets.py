"""Undecimated separable wavelets: one band of one level, on the image's own grid.

References
----------
IBSI 2 reference manual (arXiv:2006.05470), section 3.6 (25BO). Daubechies, Ten Lectures on Wavelets (SIAM 1992).
Shensa, The discrete wavelet transform: wedding the a trous and Mallat algorithms, IEEE Trans. Signal Process. 40 (1992).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.separable import Pooling, Taps, filter_axis, filtered

__all__ = ["WAVELETS", "band_taps", "wavelet_band", "wavelet_bands", "wavelet_taps"]

_ROOT7 = math.sqrt(7.0)

#: Low-pass decomposition filters that have no short closed recipe (Daubechies 1992, tables 6.3 and 8.1).
_TABLES: dict[str, tuple[float, ...]] = {
    "sym4": (
        -0.07576571478927333, -0.02963552764599851, 0.49761866763201545, 0.8037387518059161,
        0.29785779560527736, -0.09921954357684722, -0.012603967262037833, 0.0322231006040427,
    ),
    "coif1": tuple(
        v / (16.0 * math.sqrt(2.0))
        for v in (_ROOT7 - 3.0, 1.0 - _ROOT7, 14.0 - 2.0 * _ROOT7, 14.0 + 2.0 * _ROOT7, 5.0 + _ROOT7, 1.0 - _ROOT7)
    ),
    "coif2": (
        -0.0007205494453645122, -0.0018232088707029932, 0.0056114348193944995, 0.023680171946334084,
        -0.0594344186464569, -0.0764885990783064, 0.41700518442169254, 0.8127236354455423,
        0.3861100668211622, -0.06737255472196302, -0.04146493678175915, 0.016387336463522112,
    ),
}  # fmt: skip

#: The names that `wavelet_taps` takes.
WAVELETS: tuple[str, ...] = ("haar", *(f"db{n}" for n in range(1, 11)), *_TABLES)


@cache
def _daubechies(order: int) -> tuple[float, ...]:
    """Return the low-pass decomposition filter with `order` vanishing moments, by spectral factorisation."""
    # The product filter's half-band remainder, sum C(n-1+k, k) y^k with y = (2 - z - 1/z) / 4; of each pair of its
    # zeros in z the one inside the unit circle is kept (minimum phase).
    poly = [math.comb(order - 1 + k, k) for k in range(order)]
    filters = np.array([1.0])
    for y in np.roots(poly[::-1]):
        middle = 1.0 - 2.0 * y
        inside = middle - np.sqrt(middle * middle - 1.0)
        if abs(inside) > 1.0:
            inside = 1.0 / inside
        filters = np.convolve(filters, [1.0, -inside])
    for _ in range(order):
        filters = np.convolve(filters, [1.0, 1.0])
    taps = np.real(filters)[::-1]
    return tuple(float(v) for v in taps * (math.sqrt(2.0) / taps.sum()))


def wavelet_taps(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the low-pass and high-pass decomposition kernels of a wavelet (quadrature mirrors of unit norm)."""
    if name == "haar":
        low = _daubechies(1)
    elif name in _TABLES:
        low = _TABLES[name]
    else:
        low = _daubechies(int(name.removeprefix("db")))
    last = len(low) - 1
    return low, tuple((1 if k % 2 else -1) * low[last - k] for k in range(last + 1))


def _chained(one: Taps, two: Taps) -> Taps:
    """Return the filter that does two after one another."""
    sums: dict[int, float] = {}
    for first, w in zip(one.offsets, one.weights, strict=True):
        for second, v in zip(two.offsets, two.weights, strict=True):
            sums[first + second] = sums.get(first + second, 0.0) + w * v
    places = sorted(sums)
    return Taps(tuple(places), tuple(sums[p] for p in places))


@cache
def band_taps(wavelet: str, letter: str, level: int) -> Taps:
    """Return the filter of one letter (L or H) of the band of a level: low-pass at every finer level before it.

    Level j spreads the kernel by 2^(j-1) samples (a trous). The levels are chained into one filter, so the image is
    continued beyond its edges once.
    """
    low, high = wavelet_taps(wavelet)
    result: Taps | None = None
    for k in range(1, level + 1):
        kernel = high if letter == "H" and k == level else low
        taps = Taps.convolving(kernel, len(kernel) // 2, 2 ** (k - 1))
        result = taps if result is None else _chained(result, taps)
    assert result is not None  # levels begin at 1
    return result


def wavelet_band(
    array: npt.NDArray[Any],
    wavelet: str,
    band: str,
    axes: Sequence[int],
    *,
    level: int = 1,
    boundary: Boundary = "mirror",
    pooling: Pooling | None = None,
    threads: int = 1,
) -> npt.NDArray[Any]:
    """Return one band of the undecimated transform.

    Parameters
    ----------
    array
        Float samples.
    wavelet
        One of `WAVELETS`.
    band
        One letter per axis, for x, y, z: ``LHL`` is high-pass along y.
    axes
        The filtered axes, ascending; the band's first letter acts along the last of them.
    level
        1 is the finest.
    boundary
        Beyond the edges.
    pooling
        Over all right-angle rotations; None takes the band as it stands.
    threads
        Threads to use; the result does not depend on it.
    """
    filters = [band_taps(wavelet, letter, level) for letter in reversed(band)]
    return filtered(array, filters, axes, boundary, pooling, threads)


def wavelet_bands(
    array: npt.NDArray[Any],
    wavelet: str,
    axes: Sequence[int],
    *,
    level: int = 1,
    boundary: Boundary = "mirror",
    threads: int = 1,
) -> dict[str, npt.NDArray[Any]]:
    """Return every band of a level by name; they share their passes (14 in space instead of 24)."""
    found: dict[str, npt.NDArray[Any]] = {"": array}
    for axis in sorted(axes, reverse=True):
        found = {
            name + letter: filter_axis(part, band_taps(wavelet, letter, level), axis, boundary, threads)
            for name, part in found.items()
            for letter in "LH"
        }
    return found
