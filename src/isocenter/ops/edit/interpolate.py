"""Fill slices between those that were drawn."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Editor
from isocenter.core.operation import Context
from isocenter.kernels.levelset import signed_distance

__all__ = ["Interpolate"]


class Interpolate(Editor):
    """Fill the slices between drawn ones by the shape in between (signed distances, weighted by place).

    Drawn slices stay as they are, and a label never takes another one's samples. What is drawn on two slices without
    overlapping in the plane does not join up: a note says which gaps were filled.

    Parameters
    ----------
    axis
        Index of the array axis across the slices.
    label
        Value of the label to interpolate; None takes every label.
    gap
        Largest number of empty slices in a row that are filled.

    References
    ----------
    Raya, Udupa. Shape-based interpolation of multidimensional objects. IEEE Trans. Med. Imaging 9 (1990) 32-42.
    """

    dims: ClassVar[tuple[str, ...]] = ("zyx",)
    ns_per_sample: ClassVar[float] = 40.0

    axis: int = Field(0, ge=0, le=2)
    label: int | None = Field(None, ge=1)
    gap: int = Field(20, ge=1)

    def compute(self, array: Any, context: Context) -> Any:
        """Return labels with the gaps filled."""
        result = np.array(array)
        view = np.moveaxis(result, self.axis, 0)
        spacing = tuple(np.delete(np.asarray(context.spacing), self.axis))
        filled = 0
        for value in (int(v) for v in np.unique(result) if v > 0):
            if self.label is None or value == self.label:
                filled += self._fill(view, value, spacing, context.threads)
        context.note(f"{self.name}: {filled} slices were filled between drawn ones.")
        return result

    def _fill(self, view: npt.NDArray[Any], value: int, spacing: tuple[float, ...], threads: int) -> int:
        """Fill the gaps of one label, in place; return the number of slices."""
        drawn = np.flatnonzero((view == value).any(axis=(1, 2)))
        filled = 0
        for low, high in pairwise(drawn):
            if not 1 < high - low <= self.gap + 1:
                continue
            below, above = (signed_distance(view[k] == value, spacing, threads) for k in (low, high))
            for k in range(int(low) + 1, int(high)):
                share = (k - low) / (high - low)
                shape = ((1.0 - share) * below + share * above > 0) & (view[k] == 0)
                view[k][shape] = value
                filled += int(shape.any())
        return filled
