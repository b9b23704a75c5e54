"""Small changes of an image and a region that should not matter: noise, and a contour drawn a little otherwise.

References
----------
Zwanenburg et al., "Assessing robustness of radiomic features by image perturbation", Scientific Reports 9 (2019) 614.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.labels import distance_inside, distance_to
from isocenter.kernels.smooth import gaussian

__all__ = ["noisy", "redrawn"]


def noisy(array: npt.NDArray[Any], sigma: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return an array with Gaussian noise of standard deviation `sigma` (units of the values) added."""
    return np.asarray(array, np.float32) + rng.normal(0.0, sigma, np.shape(array)).astype(np.float32)


def redrawn(
    mask: npt.NDArray[np.bool_], spacing: Sequence[float], deviation: float, smoothness: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return a mask whose border is moved in and out at random, as another reader would draw it.

    Parameters
    ----------
    mask
        With a margin of at least three deviations around the region.
    spacing
        mm per sample, array order.
    deviation
        Standard deviation in mm of how far the border moves.
    smoothness
        Distance in mm over which it moves together (sigma of a Gaussian).
    rng
        Source of randomness.
    """
    away = distance_to(mask, spacing) - distance_inside(mask, spacing)
    field = gaussian(rng.normal(size=mask.shape).astype(np.float32), [smoothness / s for s in spacing])
    spread = float(field.std())
    if spread > 0.0:
        field = field * (deviation / spread)
    moved = away - field
    # Distances are between centres, so the border lies half a sample beyond the outermost centre.
    half = 0.5 * float(min(spacing))
    return np.asarray(np.where(mask, moved < half, moved <= half - 1e-6))
