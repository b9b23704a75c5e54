"""How strong the noise of an image is at its finest scale, and what it follows: nothing, the signal, or its square root.

A second difference along every axis leaves noise and takes smooth anatomy away; the median of its magnitude is not moved
by the few samples at edges. Compared between dark and bright parts it tells the models of noise apart.

References
----------
Immerkaer. Fast noise variance estimation. Computer Vision and Image Understanding 64 (1996) 300-302.
Donoho, Johnstone. Ideal spatial adaptation by wavelet shrinkage. Biometrika 81 (1994) 425-455.
Koay, Basser. Analytically exact correction scheme for signal extraction from noisy magnitude MR signals.
J. Magn. Reson. 179 (2006) 317-322.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from isocenter.core.operation import Context

__all__ = ["NoiseModel", "finest_detail", "guess_noise", "noise_level", "robust_sigma"]

Array = npt.NDArray[Any]

#: Median of the magnitude of a standard normal variable.
_MAD = 0.6744897501960817
#: Samples along an axis of the blocks whose noise and mean are compared.
_BLOCK = 6
#: Samples that settle a median: of larger images evenly spread slabs are looked at.
_ENOUGH = 3_000_000
_LEVELS = 12


@dataclass(frozen=True)
class NoiseModel:
    """What the noise of an image looks like.

    Attributes
    ----------
    name
        ``none``, ``gaussian``, ``rician``, ``poisson`` (variance in proportion to the signal), ``speckle`` (standard
        deviation in proportion to it) or ``impulse`` (some samples replaced by extremes).
    sigma
        Standard deviation over the image; of the two channels behind the magnitude for ``rician``.
    dark, bright
        Standard deviation in the darkest and the brightest parts.
    strength
        Of the model: sigma, variance per unit of signal, coefficient of variation, or the fraction replaced.
    misfit
        Root mean square of what the model leaves unexplained of the logarithm of the noise, over levels of the signal.
    """

    name: str
    sigma: float
    dark: float
    bright: float
    strength: float
    misfit: float = 0.0


def finest_detail(array: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return second differences of unit norm along every axis, and where they tell something of noise.

    Axes of two samples are differenced once, axes of one sample are left alone. Not usable are windows with a sample
    that is not finite, and those of the one value that most windows of equal samples have: a masked background.
    """
    detail = np.asarray(array, dtype=np.float64 if np.asarray(array).dtype == np.float64 else np.float32)
    low, high = detail, detail
    for axis, size in enumerate(array.shape):
        if size < 2:
            continue
        parts = [_slab(detail, axis, k, min(size, 3)) for k in range(min(size, 3))]
        if size == 2:
            detail = (parts[1] - parts[0]) * detail.dtype.type(0.5**0.5)
        else:
            detail = (parts[0] + parts[2] - 2 * parts[1]) * detail.dtype.type(6.0**-0.5)
        low = np.minimum.reduce([_slab(low, axis, k, min(size, 3)) for k in range(min(size, 3))])
        high = np.maximum.reduce([_slab(high, axis, k, min(size, 3)) for k in range(min(size, 3))])
    usable = np.isfinite(detail)
    flat = usable & (high == low)
    if flat.any():
        found, counts = np.unique(low[flat], return_counts=True)
        usable &= ~(flat & (low == found[np.argmax(counts)]))
    return detail, usable


def _slab(array: Array, axis: int, start: int, width: int) -> Array:
    where = [slice(None)] * array.ndim
    where[axis] = slice(start, array.shape[axis] - width + 1 + start)
    return array[tuple(where)]


def robust_sigma(array: Array) -> float:
    """Return the standard deviation of the noise between neighbouring samples; 0 where there is none.

    A background of one value does not count. Noise that a reconstruction has smoothed is
    seen only as far as it differs from sample to sample.
    """
    if all(n < 2 for n in array.shape):
        return 0.0
    parts = []
    with np.errstate(invalid="ignore", over="ignore"):
        for slab in _slabs(np.asarray(array)):
            detail, usable = finest_detail(slab)
            parts.append(np.abs(detail[usable]))
    values = np.concatenate(parts)
    return float(np.median(values)) / _MAD if values.size else 0.0


def _slabs(array: Array) -> list[Array]:
    """Return the array, or, where it is large, slabs of a few neighbouring samples spread evenly along its first axis."""
    thick = 5
    count = max(3, _ENOUGH * array.shape[0] // max(array.size, 1) // thick)
    if array.shape[0] <= count * thick or array.size <= _ENOUGH:
        return [array]
    starts = np.linspace(0, array.shape[0] - thick, count).astype(int)
    return [array[a : a + thick] for a in starts]


def guess_noise(array: Array) -> NoiseModel:
    """Return the model of noise that fits an image best, and its strength.

    Noise and mean of small blocks are compared over levels of the mean; each model has one parameter and the one with
    the smallest squared error of the logarithm is taken. A hint, not a proof: structure looks like noise to it.
    """
    sigma = robust_sigma(array)
    share = _replaced(array)
    if share >= 0.004:
        return NoiseModel("impulse", sigma, sigma, sigma, share)
    if sigma == 0.0:
        return NoiseModel("none", 0.0, 0.0, 0.0, 0.0)
    means, spreads = _levels(array)
    if len(means) < 4 or means[-1] <= 0:
        return NoiseModel("gaussian", sigma, sigma, sigma, sigma)
    dark, bright = float(spreads[:2].mean()), float(spreads[-2:].mean())
    logs = np.log(spreads)
    fits: dict[str, tuple[float, float]] = {"gaussian": _fit(logs, np.zeros_like(logs))}
    if float(np.nanmin(array)) >= 0 and means[0] > 0:
        fits["poisson"] = _fit(logs, 0.5 * np.log(means))
        fits["speckle"] = _fit(logs, np.log(means))
        fits["rician"] = _fit_rician(means, logs)
    # A model with a signal in it has to explain more than chance: half the error of the plain one.
    name = min(fits, key=lambda k: fits[k][0] if k != "gaussian" else 0.5 * fits[k][0])
    strength = float(np.exp(fits[name][1]))
    if name == "poisson":
        strength **= 2
    misfit = float(np.sqrt(fits[name][0]))
    return NoiseModel(name, strength if name == "rician" else sigma, dark, bright, strength, misfit)


def _fit(logs: Array, shape: Array) -> tuple[float, float]:
    """Return the squared error of ``logs = constant + shape`` and the constant."""
    constant = float(np.median(logs - shape))
    return float(((logs - shape - constant) ** 2).mean()), constant


def _fit_rician(means: Array, logs: Array) -> tuple[float, float]:
    """Return the squared error of the Rician model and the logarithm of its sigma."""
    signal = np.linspace(0.0, 40.0, 801)
    half = signal**2 / 4
    first = np.sqrt(np.pi / 2) * ((1 + 2 * half) * special.ive(0, half) + 2 * half * special.ive(1, half))
    spread = np.sqrt(np.maximum(2 + signal**2 - first**2, 1e-12))
    best = (np.inf, 0.0)
    for trial in np.linspace(np.log(means[-1] / 300), np.log(max(means[0], means[-1] / 300) / 0.9), 200):
        seen = np.interp(means / np.exp(trial), first, spread, left=spread[0], right=1.0)
        outside = np.maximum(first[0] * 0.8 - means / np.exp(trial), 0.0)  # no mean is below that of pure noise
        error = float(((logs - np.log(seen) - trial) ** 2 + outside).mean())
        best = min(best, (error, float(trial)))
    # Without pure noise somewhere it cannot be told from a Gaussian.
    return best if means[0] < 3 * np.exp(best[1]) else (np.inf, best[1])


def _replaced(array: Array) -> float:
    """Return the fraction of samples that are extremes of the image and stand alone among their neighbours."""
    data = np.asarray(array)
    if data.size < 64 or max(data.shape) < 3:
        return 0.0
    low, high = np.nanmin(data), np.nanmax(data)
    extreme = (data == low) | (data == high)
    alone = extreme.copy()
    counts = np.zeros(data.shape, np.int8)
    for axis, size in enumerate(data.shape):
        if size < 2:
            continue
        same = np.diff(data, axis=axis) == 0
        width = [(0, 0)] * data.ndim
        width[axis] = (1, 1)
        both = np.pad(same, width)
        counts += _slab(both, axis, 0, 2).astype(np.int8) + _slab(both, axis, 1, 2).astype(np.int8)
    alone &= counts <= 1
    lows, highs = float((alone & (data == low)).mean()), float((alone & (data == high)).mean())
    return lows + highs if min(lows, highs) > 0.001 else 0.0


def _levels(array: Array) -> tuple[Array, Array]:
    """Return mean and noise of the parts of an image, from dark to bright."""
    means, spreads = _blocks(array)
    if len(means) < 4 * _LEVELS:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(means, kind="stable")
    groups = np.array_split(order, _LEVELS)
    # Structure only adds: the quieter blocks of a level are those that show the noise.
    pairs = [(float(means[g].mean()), float(np.quantile(spreads[g], 0.4))) for g in groups]
    kept = [(m, s) for m, s in pairs if s > 0]
    return np.array([m for m, _ in kept]), np.array([s for _, s in kept])


def _blocks(array: Array) -> tuple[Array, Array]:
    """Return mean and noise of every block that holds at least some detail."""
    with np.errstate(invalid="ignore", over="ignore"):
        detail, usable = finest_detail(array)
    inner = np.asarray(array)[tuple(slice((n > 2), (n > 2) + d) for n, d in zip(array.shape, detail.shape, strict=True))]
    sizes = [min(_BLOCK, n) for n in detail.shape]
    cut = tuple(slice(0, n // s * s) for n, s in zip(detail.shape, sizes, strict=True))
    split = [v for n, s in zip(detail.shape, sizes, strict=True) for v in (n // s, s)]
    order = [*range(0, 2 * len(sizes), 2), *range(1, 2 * len(sizes), 2)]
    count = int(np.prod(sizes))

    def rows(values: Array) -> Array:
        return values[cut].reshape(split).transpose(order).reshape(-1, count)

    whole = rows(usable).mean(axis=1) > 0.9
    magnitudes, values = np.abs(rows(detail)[whole]), rows(inner)[whole]
    if not len(values):
        return np.zeros(0), np.zeros(0)
    return values.mean(axis=1, dtype=np.float64), np.sqrt((magnitudes.astype(np.float64) ** 2).mean(axis=1))


def noise_level(given: float | None, array: Array, context: Context, who: str) -> float:
    """Return the standard deviation of the noise: the given one, or what is measured, which is noted."""
    if given is not None:
        return given
    measured = robust_sigma(array)
    context.note(f"{who}: the standard deviation of the noise was measured as {measured:.4g}.")
    return measured
