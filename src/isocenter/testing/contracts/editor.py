"""What an editor promises: it replays bit-equal, keeps the grid, and invents no labels."""

from __future__ import annotations

import numpy as np

from isocenter.core.families import Editor
from isocenter.core.labels import LabelMap
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import run


@check("Editor")
def replays_bit_equal(operation: Editor) -> None:
    """Made anew from its recorded step and run on the same labels, it gives the same bits."""
    inputs = inputs_for(operation)
    first = run(operation, inputs)
    step = first.provenance.steps[-1]
    again = run(type(operation)(**dict(step.parameters)), inputs, seed=step.seed or 0)
    expect(again.digest == first.digest, "replayed from its lineage it gives other labels")


@check("Editor")
def labels_keep_their_meaning(operation: Editor) -> None:
    """Grid, axes and integer type stay, and every label has a row."""
    before = inputs_for(operation)[0]
    for value in (before, before.replace(array=before.array.astype(np.int16))):
        after = run(operation, (value,))
        expect(isinstance(after, LabelMap), f"{type(after).__name__} came out: expected a LabelMap")
        expect(after.geometry == value.geometry and after.dims == value.dims, "the grid changed")
        expect(after.dtype == value.dtype, f"labels of type {value.dtype} came out as {after.dtype}")
        expect({v for v in after.present if v} <= {s.value for s in after.segments}, "a label has no row in the table")


@check("Editor", when=lambda operation: not operation.creates)
def nothing_from_nothing(operation: Editor) -> None:
    """An empty label map stays empty, unless the editor is there to draw (``creates``)."""
    before = inputs_for(operation)[0]
    after = run(operation, (before.replace(array=np.zeros_like(before.array)),))
    expect(not np.asarray(after.array).any(), "labels came out of an empty label map")
