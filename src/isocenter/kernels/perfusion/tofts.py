"""Kinetic models of dynamic contrast-enhanced imaging: Tofts, extended Tofts and Patlak.

For a given rate kep the Tofts models are linear in their other parameters, so the whole least-squares problem is a search
for one number: a grid over its logarithm, then golden sections. There are no starting values, and no local minima to be
caught in between the grid's points.

References
----------
Tofts et al., J. Magn. Reson. Imaging 10 (1999) 223-232. Patlak, Blasberg, Fenstermacher, J. Cereb. Blood Flow Metab. 3
(1983) 1-7. Flouri, Lesnic, Sourbron, Magn. Reson. Med. 76 (2016) 998-1006 (exact convolution).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.kernels.threads import kernel_input, run_rows

__all__ = ["Kinetics", "exponential_convolution", "fit_patlak", "fit_tofts", "tofts"]

FloatArray = npt.NDArray[np.float64]
Kinetics = Literal["tofts", "extended_tofts"]

#: Slowest and fastest kep in 1/min, and points of the grid between them.
_RATES = (1e-3, 60.0, 80)


@njit(cache=True, nogil=True)
def _convolve(times: Any, plasma: Any, rate: float, out: Any) -> None:  # pragma: no cover - compiled
    """Integral of plasma(s) exp(-rate (t - s)) ds for a plasma curve that is linear between its samples."""
    out[0] = 0.0
    for k in range(1, len(times)):
        step = times[k] - times[k - 1]
        x = rate * step
        decay = np.exp(-x)
        if x < 1e-4:  # the closed form loses its digits
            first, second = step * (0.5 - x / 3.0), step * (0.5 - x / 6.0)
        else:
            mean = (1.0 - decay) / rate
            second = (step - mean) / x
            first = mean - second
        out[k] = out[k - 1] * decay + first * plasma[k - 1] + second * plasma[k]


def exponential_convolution(times: npt.ArrayLike, plasma: npt.ArrayLike, rate: float) -> FloatArray:
    """Return the convolution of a curve, linear between its samples, with exp(-rate t).

    Parameters
    ----------
    times
        Seconds, ascending.
    plasma
        Concentrations at those times.
    rate
        1/s.
    """
    when = np.ascontiguousarray(times, dtype=np.float64)
    out = np.empty(len(when))
    _convolve(when, np.ascontiguousarray(plasma, dtype=np.float64), float(rate), out)
    return out


def tofts(times: npt.ArrayLike, plasma: npt.ArrayLike, ktrans: float, ve: float, vp: float = 0.0) -> FloatArray:
    """Return the tissue concentration of the (extended) Tofts model.

    Parameters
    ----------
    times
        Seconds.
    plasma
        Arterial plasma concentration in mM.
    ktrans
        Transfer constant in 1/min.
    ve, vp
        Volume fractions of the extravascular extracellular space and of plasma.
    """
    flow = ktrans / 60.0
    curve = np.asarray(plasma, dtype=np.float64)
    return vp * curve + flow * exponential_convolution(times, curve, flow / ve)


@njit(cache=True, nogil=True)
def _at(
    times: Any, plasma: Any, tissue: Any, weights: Any, extended: bool, rate: float, out: Any, best: Any
) -> float:  # pragma: no cover
    """Best Ktrans and vp (both 0 or more) for a kep in 1/s; returns the squared error."""
    _convolve(times, plasma, rate, out)
    aa = ab = bb = ca = cb = cc = 0.0
    for k in range(len(times)):
        w = weights[k]
        aa += w * out[k] * out[k]
        ab += w * out[k] * plasma[k]
        bb += w * plasma[k] * plasma[k]
        ca += w * tissue[k] * out[k]
        cb += w * tissue[k] * plasma[k]
        cc += w * tissue[k] * tissue[k]
    flow, volume = (max(0.0, ca / aa) if aa > 0.0 else 0.0), 0.0
    if extended:
        det = aa * bb - ab * ab
        if det > 1e-12 * aa * bb:
            flow, volume = (ca * bb - cb * ab) / det, (cb * aa - ca * ab) / det
        if volume < 0.0:
            flow, volume = (max(0.0, ca / aa) if aa > 0.0 else 0.0), 0.0
        if flow < 0.0:
            flow, volume = 0.0, (max(0.0, cb / bb) if bb > 0.0 else 0.0)
    best[0], best[1] = flow, volume
    return cc - 2.0 * (flow * ca + volume * cb) + flow * flow * aa + 2.0 * flow * volume * ab + volume * volume * bb


@njit(cache=True, nogil=True)
def _fit(
    first: int, last: int, times: Any, plasma: Any, tissue: Any, weights: Any, extended: bool, rates: Any, out: Any
) -> None:  # pragma: no cover
    work = np.empty(len(times))
    best = np.zeros(2)
    golden = 0.5 * (np.sqrt(5.0) - 1.0)
    for row in range(first, last):
        curve = tissue[row]
        finite = True
        for k in range(len(times)):
            finite = finite and np.isfinite(curve[k])
        if not finite:
            out[row] = np.nan
            continue
        lowest, place = np.inf, 0
        for k in range(len(rates)):
            error = _at(times, plasma, curve, weights, extended, np.exp(rates[k]), work, best)
            if error < lowest:
                lowest, place = error, k
        low, high = rates[max(0, place - 1)], rates[min(len(rates) - 1, place + 1)]
        a, b = high - golden * (high - low), low + golden * (high - low)
        at_a = _at(times, plasma, curve, weights, extended, np.exp(a), work, best)
        at_b = _at(times, plasma, curve, weights, extended, np.exp(b), work, best)
        for _ in range(40):
            if at_a < at_b:
                high, b, at_b = b, a, at_a
                a = high - golden * (high - low)
                at_a = _at(times, plasma, curve, weights, extended, np.exp(a), work, best)
            else:
                low, a, at_a = a, b, at_b
                b = low + golden * (high - low)
                at_b = _at(times, plasma, curve, weights, extended, np.exp(b), work, best)
        rate = np.exp(0.5 * (low + high))
        error = _at(times, plasma, curve, weights, extended, rate, work, best)
        out[row, 0], out[row, 1], out[row, 2] = best[0] * 60.0, best[0] / rate, best[1]
        out[row, 3] = np.sqrt(max(0.0, error) / len(times))


def fit_tofts(
    times: npt.ArrayLike, tissue: npt.ArrayLike, plasma: npt.ArrayLike, *, model: Kinetics = "extended_tofts", threads: int = 1
) -> FloatArray:
    """Return the least-squares parameters of the Tofts or the extended Tofts model for many curves.

    Parameters
    ----------
    times
        Seconds, ascending, shape (times,).
    tissue
        Concentrations in mM, shape (samples, times).
    plasma
        Arterial plasma concentration in mM at those times.
    model
        With or without a plasma volume.
    threads
        Threads to use; the result does not depend on it.

    Returns
    -------
    numpy.ndarray
        Shape (samples, 4): Ktrans (1/min), ve, vp (0 without a plasma volume) and the root-mean-square residual (mM);
        NaN for curves that are not finite.
    """
    curves = kernel_input(np.atleast_2d(tissue), np.float64)
    rates = kernel_input(np.log(np.geomspace(_RATES[0], _RATES[1], _RATES[2]) / 60.0))
    out = np.empty((len(curves), 4))
    when, input_curve = kernel_input(times, np.float64), kernel_input(plasma, np.float64)
    weights = kernel_input(np.ones(len(when)))
    run_rows(_fit, len(curves), threads, when, input_curve, curves, weights, model == "extended_tofts", rates, out)
    return out


def fit_patlak(times: npt.ArrayLike, tissue: npt.ArrayLike, plasma: npt.ArrayLike) -> FloatArray:
    """Return the least-squares parameters of the Patlak model (no flow back).

    Parameters
    ----------
    times, tissue, plasma
        As of `fit_tofts`.

    Returns
    -------
    numpy.ndarray
        Shape (samples, 3): PS (1/min), vp and the root-mean-square residual (mM).
    """
    when = np.asarray(times, dtype=np.float64)
    curve = np.asarray(plasma, dtype=np.float64)
    data = np.atleast_2d(np.asarray(tissue, dtype=np.float64))
    total = np.concatenate([[0.0], np.cumsum(0.5 * (curve[1:] + curve[:-1]) * np.diff(when))])
    design = np.stack([total / 60.0, curve], axis=1)
    found = np.linalg.lstsq(design, data.T, rcond=None)[0].T
    left = data - found @ design.T
    return np.column_stack([found, np.sqrt(np.mean(left**2, axis=1))])
