"""Label maps of several readers: one table for all, and small examples for the contract checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.families import Fuser
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance

__all__ = ["check_kinds", "readers", "resolved", "with_table"]


def check_kinds(who: str, kinds: Sequence[str]) -> None:
    """Raise unless every input is a label map."""
    for position, kind in enumerate(kinds, start=1):
        if kind != "LabelMap":
            raise ContentError(f"{who} fuses label maps of readers, but input {position} is {kind}: expected label maps.")


def resolved(operation: Fuser, specs: Sequence[Spec]) -> Spec:
    """Return the spec of a consensus: labels in the widest type of the readers."""
    check_kinds(operation.name, [s.kind for s in specs])
    for spec in specs:
        operation.check_image(spec)
    for other in specs[1:]:
        if specs[0].geometry is not None and other.geometry is not None:
            specs[0].geometry.require_match(other.geometry, ("the first label map", "another one"))
    kinds = [np.dtype(s.dtype) for s in specs if s.dtype is not None]
    return specs[0].replace(quantity=None, dtype=np.result_type(*kinds).str if kinds else None)


def with_table(who: str, images: Sequence[Image], array: npt.NDArray[Any]) -> LabelMap:
    """Return consensus labels with the rows of all readers; a value must mean the same to each of them."""
    table: dict[int, Segment] = {}
    for position, image in enumerate(images, start=1):
        for row in getattr(image, "segments", ()):
            known = table.setdefault(row.value, row)
            if known.name != row.name:
                raise ContentError(
                    f"{who}: label {row.value} is '{known.name}' to one reader and '{row.name}' to reader {position}: "
                    "expected one meaning for each value; renumber one of them."
                )
    first = images[0]
    return LabelMap(
        array, first.dims, first.geometry, tuple(table[v] for v in sorted(table)), modality=first.modality, times=first.times
    )


def readers() -> tuple[Image, ...]:
    """Return three readers' outlines of two structures, which differ a little."""
    shape = (8, 12, 14)
    geometry = Geometry.regular(shape, (2.5, 1.25, 0.75))
    rows = (Segment(1, "liver"), Segment(2, "lesion"))
    found = []
    for k in range(3):
        array = np.zeros(shape, np.uint8)
        array[1:7, 2:10, 2 + k : 11 + k] = 1
        array[3:5, 4 : 7 + (k == 1), 5:8] = 2
        labels = LabelMap(array, ("z", "y", "x"), geometry, rows)
        found.append(labels.replace(provenance=Provenance.read(labels.digest, f"reader {k + 1}")))
    return tuple(found)
