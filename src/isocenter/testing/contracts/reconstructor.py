"""What a reconstructor promises: an image on its grid, and, with a forward model, the phantom back."""

from __future__ import annotations

import numpy as np

from isocenter.core.families import Reconstructor
from isocenter.core.image import Image
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import run


@check("Reconstructor")
def image_comes_out(operation: Reconstructor) -> None:
    """An image with real, finite samples comes out, on the raw data's grid where that is known."""
    raw = inputs_for(operation)[0]
    result = run(operation, (raw,))
    expect(isinstance(result, Image), f"{type(result).__name__} came out: expected an Image")
    expect(result.dtype.kind in "fiu", f"samples of type {result.dtype} came out: expected real ones")
    if raw.geometry is not None:
        expect(result.geometry == raw.geometry, f"the image lies on {result.geometry}, asked for was {raw.geometry}")


@check("Reconstructor", when=lambda operation: hasattr(operation, "phantom_and_raw"))
def forward_then_inverse(operation: Reconstructor) -> None:
    """The raw data of a phantom (``phantom_and_raw()``) give the phantom back to within ``round_trip_tolerance``."""
    phantom, raw = operation.phantom_and_raw()  # type: ignore[attr-defined]  # `when` asked for it
    result = run(operation, (raw,))
    truth = np.asarray(phantom.array, dtype=np.float64)
    span = float(np.ptp(truth)) or 1.0
    error = float(np.sqrt(np.mean((np.asarray(result.array, dtype=np.float64) - truth) ** 2))) / span
    allowed = float(getattr(operation, "round_trip_tolerance", 0.05))
    expect(error <= allowed, f"the phantom comes back with an error of {error:.2%} of its range (allowed: {allowed:.2%})")
