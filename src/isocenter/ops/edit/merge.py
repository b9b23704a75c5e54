"""Join labels to one."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Editor
from isocenter.core.labels import Segment
from isocenter.core.operation import Context
from isocenter.ops.edit._strokes import fits

__all__ = ["Merge"]


class Merge(Editor):
    """Give several labels one value; the table keeps the row of that value.

    Parameters
    ----------
    labels
        Values of the labels to join; empty joins all of them.
    into
        Value of the label that they become.

    References
    ----------
    Soille. Morphological Image Analysis, 2nd ed. (2004), section 9.1 (label images).
    """

    dims: ClassVar[tuple[str, ...]] = ("x", "yx", "zyx")
    ns_per_sample: ClassVar[float] = 5.0

    labels: tuple[int, ...] = ()
    into: int = Field(1, ge=1)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the joined labels."""
        result = np.array(array)
        fits(self.name, self.into, result.dtype)
        result[np.isin(result, self.labels) if self.labels else result > 0] = self.into
        return result

    def table(self, segments: tuple[Segment, ...], highest: int) -> tuple[Segment, ...]:
        """Return the rows that are left."""
        gone = {s.value for s in segments if (not self.labels or s.value in self.labels) and s.value != self.into}
        kept = [s for s in segments if s.value not in gone]
        if gone and all(s.value != self.into for s in kept):
            first = min((s for s in segments if s.value in gone), key=lambda s: s.value)
            kept.append(Segment(self.into, first.name, first.code, first.category, first.laterality, first.color))
        return tuple(sorted(kept, key=lambda s: s.value))
