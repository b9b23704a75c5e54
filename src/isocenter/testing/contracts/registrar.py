"""What a registrar promises: equal images need no transform, and what it finds can be undone."""

from __future__ import annotations

import numpy as np

from isocenter.core.families import Registrar
from isocenter.core.transform import Transform
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import run


@check("Registrar")
def identity_on_equal_images(operation: Registrar) -> None:
    """Registering an image with itself moves its corners by less than a tenth of a sample."""
    fixed = inputs_for(operation)[0]
    transform = run(operation, (fixed, fixed))
    expect(isinstance(transform, Transform), f"{type(transform).__name__} came out: expected a Transform")
    corners = fixed.geometry.corners()
    moved = float(np.linalg.norm(transform(corners) - corners, axis=1).max())
    allowed = 0.1 * min(fixed.geometry.spacing)
    expect(moved <= allowed, f"an image registered with itself is moved by up to {moved:.3g} mm (allowed: {allowed:.3g} mm)")


@check("Registrar")
def can_be_undone(operation: Registrar) -> None:
    """The inverse brings points back to within a tenth of a sample."""
    fixed = inputs_for(operation)[0]
    transform = run(operation, inputs_for(operation))
    corners = fixed.geometry.corners()
    off = float(np.linalg.norm(transform.inverse()(transform(corners)) - corners, axis=1).max())
    expect(off <= 0.1 * min(fixed.geometry.spacing), f"there and back again, corners end up {off:.3g} mm off")
