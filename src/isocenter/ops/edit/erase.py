"""Erase labels with strokes in mm."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Editor
from isocenter.core.operation import Context
from isocenter.ops.edit._strokes import brushed

__all__ = ["Erase"]


class Erase(Editor):
    """Erase with strokes of a round brush, recorded in mm so that the correction replays bit by bit.

    Parameters
    ----------
    strokes
        Lines through points (L, P, S) in mm; one point is a dot.
    radius
        Radius in mm of the brush.
    label
        Value of the one label that is erased; None erases every label.

    References
    ----------
    Yushkevich et al. User-guided 3D active contour segmentation of anatomical structures. NeuroImage 31 (2006) 1116-1128
    (manual correction).
    """

    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 20.0

    strokes: tuple[tuple[tuple[float, float, float], ...], ...] = ()
    radius: float = Field(0.0, ge=0)
    label: int | None = Field(None, ge=1)

    @classmethod
    def examples(cls) -> tuple[Erase, ...]:
        """Return the variants that the contract suite runs: its grids all begin at this point."""
        corner = (-31.5, 12.25, 104.0)
        return (cls(), cls(strokes=((corner,),), radius=2.0))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the labels that are left."""
        result = np.array(array)
        erased = 0
        for stroke in self.strokes:
            where = brushed(self.name, stroke, self.radius, context.geometry)
            where &= (result > 0) if self.label is None else (result == self.label)
            erased += int(where.sum())
            result[where] = 0
        context.note(f"{self.name}: {erased} samples were erased by hand.")
        return result
