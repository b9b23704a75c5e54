"""How far the dark and the bright part of an image stand apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.families import Measure
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.artifacts import contrast_of
from isocenter.kernels.units import intensity_unit

__all__ = ["Contrast"]


class Contrast(Measure):
    """Distance between the means of the dark and the bright part of an image, parted by Otsu's threshold.

    In the unit of the image; what noise and stripes are held against. 0 where an image is even. Samples that are not
    finite are left out. Time points and channels are measured each and the median is given.

    References
    ----------
    Otsu. A threshold selection method from gray-level histograms. IEEE Trans. SMC 9 (1979) 62-66.
    """

    scaling: ClassVar[str] = "linear"
    ns_per_sample: ClassVar[float] = 40.0
    bytes_per_sample: ClassVar[float] = 16.0

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the score."""
        if not np.isfinite(array).any():
            raise ContentError(f"{self.name} found no finite sample: expected values.")
        blocks = array.reshape(-1, *context.geometry.shape)
        if context.region is not None and context.region.any():
            blocks = [block[context.region] for block in blocks]
        values = [contrast_of(block) for block in blocks]
        return {"contrast": Score(float(np.median(values)), intensity_unit(context.quantity), n=len(values))}
