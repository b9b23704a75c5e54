"""From an image of whole numbers to a label map, for formats that do not say which of the two they hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io.text import one_line

__all__ = ["as_labels"]

MOST_LABELS = 65_535


def as_labels(value: Image | MaskStack, name: str, source: str) -> LabelMap | MaskStack:
    """Return an image as a label map; label maps and mask stacks pass unchanged.

    Parameters
    ----------
    value
        What was read. Floats are accepted where every one is a whole number, as some tools store masks.
    name
        Name of the segment where there is only one.
    source
        The file's name, for messages.

    Raises
    ------
    ContentError
        If the values are no labels.
    """
    if isinstance(value, LabelMap | MaskStack):
        return value
    if "c" in value.dims:
        raise ContentError(
            f"{source}: holds colours or channels ({value.shape[value.dims.index('c')]} of them): expected a label map of one value a sample."
        )
    array: Any = np.asarray(value.array)
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.round(array))
        if not whole.all():
            raise ContentError(
                f"{source}: {int((~whole).sum())} values are no whole numbers: expected labels; "
                "threshold a probability first (segment.threshold)."
            )
    if array.dtype.kind not in "iufb" or (array.size and (array.min() < 0 or array.max() > MOST_LABELS)):
        raise ContentError(f"{source}: values are no labels: expected whole numbers from 0 to {MOST_LABELS}.")
    high = int(array.max()) if array.size else 0
    labels = LabelMap(array.astype(np.uint8 if high < 256 else np.uint16, copy=False), value.dims, value.geometry)
    rows = labels.segments
    if len(rows) == 1:
        rows = (Segment(rows[0].value, one_line(name, 128)),)
    return LabelMap(
        labels.array, value.dims, value.geometry, rows,
        modality=value.modality, times=value.times, provenance=value.provenance,
    )  # fmt: skip
