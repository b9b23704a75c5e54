"""What a predictor promises: probabilities that sum to one, over classes with names."""

from __future__ import annotations

import math

from isocenter.core.families import Predictor
from isocenter.core.results import Prediction
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import run


@check("Predictor")
def probabilities_sum_to_one(operation: Predictor) -> None:
    """Probabilities lie in [0, 1] and sum to 1, or a finite value with a unit comes out."""
    result = run(operation, inputs_for(operation))
    expect(isinstance(result, Prediction), f"{type(result).__name__} came out: expected a Prediction")
    if result.classes:
        total = sum(result.probabilities)
        expect(all(0.0 <= p <= 1.0 for p in result.probabilities), f"probabilities {result.probabilities} lie outside 0 to 1")
        expect(abs(total - 1.0) <= 1e-6, f"probabilities sum to {total:.6g}")
        expect(len(set(result.classes)) == len(result.classes), f"classes {result.classes} repeat")
    else:
        expect(result.value is not None and math.isfinite(result.value), f"the predicted value is {result.value}")
        expect(result.unit, "the predicted value has no unit ('1' for a plain number)")
