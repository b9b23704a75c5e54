"""Fill or clear a polygon drawn on one slice."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from isocenter.core.errors import ParameterError
from isocenter.core.families import Editor
from isocenter.core.labels import Segment
from isocenter.core.operation import Context
from isocenter.kernels.rasterise import fill_polygons
from isocenter.ops.edit._strokes import fits, with_row

__all__ = ["Polygon"]


class Polygon(Editor):
    """Fill (or clear) a polygon drawn on one slice, recorded in mm so that the correction replays bit by bit.

    The polygon lies on the slice across `axis` that its points are nearest to; a sample belongs to it if its centre does.

    Parameters
    ----------
    points
        Corners (L, P, S) in mm, three or more; empty changes nothing.
    axis
        Index of the array axis across the slice (volumes).
    action
        ``fill`` or ``clear``.
    label
        Value of the label that is filled or cleared.
    name_of_label
        Its name where the table has no row for it.

    References
    ----------
    Foley et al. Computer Graphics: Principles and Practice (scan conversion of polygons).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    creates: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 5.0

    points: tuple[tuple[float, float, float], ...] = ()
    axis: int = Field(0, ge=0, le=2)
    action: Literal["fill", "clear"] = "fill"
    label: int = Field(1, ge=1)
    name_of_label: str = Field("painted", min_length=1)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the changed labels."""
        result = np.array(array)
        fits(self.name, self.label, result.dtype)
        if not self.points:
            return result
        if len(self.points) < 3:
            raise ParameterError(f"{self.name} was given {len(self.points)} points: expected three or more corners.")
        places = context.geometry.to_index(np.asarray(self.points))
        view = result
        if result.ndim == 3:
            slices = np.floor(places[:, self.axis] + 0.5 + 1e-9).astype(np.int64)
            if len(set(slices.tolist())) != 1 or not 0 <= slices[0] < result.shape[self.axis]:
                raise ParameterError(
                    f"{self.name}: the corners lie on slices {int(slices.min())} to {int(slices.max())} of axis {self.axis}: expected "
                    f"one slice from 0 to {result.shape[self.axis] - 1}."
                )
            view = np.moveaxis(result, self.axis, 0)[slices[0]]
            places = np.delete(places, self.axis, axis=1)
        where = fill_polygons([places], (view.shape[0], view.shape[1]))
        if self.action == "fill":
            where &= view != self.label
            view[where] = self.label
        else:
            where &= view == self.label
            view[where] = 0
        context.note(f"{self.name}: {int(where.sum())} samples were changed by hand.")
        return result

    def table(self, segments: tuple[Segment, ...], highest: int) -> tuple[Segment, ...]:
        """Return the table with a row for what is filled."""
        return with_row(segments, self.label, self.name_of_label) if self.action == "fill" and self.points else segments
