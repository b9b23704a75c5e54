"""How strong the noise of an image is, and what it follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from isocenter.core.families import Measure
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.noise import guess_noise
from isocenter.kernels.units import intensity_unit

__all__ = ["Noise"]

_SENTENCES = {
    "none": "No noise: neighbouring samples agree.",
    "gaussian": "The noise is the same in dark and bright parts: Gaussian-like, standard deviation {0:.4g}.",
    "rician": "The noise shrinks where there is no signal: Rician, standard deviation {0:.4g} of each channel.",
    "poisson": "The variance grows with the signal: Poisson-like, {0:.4g} per unit of signal.",
    "speckle": "The noise grows in proportion to the signal: speckle, coefficient of variation {0:.4g}.",
    "impulse": "About {0:.2%} of the samples are lone extremes: impulse noise (salt and pepper).",
}


class Noise(Measure):
    """Standard deviation of the noise between neighbouring samples, and what model it follows.

    From second differences along every axis, by their median: anatomy and edges hardly count, a masked background not at
    all. Noise that a reconstruction kernel or interpolation has smoothed is seen only as far as it differs from sample to
    sample. The model (Gaussian, Rician, Poisson, speckle, impulse) is a hint, given as a note. Time points and
    channels are measured each and the median is given. With a region only the box around it counts.

    References
    ----------
    Immerkaer. Fast noise variance estimation. Computer Vision and Image Understanding 64 (1996) 300-302.
    Donoho, Johnstone. Ideal spatial adaptation by wavelet shrinkage. Biometrika 81 (1994) 425-455.
    """

    scaling: ClassVar[str] = "linear"
    ns_per_sample: ClassVar[float] = 200.0
    bytes_per_sample: ClassVar[float] = 40.0

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the scores."""
        blocks = array.reshape(-1, *context.geometry.shape)
        if context.region is not None and context.region.any():
            blocks = blocks[(slice(None), *_box(context.region))]
        models = [guess_noise(block) for block in blocks]
        names = sorted({m.name for m in models}, key=lambda n: -sum(m.name == n for m in models))
        context.note(_SENTENCES[names[0]].format(float(np.median([m.strength for m in models if m.name == names[0]]))))
        unit = intensity_unit(context.quantity)

        def middle(field: str) -> Score:
            return Score(float(np.median([getattr(m, field) for m in models])), unit, n=len(models))

        return {"sigma": middle("sigma"), "sigma_dark": middle("dark"), "sigma_bright": middle("bright")}


def _box(region: Any) -> tuple[slice, ...]:
    found = []
    for axis in range(region.ndim):
        there = np.flatnonzero(region.any(axis=tuple(k for k in range(region.ndim) if k != axis)))
        found.append(slice(int(there[0]), int(there[-1]) + 1))
    return tuple(found)
