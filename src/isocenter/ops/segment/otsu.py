"""Part an image into two classes at Otsu's threshold."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from isocenter.kernels.otsu import otsu

__all__ = ["Otsu"]


class Otsu(Segmenter):
    """Label what lies above (or not above) Otsu's threshold, which parts the values best into two classes.

    With a region, values are counted and labelled in it alone. The threshold is noted. An image of one value has nothing
    to part, and no label.

    Parameters
    ----------
    keep
        ``above`` labels the upper class, ``below`` the lower one.
    bins
        Number of bins of the histogram of floats; integers are counted value by value.

    References
    ----------
    Otsu. A threshold selection method from gray-level histograms. IEEE Trans. Syst. Man Cybern. 9 (1979) 62-66.
    """

    ns_per_sample: ClassVar[float] = 3.0

    keep: Literal["above", "below"] = "above"
    bins: int = Field(256, ge=2, le=1 << 20)

    @classmethod
    def examples(cls) -> tuple[Otsu, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(keep="below", bins=64))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the chosen class."""
        data = np.asarray(array)
        region = context.region
        if region is not None and not region.any():
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return np.zeros(data.shape, np.bool_)
        threshold = otsu(data, region, self.bins, context.threads)
        # A whole threshold compares with whole numbers as it is: no float is made of them.
        found: Any = data > (int(threshold) if data.dtype.kind in "iu" and threshold == int(threshold) else threshold)
        if not (found if region is None else found & region).any():
            context.note(f"{self.name}: every value is {threshold:.6g}; there is nothing to part, and no label.")
            return np.zeros(data.shape, np.bool_)
        context.note(
            f"{self.name}: the threshold is {threshold:.6g}{'' if context.quantity is None else ' ' + context.quantity}."
        )
        found = found if self.keep == "above" else ~found
        return found if region is None else found & region
