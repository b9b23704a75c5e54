"""Dynamic susceptibility contrast: blood volume and flow by deconvolution of the arterial input.

References
----------
Ostergaard et al., Magn. Reson. Med. 36 (1996) 715-725. Wu et al., Magn. Reson. Med. 50 (2003) 164-174 (block-circulant
deconvolution, which does not depend on delays).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["flow_and_volume", "relaxation_change"]

FloatArray = npt.NDArray[np.float64]


def relaxation_change(signals: npt.ArrayLike, echo_time: float, baseline: tuple[int, int]) -> FloatArray:
    """Return the change of R2* in 1/s, to which the concentration is proportional.

    Parameters
    ----------
    signals
        Shape (times, ...).
    echo_time
        Seconds.
    baseline
        First and one past the last time point before the contrast agent.
    """
    data = np.asarray(signals, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = data / data[baseline[0] : baseline[1]].mean(axis=0)
        result: FloatArray = np.where(ratio > 0.0, -np.log(np.where(ratio > 0.0, ratio, 1.0)) / echo_time, np.nan)
    return result


def flow_and_volume(
    tissue: npt.ArrayLike, artery: npt.ArrayLike, step: float, *, threshold: float = 0.1, scale: float = 1.0
) -> FloatArray:
    """Return cerebral blood volume, flow and mean transit time.

    Parameters
    ----------
    tissue
        Concentration curves, shape (samples, times), evenly spaced.
    artery
        Arterial concentration curve, shape (times,).
    step
        Seconds between samples.
    threshold
        Singular values below this fraction of the largest are left out.
    scale
        Factor for tissue density and the haematocrits of large and small vessels; 1 leaves ml per 100 ml of tissue
        and equal haematocrits.

    Returns
    -------
    numpy.ndarray
        Shape (samples, 3): CBV in ml/100 ml, CBF in ml/(100 ml min), MTT in s.

    Notes
    -----
    The artery's matrix is block-circulant on twice the times, so its singular values are the magnitudes of its spectrum
    and deconvolution is a division there.
    """
    data = np.atleast_2d(np.asarray(tissue, dtype=np.float64))
    curve = np.asarray(artery, dtype=np.float64)
    size = 2 * curve.size
    spectrum = np.fft.rfft(curve, size)
    strength = np.abs(spectrum)
    kept = strength >= threshold * strength.max(initial=0.0)
    inverse = np.where(kept, 1.0 / np.where(kept, spectrum, 1.0), 0.0)
    residue = np.fft.irfft(np.fft.rfft(data, size, axis=1) * inverse, size, axis=1) / step
    flow = 6000.0 * scale * np.maximum(residue.max(axis=1), 0.0)
    area = curve.sum()
    volume = 100.0 * scale * data.sum(axis=1) / area if area > 0.0 else np.full(len(data), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        transit = np.where(flow > 0.0, 60.0 * volume / flow, np.nan)
    return np.column_stack([volume, flow, transit])
