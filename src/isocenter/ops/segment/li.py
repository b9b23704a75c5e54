"""Part an image into two classes at Li's threshold of least cross entropy."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from isocenter.kernels.thresholds import li
from isocenter.ops.segment._values import parted

__all__ = ["Li"]


class Li(Segmenter):
    """Part an image into two classes at Li's threshold of least cross entropy.

    Finds small bright objects on a dark ground that Otsu's threshold cuts short; where both classes are of one size the
    two agree. With a region, values are counted and labelled in it alone. The threshold is noted. An image of one value has
    nothing to part, and no label.

    Parameters
    ----------
    keep
        ``above`` labels the upper class, ``below`` the lower one.
    bins
        Number of bins of the histogram of floats; integers are counted value by value.

    References
    ----------
    Li, Tam. An iterative algorithm for minimum cross entropy thresholding. Pattern Recognition Letters 18 (1998) 771-776.
    """

    ns_per_sample: ClassVar[float] = 3.0

    keep: Literal["above", "below"] = "above"
    bins: int = Field(4096, ge=2, le=1 << 20)

    @classmethod
    def examples(cls) -> tuple[Li, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(keep="below", bins=64))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the chosen class."""
        return parted(self.name, array, context, self.bins, self.keep, li)
