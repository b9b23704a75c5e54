"""Paint a label with strokes in mm."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from isocenter.core.families import Editor
from isocenter.core.labels import Segment
from isocenter.core.operation import Context
from isocenter.ops.edit._strokes import brushed, fits, with_row

__all__ = ["Paint"]


class Paint(Editor):
    """Paint strokes of a round brush, recorded in mm so that the correction replays on the same grid bit by bit.

    Parameters
    ----------
    strokes
        Lines through points (L, P, S) in mm; one point is a dot.
    radius
        Radius in mm of the brush; the samples that hold the points are always painted.
    label
        Value of the label that is painted.
    name_of_label
        Its name where the table has no row for it.
    over
        ``background`` paints background alone, ``everything`` other labels too.

    References
    ----------
    Yushkevich et al. User-guided 3D active contour segmentation of anatomical structures. NeuroImage 31 (2006) 1116-1128
    (manual correction).
    """

    needs_mm: ClassVar[bool] = True
    creates: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 20.0

    strokes: tuple[tuple[tuple[float, float, float], ...], ...] = ()
    radius: float = Field(0.0, ge=0)
    label: int = Field(1, ge=1)
    name_of_label: str = Field("painted", min_length=1)
    over: Literal["background", "everything"] = "background"

    @classmethod
    def examples(cls) -> tuple[Paint, ...]:
        """Return the variants that the contract suite runs: its grids all begin at this point."""
        corner = (-31.5, 12.25, 104.0)
        return (cls(), cls(strokes=((corner,),), radius=2.0, over="everything"))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the painted labels."""
        result = np.array(array)
        fits(self.name, self.label, result.dtype)
        painted = 0
        for stroke in self.strokes:
            where = brushed(self.name, stroke, self.radius, context.geometry)
            if self.over == "background":
                where &= result == 0
            painted += int((result[where] != self.label).sum())
            result[where] = self.label
        context.note(f"{self.name}: {painted} samples were painted by hand.")
        return result

    def table(self, segments: tuple[Segment, ...], highest: int) -> tuple[Segment, ...]:
        """Return the table with a row for what is painted."""
        return with_row(segments, self.label, self.name_of_label)
