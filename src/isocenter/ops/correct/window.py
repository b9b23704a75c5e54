"""Map an intensity window to the range 0 to 1, or clip to it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context

__all__ = ["Window"]


class Window(Filter):
    """Map an intensity window to the range 0 to 1, or clip to it.

    Mapped values are of the quantity ``window fraction``; clipped ones keep theirs. The default is the usual soft-tissue
    window of CT.

    Parameters
    ----------
    center
        Middle of the window, in the image's unit (HU for CT).
    width
        Width of the window, in the image's unit.
    rescale
        Whether the window is mapped to 0 to 1; if not, values are clipped to its ends and keep their meaning.

    References
    ----------
    DICOM PS3.3 C.11.2.1.3.2 (window centre and width, function LINEAR_EXACT).
    """

    ns_per_sample: ClassVar[float] = 3.0

    center: float = 40.0
    width: float = Field(400.0, gt=0)
    rescale: bool = True

    @classmethod
    def examples(cls) -> tuple[Window, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(center=-600.0, width=1500.0, rescale=False))

    @property
    def gives_quantity(self) -> str | None:  # type: ignore[override]  # of the class elsewhere; here it follows a parameter
        """What mapped values are."""
        return "window fraction" if self.rescale else None

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return that every sample stands for itself."""
        return (0,) * geometry.ndim

    def compute(self, array: Any, context: Context) -> Any:
        """Return the windowed block."""
        low, high = self.center - self.width / 2, self.center + self.width / 2
        result = np.clip(array, array.dtype.type(low), array.dtype.type(high))
        if self.rescale:
            result -= array.dtype.type(low)
            result /= array.dtype.type(self.width)
            np.clip(result, 0.0, 1.0, out=result)  # rounding may leave the range by one bit
        return result
