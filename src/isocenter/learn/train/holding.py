"""Which cases of a training fold choose the best epoch: given, or drawn without dividing a patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.learn.balance import deal

__all__ = ["held_out"]


def held_out(
    validation: Sequence[int] | float,
    count: int,
    seed: int,
    groups: Sequence[str] | None = None,
    classes: npt.NDArray[np.int64] | None = None,
) -> list[int]:
    """Return the cases that are not learnt from.

    Parameters
    ----------
    validation
        Their indices, or the part to draw; 0 or none holds none out.
    count
        Cases in all.
    seed
        Of the draw.
    groups
        Patient of each case: a drawn part takes whole patients, and given indices must.
    classes
        Of each case, spread evenly over both parts.

    Raises
    ------
    ParameterError
        If the part, the indices or the number of groups do not fit.
    ContentError
        If indices divide a patient, or whole patients leave a class without a case to learn from.
    """
    if groups is not None and len(groups) != count:
        raise ParameterError(f"{len(groups)} groups of {count} cases: expected one for each.")
    if not isinstance(validation, int | float):
        return _given(validation, count, groups)
    if not 0 <= validation < 1:
        raise ParameterError(f"A validation part of {validation}: expected 0 or more and less than 1, or indices of cases.")
    if groups is not None:
        return _whole_patients(float(validation), groups, classes, seed)
    generator = np.random.default_rng(seed)
    found: list[int] = []
    strata = np.zeros(count, np.int64) if classes is None else classes
    for k in np.unique(strata):
        members = np.flatnonzero(strata == k)
        found += [
            int(m) for m in generator.permutation(members)[: min(int(np.ceil(validation * len(members))), len(members) - 1)]
        ]
    return sorted(found)


def _given(validation: Sequence[int], count: int, groups: Sequence[str] | None) -> list[int]:
    held = sorted({int(k) for k in validation})
    if (held and (held[0] < 0 or held[-1] >= count)) or len(held) >= count:
        raise ParameterError(f"Validation cases {held} of {count}: expected indices from 0 to {count - 1}, not all of them.")
    if groups is not None:
        chosen = {str(groups[k]) for k in held}
        both = sorted(chosen & {str(g) for k, g in enumerate(groups) if k not in held})
        if both:
            raise ContentError(
                f"Patient '{both[0]}' has cases to learn from and cases that choose the epoch ({len(both)} such patients): "
                "expected whole patients on one side; give all indices of a patient, or a part to draw."
            )
    return held


def _whole_patients(validation: float, groups: Sequence[str], classes: npt.NDArray[np.int64] | None, seed: int) -> list[int]:
    _, group = np.unique([str(g) for g in groups], return_inverse=True)
    group = group.reshape(-1).astype(np.intp)
    if not validation or group.max() == 0:
        return []
    strata = [] if classes is None else [classes.astype(np.intp)]
    part = deal(group, strata, [1.0 - validation, validation], seed)
    if not part.any():  # few patients: the smallest one chooses
        part[int(np.argmin(np.bincount(group)))] = 1
    held = np.flatnonzero(part[group] == 1)
    if held.size == group.size or (classes is not None and np.unique(np.delete(classes, held)).size < np.unique(classes).size):
        raise ContentError(
            f"Whole patients cannot be divided into a part of {validation:g} that chooses the epoch and cases of every class to learn "
            "from: expected more patients; take a smaller part, or give indices."
        )
    return [int(k) for k in held]
