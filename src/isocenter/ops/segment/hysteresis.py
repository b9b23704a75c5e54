"""Label what is above a low threshold and hangs together with what is above a high one."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from isocenter.kernels.labels import components

__all__ = ["Hysteresis"]


class Hysteresis(Segmenter):
    """Label what lies above a low threshold, if it is joined to something above a high one.

    Weak parts of an object are kept and weak spots elsewhere are not. It fails where a weak bridge joins an object to its
    surroundings: a note says when the label holds most of the image.

    Parameters
    ----------
    low
        Values above this may be labelled, in the image's unit.
    high
        Values above this are labelled for certain, in the image's unit.
    connectivity
        Neighbours that count as joined: 6, 18 or 26 samples (4, 8 and 8 in the plane).

    References
    ----------
    Canny. A computational approach to edge detection. IEEE Trans. PAMI 8 (1986) 679-698, section IX.
    """

    ns_per_sample: ClassVar[float] = 12.0

    low: float = 300.0
    high: float = 600.0
    connectivity: Literal[6, 18, 26] = 26

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g}): expected it below")
        return self

    def compute(self, array: Any, context: Context) -> Any:
        """Return the joined parts."""
        data = np.asarray(array)
        weak = data > np.float64(self.low)
        if context.region is not None:
            weak &= context.region
        labels, count = components(weak, self.connectivity)
        keep = np.zeros(count + 1, np.bool_)
        keep[np.unique(labels[weak & (data > np.float64(self.high))])] = True
        keep[0] = False
        found = keep[labels]
        if found.mean() > 0.5:
            context.note(f"{self.name}: {found.mean():.0%} of the image is labelled: the low threshold may lie in the ground.")
        return found
