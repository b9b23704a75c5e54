"""How uneven the brightness of an image is, from the slopes inside its even parts.

A field that multiplies adds its slope to that of the logarithm everywhere, while borders of tissues are few and steep: a
polynomial whose slopes fit most of the small slopes is the field, whatever tissue lies where.

References
----------
Zheng, Grossman, Awate, Gee. Automatic correction of intensity nonuniformity from sparseness of gradient distribution in
medical images. MICCAI (2009) 852-859.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.kernels.otsu import otsu
from isocenter.kernels.smooth import gaussian

__all__ = ["bias_variation", "foreground", "log_field"]

Array = npt.NDArray[Any]

#: Places whose slopes settle a few dozen coefficients.
_ENOUGH = 40_000
_ROUNDS = 8
#: No coil's field changes by more than this factor (as a logarithm).
_MOST = float(np.log(10.0))


def foreground(array: Array) -> npt.NDArray[np.bool_]:
    """Return where an image of positive signal shows something rather than air."""
    positive = array[np.isfinite(array) & (array > 0)]
    if not positive.size or float(positive.min()) == float(positive.max()):
        return np.zeros(array.shape, dtype=bool)
    found: npt.NDArray[np.bool_] = array > 0.5 * otsu(positive)
    return found


def log_field(array: Array, mask: npt.NDArray[np.bool_], degree: int = 3) -> npt.NDArray[np.float64]:
    """Return the logarithm of the smooth field over an image, of mean 0 where the mask is set; 0 where none can be told.

    Parameters
    ----------
    array
        Samples, one to three axes.
    mask
        Where there is signal.
    degree
        Highest power of the polynomial.
    """
    values = gaussian(np.where(mask, array, 0.0).astype(np.float64), [1.0 if n > 4 else 0.0 for n in array.shape], 3.0, 1)
    weight = gaussian(mask.astype(np.float64), [1.0 if n > 4 else 0.0 for n in array.shape], 3.0, 1)
    logs = np.log(np.maximum(values / np.maximum(weight, 1e-6), 1e-12))
    wide = [k for k, n in enumerate(array.shape) if n >= 5]
    inside = ndimage.binary_erosion(mask, np.ones([5 if n >= 5 else 1 for n in array.shape], bool))
    if not wide or int(inside.sum()) < 200:
        return np.zeros(array.shape)
    places = np.flatnonzero(inside)
    places = places[:: max(1, len(places) // _ENOUGH)]
    axes = [np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1) for n in array.shape]
    at = np.stack([axes[k][index] for k, index in enumerate(np.unravel_index(places, array.shape))], axis=-1)
    powers = [
        p
        for p in np.ndindex(*(degree + 1,) * array.ndim)
        if 0 < sum(p) <= degree and all(p[k] == 0 or k in wide for k in range(array.ndim))
    ]
    rows, slopes = [], []
    for axis in wide:
        step = 2.0 / (array.shape[axis] - 1)
        slopes.append((np.gradient(logs, axis=axis) / step).reshape(-1)[places])
        rows.append(np.stack([_slope(at, p, axis) for p in powers], axis=-1))
    system, wanted = np.stack(rows), np.stack(slopes)
    weights = _fit(system, wanted)
    mesh = np.meshgrid(*axes, indexing="ij", sparse=True)
    field = np.zeros(array.shape)
    for power, value in zip(powers, weights, strict=True):
        term: Any = value
        for m, p in zip(mesh, power, strict=True):
            term = term * m**p
        field += term
    return field - float(field[mask].mean())


def _slope(at: Array, power: tuple[int, ...], axis: int) -> Array:
    """Return the derivative of a monomial along an axis."""
    if power[axis] == 0:
        return np.zeros(len(at))
    found: Array = np.full(len(at), float(power[axis]))
    for k, p in enumerate(power):
        found = found * at[:, k] ** (p - 1 if k == axis else p)
    return found


def _fit(system: Array, wanted: Array) -> Array:
    """Return coefficients whose slopes fit most places: those far off, which lie at borders, count less and less."""
    axes, places, terms = system.shape
    share = np.ones(places)
    weights: npt.NDArray[np.float64] = np.zeros(terms)
    for _ in range(_ROUNDS):
        left, right = np.zeros((terms, terms)), np.zeros(terms)
        for k in range(axes):
            weighted = system[k] * share[:, None]
            left += weighted.T @ system[k]
            right += weighted.T @ wanted[k]
        left += np.eye(terms) * (1e-9 * float(np.trace(left)) + 1e-12)
        weights = np.asarray(np.linalg.solve(left, right), np.float64)
        apart = np.sqrt(((wanted - system @ weights) ** 2).sum(axis=0))
        scale = float(np.median(apart))
        if scale <= 1e-12:
            break
        share = 1.0 / (1.0 + (apart / scale) ** 2) ** 2
    return weights


def bias_variation(array: Array, mask: npt.NDArray[np.bool_] | None = None) -> float:
    """Return the coefficient of variation, over the foreground, of the smooth field that multiplies an image."""
    there = foreground(array) if mask is None else mask & (array > 0)
    if not there.any():
        return 0.0
    field = log_field(array, there)
    # Judged where slopes were seen: at a rim or a lone speck a polynomial says nothing.
    inside = ndimage.binary_erosion(there, np.ones([5 if n >= 5 else 1 for n in array.shape], bool))
    if not inside.any():
        return 0.0
    values = field[inside]
    factors = np.exp(np.clip(values - float(np.median(values)), -_MOST, _MOST))
    return float(factors.std() / factors.mean())
