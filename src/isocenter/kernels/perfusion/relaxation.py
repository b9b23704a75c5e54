"""Spoiled gradient echo: T1 from several flip angles, and concentrations from the change of a signal.

References
----------
Fram et al., Magn. Reson. Imaging 5 (1987) 201-208 (linear fit). Tofts, QIBA DCE-MRI profile (signal equation).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["concentration", "spoiled_signal", "variable_flip_angle"]

FloatArray = npt.NDArray[np.float64]


def spoiled_signal(r1: npt.ArrayLike, s0: npt.ArrayLike, flip: npt.ArrayLike, tr: npt.ArrayLike) -> FloatArray:
    """Return the steady-state signal of a spoiled gradient echo.

    Parameters
    ----------
    r1
        Longitudinal relaxation rate in 1/s.
    s0
        Signal of a fully relaxed 90 degree pulse.
    flip
        Flip angle in degrees.
    tr
        Repetition time in s.
    """
    angle = np.deg2rad(np.asarray(flip, dtype=np.float64))
    decay = np.exp(-np.asarray(tr, dtype=np.float64) * np.asarray(r1, dtype=np.float64))
    result: FloatArray = np.asarray(s0, dtype=np.float64) * np.sin(angle) * (1.0 - decay) / (1.0 - np.cos(angle) * decay)
    return result


def variable_flip_angle(
    signals: npt.ArrayLike, flips: npt.ArrayLike, tr: float, *, linear: bool = False, b1: npt.ArrayLike = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Return relaxation rate R1 (1/s) and S0 from signals at several flip angles.

    Parameters
    ----------
    signals
        Shape (angles, ...).
    flips
        Flip angles in degrees, shape (angles,).
    tr
        Repetition time in s.
    linear
        Whether the linearised equation is fitted (fast, noise weighs unevenly), or the signal equation itself by
        least squares, begun at the linear solution.
    b1
        Fraction of the nominal flip angle that was reached, one for all or one per sample.

    Returns
    -------
    tuple
        R1 and S0 of the samples' shape; NaN where no rate fits.
    """
    data = np.asarray(signals, dtype=np.float64)
    nominal = np.deg2rad(np.asarray(flips, dtype=np.float64)).reshape(-1, *(1,) * (data.ndim - 1))
    angle = nominal * np.asarray(b1, dtype=np.float64)
    angle = np.broadcast_to(angle, data.shape)
    y, x = data / np.sin(angle), data / np.tan(angle)
    dx, dy = x - x.mean(axis=0), y - y.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        decay = (dx * dy).sum(axis=0) / (dx * dx).sum(axis=0)
        decay = np.where((decay > 0.0) & (decay < 1.0), decay, np.nan)
        s0 = (y.mean(axis=0) - decay * x.mean(axis=0)) / (1.0 - decay)
    if not linear:
        decay, s0 = _least_squares(data, angle, decay, s0)
    return -np.log(decay) / tr, s0


def _least_squares(data: FloatArray, angle: FloatArray, decay: FloatArray, s0: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return decay and S0 that minimise the squared error of the signal, by golden sections over the decay.

    For a given decay the best S0 is a quotient of sums, so one number is sought; its logarithm between 1/50 and 50 times
    the rate of the linear solution.
    """
    sin, cos = np.sin(angle), np.cos(angle)
    power = (data * data).sum(axis=0)

    def shape_of(rate: FloatArray) -> FloatArray:
        e = np.exp(-rate)
        result: FloatArray = sin * (1.0 - e) / (1.0 - cos * e)
        return result

    def error(log_rate: FloatArray) -> FloatArray:
        model = shape_of(np.exp(log_rate))
        result: FloatArray = power - (data * model).sum(axis=0) ** 2 / (model * model).sum(axis=0)
        return result

    middle = np.log(-np.log(decay))
    grid = middle + np.linspace(-np.log(50.0), np.log(50.0), 41).reshape(-1, *(1,) * middle.ndim)
    errors = np.stack([error(g) for g in grid])
    best = np.argmin(np.where(np.isfinite(errors), errors, np.inf), axis=0)
    step = 2.0 * np.log(50.0) / 40.0
    centre = np.take_along_axis(grid, best[None], axis=0)[0]
    low, high = centre - step, centre + step
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = error(a), error(b)
    for _ in range(60):
        left = at_a < at_b
        high, low = np.where(left, b, high), np.where(left, low, a)
        new_a, new_b = high - ratio * (high - low), low + ratio * (high - low)
        at_a, at_b = error(new_a), error(new_b)
        a, b = new_a, new_b
    rate = np.exp(0.5 * (low + high))
    model = shape_of(rate)
    return np.exp(-rate), (data * model).sum(axis=0) / (model * model).sum(axis=0)


def concentration(
    signals: npt.ArrayLike,
    *,
    flip: float,
    tr: float,
    t1: npt.ArrayLike,
    relaxivity: float,
    baseline: tuple[int, int],
) -> FloatArray:
    """Return concentrations in mM from the signals of a spoiled gradient echo.

    Parameters
    ----------
    signals
        Shape (times, ...).
    flip, tr
        Flip angle in degrees and repetition time in s.
    t1
        Longitudinal relaxation time before the contrast agent, in s; one for all or one per sample.
    relaxivity
        1/(s mM).
    baseline
        First and one past the last time point before the contrast agent (the first of a series is often not steady).

    Returns
    -------
    numpy.ndarray
        Shape of the signals; NaN where no relaxation rate gives the signal.
    """
    data = np.asarray(signals, dtype=np.float64)
    angle = np.deg2rad(flip)
    before = np.exp(-tr / np.asarray(t1, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = data / data[baseline[0] : baseline[1]].mean(axis=0)
        level = ratio * (1.0 - before) / (1.0 - np.cos(angle) * before)
        decay = (1.0 - level) / (1.0 - np.cos(angle) * level)
        rate = np.where(decay > 0.0, -np.log(np.where(decay > 0.0, decay, 1.0)) / tr, np.nan)
    result: FloatArray = (rate - 1.0 / np.asarray(t1, dtype=np.float64)) / relaxivity
    return result
