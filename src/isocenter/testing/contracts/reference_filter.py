"""What a reference filter promises: the grid stays, and nothing changes when the reference is the image itself."""

from __future__ import annotations

import numpy as np

from isocenter.core.families import ReferenceFilter
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import run


@check("ReferenceFilter")
def identity_on_itself(operation: ReferenceFilter) -> None:
    """With the image as its own reference, the image comes out."""
    image = inputs_for(operation)[0]
    after = run(operation, (image, image))
    span = float(np.ptp(np.asarray(image.array, dtype=np.float64))) or 1.0
    apart = float(np.abs(np.asarray(after.array, dtype=np.float64) - np.asarray(image.array, dtype=np.float64)).max())
    allowed = max(operation.reproducible_within, 1e-5 * span)
    expect(apart <= allowed, f"with the image as its own reference, samples change by up to {apart:.3g} (allowed: {allowed:.3g})")


@check("ReferenceFilter")
def first_grid_kept(operation: ReferenceFilter) -> None:
    """The result lies on the image's grid, whatever the reference."""
    inputs = inputs_for(operation)
    after = run(operation, inputs)
    for name in ("dims", "shape", "geometry", "modality"):
        expect(getattr(after, name) == getattr(inputs[0], name), f"{name} changed to {getattr(after, name)}")
