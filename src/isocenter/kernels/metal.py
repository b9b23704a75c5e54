"""Metal in a CT slice: its trace in the line sums is filled from beside it, after a prior image has made them even.

References
----------
Kalender, Hebel, Ebersberger. Reduction of CT artifacts caused by metallic implants. Radiology 164 (1987) 576-577.
Meyer, Raupach, Lell, Schmidt, Kachelriess. Normalized metal artifact reduction (NMAR) in computed tomography. Med. Phys. 37
(2010) 5482-5493.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.kernels.projection import angles_for, back_projected, line_sums, ramp_filtered

__all__ = ["without_metal"]

Array = npt.NDArray[Any]

#: Attenuation (HU + 1000) below which the prior is air, and above which it is bone.
_AIR, _BONE = 500.0, 1400.0


def without_metal(plane: Array, metal: npt.NDArray[np.bool_], normalised: bool, threads: int = 1) -> npt.NDArray[np.float64]:
    """Return HU of a slice as if there were no metal in it.

    Parameters
    ----------
    plane
        HU, two axes with samples as long as wide.
    metal
        Where the metal is.
    normalised
        Divide the sums by those of a prior image (air, water, bone) before they are interpolated.
    threads
        Threads to use; the result does not depend on it.
    """
    attenuation = np.maximum(plane.astype(np.float64) + 1000.0, 0.0)
    angles = angles_for((int(plane.shape[0]), int(plane.shape[1])))
    sums = line_sums(attenuation, angles, threads)
    # Samples at the rim are partly metal, and their shadow is as well.
    wide = ndimage.binary_dilation(metal)
    trace = line_sums(wide.astype(np.float64), angles, threads) > 0.05
    filled = _filled(sums, trace)
    if normalised:
        first = attenuation + _difference(plane, sums, filled, angles, threads)
        prior = line_sums(_prior(first, metal), angles, threads)
        least = 0.02 * float(prior.max(initial=0.0)) + 1e-9
        ratio = np.where(prior > least, sums / np.maximum(prior, least), 1.0)
        filled = np.where(trace, _filled(ratio, trace) * prior, sums)
    result = attenuation + _difference(plane, sums, filled, angles, threads)
    return np.asarray(np.maximum(result, 0.0) - 1000.0)


def _difference(plane: Array, sums: Array, filled: Array, angles: Array, threads: int) -> Array:
    """Return what changed sums change in the plane: what did not change is not reconstructed, and loses nothing."""
    shape = (int(plane.shape[0]), int(plane.shape[1]))
    return back_projected(ramp_filtered(filled - sums), angles, shape, threads)


def _filled(sums: Array, trace: npt.NDArray[np.bool_]) -> Array:
    """Return the sums with the trace filled linearly between its two sides, angle by angle."""
    out = sums.copy()
    bins = np.arange(sums.shape[1])
    for row, hidden in zip(out, trace, strict=True):
        if hidden.any() and not hidden.all():
            row[hidden] = np.interp(bins[hidden], bins[~hidden], row[~hidden])
    return out


def _prior(attenuation: Array, metal: npt.NDArray[np.bool_]) -> Array:
    """Return the slice in three tissues: air, water, and bone as it is."""
    smooth = ndimage.gaussian_filter(attenuation, 1.0, mode="nearest")
    prior = np.where(smooth < _AIR, 0.0, np.where(smooth < _BONE, 1000.0, smooth))
    prior[ndimage.binary_dilation(metal, iterations=2)] = 1000.0
    return prior
