"""What a measure promises: how its scores follow the intensities, as declared in ``scaling``."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.core.families import Measure
from isocenter.core.results import Score, Scores
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import attempt, run

_POWERS = {"invariant": 0.0, "linear": 1.0, "quadratic": 2.0}


@check("Measure")
def scores_have_units(operation: Measure) -> None:
    """Scores come out, each with a unit."""
    result = run(operation, inputs_for(operation))
    expect(isinstance(result, Scores) and len(result), f"{type(result).__name__} without a score came out")
    for name, score in result.items():
        expect(isinstance(score, Score) and score.unit, f"score '{name}' has no unit ('1' for a plain number)")


@check("Measure")
def scales_as_declared(operation: Measure) -> None:
    """With intensities times k the scores stay, grow by k or by its square, as ``scaling`` says."""
    expect(operation.scaling in _POWERS, f"scaling is '{operation.scaling}': expected one of {sorted(_POWERS)}")
    image, *rest = inputs_for(operation)
    image = image.replace(array=np.asarray(image.array, dtype=np.float64))
    first = run(operation, (image, *rest))
    for factor in (2.0, 0.25):
        second: Any = attempt(operation, (image.replace(array=image.array * factor), *rest))
        if second is None:
            continue
        for name, score in first.items():
            wanted = float(score) * factor ** _POWERS[operation.scaling]
            close = np.isclose(float(second[name]), wanted, rtol=1e-4, atol=1e-9, equal_nan=True)
            expect(
                close,
                f"with intensities times {factor:g}, '{name}' goes from {float(score):.6g} to {float(second[name]):.6g}: declared is {operation.scaling}",
            )
