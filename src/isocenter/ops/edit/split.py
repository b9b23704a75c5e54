"""Part a label into its connected pieces."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from isocenter.core.families import Editor
from isocenter.core.labels import Segment
from isocenter.core.operation import Context
from isocenter.kernels.labels import components, sizes
from isocenter.ops.edit._strokes import fits

__all__ = ["Split"]


class Split(Editor):
    """Give each connected piece of a label a value of its own: the largest keeps it, the others get new ones above all.

    Parameters
    ----------
    label
        Value of the label to part.
    connectivity
        Neighbours that count as joined: 6, 18 or 26 samples (4, 8 and 8 in the plane).

    References
    ----------
    Soille. Morphological Image Analysis, 2nd ed. (2004), section 9.1 (label images).
    """

    dims: ClassVar[tuple[str, ...]] = ("x", "yx", "zyx")
    ns_per_sample: ClassVar[float] = 20.0

    label: int = Field(1, ge=1)
    connectivity: Literal[6, 18, 26] = 26

    def compute(self, array: Any, context: Context) -> Any:
        """Return the parted labels."""
        result = np.array(array)
        pieces, count = components(result == self.label, self.connectivity)
        if count < 2:
            return result
        top = int(result.max())
        fits(self.name, top + count - 1, result.dtype)
        order = np.argsort(-sizes(pieces, count)[1:], kind="stable") + 1
        values = np.zeros(count + 1, result.dtype)
        values[order[0]] = self.label
        values[order[1:]] = np.arange(top + 1, top + count)
        where = pieces > 0
        result[where] = values[pieces[where]]
        context.note(f"{self.name}: label {self.label} was parted into {count} pieces.")
        return result

    def table(self, segments: tuple[Segment, ...], highest: int) -> tuple[Segment, ...]:
        """Return the table with a row for every new piece."""
        known = {s.value for s in segments}
        names = [s.name for s in segments if s.value == self.label] or [f"label {self.label}"]
        new = [v for v in range(1, highest + 1) if v not in known]
        return tuple(
            sorted((*segments, *(Segment(v, f"{names[0]} {k}") for k, v in enumerate(new, start=2))), key=lambda s: s.value)
        )
