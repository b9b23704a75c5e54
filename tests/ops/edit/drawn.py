"""Labels on an oblique, anisotropic grid, for the tests of manual corrections."""

from __future__ import annotations

import json

import numpy as np

from isocenter.core.families import Editor
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.provenance import Provenance
from isocenter.core.registry import operations
from isocenter.testing.contracts.inputs import grid

GRID = grid((10, 16, 18), (2.5, 1.25, 0.75))


def labels(fill: bool = True) -> LabelMap:
    """Return a liver with a lesion in it."""
    array = np.zeros(GRID.shape, np.uint8)
    if fill:
        array[2:8, 3:13, 3:15] = 1
        array[4:6, 6:9, 6:10] = 2
    found = LabelMap(array, ("z", "y", "x"), GRID, (Segment(1, "liver"), Segment(2, "lesion")))
    return found.replace(provenance=Provenance.read(found.digest, "drawn"))


def at(*index: float) -> tuple[float, float, float]:
    """Return the point in mm of a sample."""
    x, y, z = GRID.to_world(index)
    return float(x), float(y), float(z)


def replayed(start: LabelMap, corrected: LabelMap) -> LabelMap:
    """Return labels corrected anew from the steps that were recorded, as they come back from JSON."""
    value = start
    for step in corrected.provenance.steps:
        parameters = json.loads(json.dumps(dict(step.parameters)))
        operation: Editor = operations().load(step.operation)(**parameters)
        value = operation(value)
    return value
