"""Bring intensities without a unit to a common scale."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import field_validator

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.standard_scale import PERCENTILES, foreground, to_landmarks, white_stripe

__all__ = ["Standardize"]


class Standardize(Filter):
    """Bring intensities without a unit (MR) to a common scale: z-score, Nyul's landmarks, or the normal white matter.

    Before comparing or learning from MR of several scanners. Never for quantities with a unit (HU, SUV), which it would take
    away. Statistics are of the foreground: what lies above Otsu's threshold where there is a dark background.

    Parameters
    ----------
    method
        ``z_score``: mean 0 and standard deviation 1 of the foreground; ``landmarks``: percentiles 1, 10, 20 ... 90, 99 of the
        foreground go to `landmarks`, linearly between; ``white_stripe``: 0 is the brightest peak of the histogram (white
        matter in T1), 1 the standard deviation around it.
    landmarks
        Values that the eleven percentiles go to; None spreads them from 0 to 100. The usual ones are learned: means over images
        of a cohort (`isocenter.kernels.standard_scale.learn_landmarks`).

    References
    ----------
    Nyul, Udupa, Zhang. New variants of a method of MRI scale standardization. IEEE Trans. Med. Imaging 19 (2000) 143-150.
    Shinohara et al. Statistical normalization techniques for magnetic resonance imaging. NeuroImage: Clinical 6 (2014) 9-19.
    """

    gives_quantity: ClassVar[str | None] = "standardized"
    ns_per_sample: ClassVar[float] = 60.0
    bytes_per_sample: ClassVar[float] = 20.0

    method: Literal["z_score", "landmarks", "white_stripe"] = "z_score"
    landmarks: tuple[float, ...] | None = None

    @field_validator("landmarks")
    @classmethod
    def _rising(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and (len(value) != len(PERCENTILES) or any(b <= a for a, b in pairwise(value))):
            raise ValueError(f"expected {len(PERCENTILES)} rising values")
        return value

    @classmethod
    def examples(cls) -> tuple[Standardize, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(method="landmarks"), cls(method="white_stripe"))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the block on the common scale."""
        require_finite(array, self.name)
        kind = array.dtype.type
        if not array.size or np.ptp(array) == 0:
            context.note(f"{self.name}: the image has one value, which became 0.")
            return np.zeros_like(array)
        values = foreground(array)
        if self.method == "landmarks":
            return to_landmarks(array, values, self.landmarks)
        if self.method == "white_stripe":
            middle, spread = white_stripe(values)
        else:
            middle, spread = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
        return (array - kind(middle)) * kind(1.0 / spread if spread > 0 else 1.0)
