"""What a fuser promises: one grid in, the same grid out; different grids are refused by name."""

from __future__ import annotations

from isocenter.core.families import Fuser
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import attempt, run


@check("Fuser")
def common_grid_kept(operation: Fuser) -> None:
    """The result lies on the inputs' grid."""
    inputs = inputs_for(operation)
    result = run(operation, inputs)
    expect(
        result.geometry == inputs[0].geometry and result.shape[-result.geometry.ndim :] == result.geometry.shape,
        "the grid changed",
    )


@check("Fuser")
def grids_must_match(operation: Fuser) -> None:
    """Images on different grids, or a single one, are refused in one sentence."""
    one, two = inputs_for(operation)[:2]
    moved = two.replace(geometry=two.geometry.crop((1,) * two.geometry.ndim, two.geometry.shape))
    expect(attempt(operation, (one, moved)) is None, "it fused images whose grids lie one sample apart")
    expect(attempt(operation, (one,)) is None, "it fused a single image")
