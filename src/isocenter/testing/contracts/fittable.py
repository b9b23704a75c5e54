"""What a fittable operation promises: fitting changes neither itself nor the cohort, and gives a whole operation."""

from __future__ import annotations

import pickle
from typing import Any

from isocenter.core.families import Fittable
from isocenter.core.operation import Operation
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import image
from isocenter.testing.contracts.running import run


def _cohort(operation: Fittable) -> list[Any]:
    own = getattr(operation, "example_inputs", None)
    if own is not None:
        return list(own()[0][0])
    return [image(operation, ("z", "y", "x"), seed=k) for k in range(3)]


@check("Fittable")
def fitting_mutates_nothing(operation: Fittable) -> None:
    """Neither the operation nor a case of the cohort changes."""
    cohort = _cohort(operation)
    before = [getattr(case, "digest", None) for case in cohort]
    arrays = [getattr(case, "array", b"") for case in cohort]
    copies = [a.tobytes() if hasattr(a, "tobytes") else a for a in arrays]
    parameters = operation.parameters()
    run(operation, (cohort,))
    expect(operation.parameters() == parameters, "fitting changed its parameters")
    expect([getattr(case, "digest", None) for case in cohort] == before, "fitting changed a case")
    expect([a.tobytes() if hasattr(a, "tobytes") else a for a in arrays] == copies, "fitting changed the samples of a case")


@check("Fittable")
def fitted_is_an_operation(operation: Fittable) -> None:
    """What `fit` returns is an operation with plain parameters that pickles, the same for the same cohort and seed."""
    fitted = run(operation, (_cohort(operation),), seed=2)
    expect(isinstance(fitted, Operation), f"{type(fitted).__name__} came out: expected an Operation")
    again = run(operation, (_cohort(operation),), seed=2)
    expect(fitted == again, "fitting twice with the same seed gives different operations")
    expect(pickle.loads(pickle.dumps(fitted)) == fitted, "the fitted operation does not survive a pickle round trip")  # noqa: S301 - its own bytes
