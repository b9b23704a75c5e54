"""Part an image into two classes at the corner of its histogram (triangle method)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context
from isocenter.kernels.thresholds import triangle
from isocenter.ops.segment._values import parted

__all__ = ["Triangle"]


class Triangle(Segmenter):
    """Part an image into two classes at the corner of its histogram (triangle method).

    For one large peak, the ground, with a long tail, the objects. Fails where the histogram has two peaks of like height.
    With a region, values are counted and labelled in it alone. The threshold is noted. An image of one value has nothing to
    part, and no label.

    Parameters
    ----------
    keep
        ``above`` labels the upper class, ``below`` the lower one.
    bins
        Number of bins of the histogram of floats; integers are counted value by value.

    References
    ----------
    Zack, Rogers, Latt. Automatic measurement of sister chromatid exchange frequency. J. Histochemistry and Cytochemistry
    25 (1977) 741-753.
    """

    ns_per_sample: ClassVar[float] = 3.0

    keep: Literal["above", "below"] = "above"
    bins: int = Field(256, ge=2, le=1 << 20)

    @classmethod
    def examples(cls) -> tuple[Triangle, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(keep="below", bins=64))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the chosen class."""
        return parted(self.name, array, context, self.bins, self.keep, triangle)
