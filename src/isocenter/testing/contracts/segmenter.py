"""What a segmenter promises: labels that its table names, on the image's own grid."""

from __future__ import annotations

import numpy as np

from isocenter.core.families import Segmenter
from isocenter.core.image import SPATIAL
from isocenter.core.labels import LabelMap
from isocenter.testing.contracts.base import ContractViolation, check, expect
from isocenter.testing.contracts.inputs import inputs_for, richest
from isocenter.testing.contracts.running import attempt, describe, run


@check("Segmenter")
def labels_in_the_table(operation: Segmenter) -> None:
    """Every label has a row in the declared table, and what is found is found on some input."""
    runs = [
        inputs_for(operation),
        inputs_for(operation, richest(operation)),
        inputs_for(operation, richest(operation), constant=True),
    ]
    found = set()
    for inputs in runs:
        try:
            result = attempt(operation, inputs)
        except ContractViolation as violation:
            raise ContractViolation(f"labels do not fit the table: {violation}") from violation
        if result is None:
            continue
        expect(isinstance(result, LabelMap), f"{type(result).__name__} came out: expected a LabelMap")
        values = {s.value for s in result.segments}
        declared = {s.value for s in operation.table(max(result.present, default=0))}
        found |= {v for v in result.present if v}
        expect(
            set(result.present) - {0} <= values & declared,
            f"labels {result.present} came out, the declared table has {sorted(declared)}",
        )
    expect(found, "nothing is ever labelled on the example inputs: expected inputs (example_inputs) that it finds something in")


@check("Segmenter")
def image_grid_kept(operation: Segmenter) -> None:
    """The labels lie on the image's grid, with its spatial axes and times."""
    inputs = inputs_for(operation)
    result = run(operation, inputs)
    image = inputs[0]
    expect(result.geometry == image.geometry, f"the labels lie on {result.geometry}, the image on {image.geometry}")
    spatial = tuple(d for d in image.dims if d in SPATIAL)
    expect(
        tuple(d for d in result.dims if d in SPATIAL) == spatial, f"the labels have axes {result.dims}, the image {image.dims}"
    )
    expect("c" not in result.dims, "the labels have channels")
    expect(result.modality == image.modality, f"the labels' modality is {result.modality}, the image's {image.modality}")


@check("Segmenter")
def stays_in_the_region(operation: Segmenter) -> None:
    """With a region, nothing is labelled outside it, and an empty one gives no labels (or a refusal in one sentence)."""
    inputs = inputs_for(operation)
    image = inputs[0]
    spatial = tuple(d for d in image.dims if d in SPATIAL)
    where = np.zeros(image.geometry.shape, np.uint8)
    where[tuple(slice(n // 4, n - n // 4) for n in where.shape)] = 1
    for mask in (where, np.zeros_like(where)):
        region = LabelMap(mask, spatial, image.geometry)
        result = attempt(operation, (image, region))
        if result is not None:
            outside = int(((np.asarray(result.array) > 0) & (mask == 0)).sum())
            expect(outside == 0, f"{outside} samples outside the region are labelled ({describe((image, region))})")
