"""Patients dealt into parts, with what makes a division impossible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.learn.balance import deal
from isocenter.learn.data.cohort import NUMERIC, Cohort

__all__ = ["Stratum", "binned", "parted", "require_classes"]

Stratum = Literal["label", "site"]


def parted(
    cohort: Cohort, indices: npt.NDArray[Any], shares: Sequence[float], seed: int, stratify: Sequence[Stratum]
) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    """Return the part of each of `indices`, and what could not be spread evenly.

    Parameters
    ----------
    cohort
        The cases.
    indices
        Those that are divided.
    shares
        Of each part.
    seed, stratify
        As for `isocenter.learn.splits.kfold`.

    Raises
    ------
    ContentError
        If whole patients cannot be divided so, or a training part would lack a class.
    """
    wrong = [name for name in stratify if name not in ("label", "site")]
    if wrong:
        raise ParameterError(f"Stratify by {wrong}: expected 'label', 'site', both or neither.")
    if len(shares) < 2:
        raise ParameterError(f"{len(shares)} folds of '{cohort.name}': expected 2 or more.")
    names, groups = np.unique(cohort.groups[indices], return_inverse=True)
    if len(names) < len(shares):
        raise ContentError(
            f"{len(shares)} parts of '{cohort.name}' were asked for, but its {len(indices)} cases are of {len(names)} "
            f"patient{'s' if len(names) != 1 else ''}, who cannot be divided: expected at least one patient a part; "
            "ask for fewer folds or add patients."
        )
    notes = _check_classes(cohort, indices, groups, len(shares))
    strata = _strata(cohort, indices, len(shares), stratify)
    dealt = deal(groups.reshape(-1).astype(np.intp), strata, shares, seed)
    part = dealt[groups.reshape(-1)]
    for k in range(len(shares)):
        if not np.any(part == k):
            raise ContentError(
                f"Part {k + 1} of {len(shares)} of '{cohort.name}' would be empty: a few patients hold most of its "
                f"{len(indices)} cases; expected patients of like size; ask for fewer folds."
            )
        require_classes(cohort, indices[part != k], f"outside of part {k + 1}")
    return part, notes


def require_classes(cohort: Cohort, indices: npt.NDArray[Any], where: str) -> None:
    """Raise unless every class of a cohort is among `indices`.

    Parameters
    ----------
    cohort, indices
        The cases, and those that would be learnt from.
    where
        Which those are, for the message.
    """
    if cohort.task != "classification":
        return
    present = {cohort.samples[int(i)].label for i in indices}
    missing = [name for name in cohort.classes if name not in present]
    if missing:
        raise ContentError(
            f"No case of class '{missing[0]}' is left to learn from {where} in '{cohort.name}': "
            "expected every class in every training part; ask for another division or add patients of that class."
        )


def binned(values: npt.NDArray[Any], parts: int) -> npt.NDArray[np.intp]:
    """Return the bin of each number, at most ten of like size, so that numbers can be spread as classes are.

    Parameters
    ----------
    values
        Numbers; those that are not finite are the last bin's.
    parts
        That they are spread over: each is to get two of every bin.
    """
    bins = int(np.clip(len(values) // max(2 * parts, 1), 1, 10))
    edges = np.nanquantile(values, np.linspace(0, 1, bins + 1)[1:-1]) if np.isfinite(values).any() else np.empty(0)
    return np.searchsorted(edges, values, side="right").astype(np.intp)


def _check_classes(cohort: Cohort, indices: npt.NDArray[Any], groups: npt.NDArray[Any], parts: int) -> tuple[str, ...]:
    """Refuse classes that cannot be both learnt and tested; note those that some part will lack."""
    if cohort.task != "classification":
        return ()
    unknown = [cohort.samples[i].identifier for i in indices if cohort.samples[i].label is None]
    if unknown:
        raise ContentError(
            f"{len(unknown)} cases of '{cohort.name}' have no label (the first is '{unknown[0]}'): expected a class for each; "
            "label them or leave them out."
        )
    targets = cohort.targets[indices]
    if len(np.unique(targets)) < 2:
        only = cohort.classes[int(targets[0])]
        raise ContentError(
            f"All {len(indices)} cases of '{cohort.name}' are of the class '{only}': expected two classes or more to tell apart; "
            "add cases of another one."
        )
    notes = []
    for target in np.unique(targets):
        patients = len(np.unique(groups.reshape(-1)[targets == target]))
        name = cohort.classes[int(target)]
        if patients < 2:
            cases = int(np.sum(targets == target))
            raise ContentError(
                f"Class '{name}' of '{cohort.name}' has {cases} case{'s' if cases != 1 else ''} of one patient, "
                "who cannot be both learnt from and tested: expected two patients or more of each class; add some or drop the class."
            )
        if patients < parts:
            notes.append(
                f"Class '{name}' has {patients} patients for {parts} parts, so some parts test none of it: "
                "its figures rest on those patients alone."
            )
    return tuple(notes)


def _strata(cohort: Cohort, indices: npt.NDArray[Any], parts: int, stratify: Sequence[Stratum]) -> list[npt.NDArray[np.intp]]:
    """Return what is to be spread evenly, most important first: class and site together, then each alone."""
    singles: dict[str, npt.NDArray[np.intp]] = {}
    if "label" in stratify and cohort.task == "classification":
        singles["label"] = cohort.targets[indices].astype(np.intp)
    elif "label" in stratify and cohort.task == "survival":  # how many had the event decides what a part can show
        singles["label"] = cohort.matrix(["event"])[indices, 0].astype(np.intp)
    elif "label" in stratify and cohort.task in NUMERIC:
        singles["label"] = binned(cohort.labels[indices], parts)
    if "site" in stratify:
        singles["site"] = np.unique(cohort.sites[indices], return_inverse=True)[1].reshape(-1).astype(np.intp)
    strata = list(singles.values())
    if len(strata) == 2:
        both = strata[0] * (int(strata[1].max()) + 1) + strata[1]
        strata.insert(0, np.unique(both, return_inverse=True)[1].reshape(-1).astype(np.intp))
    return strata
