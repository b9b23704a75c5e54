"""The same scores apart for each subgroup: where a model is worse, and how few cases say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import IsocenterError
from isocenter.core.results import Scores

__all__ = ["Subgroup", "by_subgroup"]

#: Below this many patients an interval is wider than most questions, and the value may single out a person.
SMALL = 10


@dataclass(frozen=True)
class Subgroup:
    """The scores of one value of one attribute.

    Attributes
    ----------
    attribute, value
        For instance ``sex`` and ``F``.
    n, patients
        Cases and patients in it.
    scores
        None where they cannot be computed.
    note
        Why not, or that the group is too small to conclude from; empty otherwise.
    """

    attribute: str
    value: str
    n: int
    patients: int
    scores: Scores | None
    note: str = ""


def by_subgroup(
    attributes: Mapping[str, npt.ArrayLike],
    groups: npt.ArrayLike,
    evaluate: Callable[[npt.NDArray[np.int64]], Scores],
) -> tuple[Subgroup, ...]:
    """Evaluate each value of each attribute apart.

    Parameters
    ----------
    attributes
        Name -> value of each case, as text, shape (n,). Numbers of many values (an age) are cut into thirds.
    groups
        Patient of each case.
    evaluate
        Gives the scores of the cases with the handed indices.
    """
    patients = np.asarray(groups).ravel()
    rows: list[Subgroup] = []
    for name, given in attributes.items():
        values = _cut(np.asarray(given).ravel())
        for value in sorted(set(values.tolist())):
            inside = np.flatnonzero(values == value)
            count = int(np.unique(patients[inside]).size)
            note = f"{count} patients: too few to conclude from" if count < SMALL else ""
            try:
                scores: Scores | None = evaluate(inside)
            except IsocenterError as error:
                scores, note = None, str(error)
            rows.append(Subgroup(name, str(value), int(inside.size), count, scores, note))
    return tuple(rows)


def _cut(values: npt.NDArray[np.generic]) -> npt.NDArray[np.str_]:
    """Return values as text; numbers with more than six different ones as thirds."""
    text = np.array(["(not given)" if str(v) in ("", "nan", "None") else str(v) for v in values])
    known = text != "(not given)"
    try:
        numbers = text[known].astype(np.float64)
    except ValueError:
        return text
    if np.unique(numbers).size <= 6:
        return text
    low, high = np.quantile(numbers, [1 / 3, 2 / 3])
    labels = np.where(numbers <= low, f"up to {low:g}", np.where(numbers <= high, f"{low:g} to {high:g}", f"above {high:g}"))
    out = text.astype(object)
    out[known] = labels
    return out.astype(str)
