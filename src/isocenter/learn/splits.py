"""Splits: which cases train and which test, never two of one patient on both sides.

Every scheme groups by patient, which cannot be switched off, spreads classes and sites as evenly as whole
patients allow, and gives the same folds for the same cohort and seed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError, ParameterError
from isocenter.learn.balance import deal
from isocenter.learn.data.cohort import NUMERIC, Cohort

__all__ = ["Fold", "Splits", "check_disjoint", "given", "holdout", "kfold", "leave_one_site_out", "nested"]

Stratum = Literal["label", "site"]


@dataclass(frozen=True)
class Fold:
    """One division of a cohort; positions in the cohort, ascending.

    Parameters
    ----------
    train, test
        What is learnt from, and what is judged on.
    validation
        What a training may stop or choose by.
    name
        The site that is left out, where a scheme leaves one out.
    """

    train: tuple[int, ...]
    test: tuple[int, ...]
    validation: tuple[int, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        for part in ("train", "test", "validation"):
            object.__setattr__(self, part, tuple(sorted(int(i) for i in getattr(self, part))))

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """The parts that hold cases, by name."""
        return {
            name: part for name, part in (("train", self.train), ("validation", self.validation), ("test", self.test)) if part
        }


@dataclass(frozen=True)
class Splits:
    """All divisions of one cohort, as they are stored with a run.

    Parameters
    ----------
    name
        The scheme.
    seed
        What it was drawn with.
    folds
        The divisions.
    digest
        Digest of the cohort that they divide.
    inner
        For nested schemes: the divisions of each fold's training part, in positions of the whole cohort.
    notes
        What could not be spread evenly, one sentence each.
    """

    name: str
    seed: int
    folds: tuple[Fold, ...]
    digest: str
    inner: tuple[tuple[Fold, ...], ...] = ()
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> str:
        """Return the splits as JSON text."""
        rows = {
            "format": "isocenter splits 1",
            "name": self.name,
            "seed": self.seed,
            "digest": self.digest,
            "folds": [_to_dict(fold) for fold in self.folds],
            "inner": [[_to_dict(fold) for fold in folds] for folds in self.inner],
            "notes": list(self.notes),
        }
        return json.dumps(rows, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Splits:
        """Read splits from JSON text.

        Raises
        ------
        FormatError
            If the text is not that of splits.
        """
        try:
            rows = json.loads(text)
            return cls(
                str(rows["name"]),
                int(rows["seed"]),
                tuple(_from_dict(row) for row in rows["folds"]),
                str(rows["digest"]),
                tuple(tuple(_from_dict(row) for row in folds) for folds in rows.get("inner", [])),
                tuple(str(note) for note in rows.get("notes", [])),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FormatError(
                f"Splits: the text is not that of stored splits ({error!r}); expected what to_json wrote."
            ) from error

    def check(self, cohort: Cohort) -> None:
        """Raise unless the splits belong to `cohort` and no fold tests on what it trains on.

        Raises
        ------
        ContentError
            If they were made for another cohort, or a patient stands on both sides.
        """
        if self.digest != cohort.digest:
            raise ContentError(
                f"Splits '{self.name}' were made for another cohort than '{cohort.name}' ({len(cohort)} cases as it is now): "
                "expected the table they were made from; make new splits for the changed one."
            )
        for fold in (*self.folds, *(fold for folds in self.inner for fold in folds)):
            check_disjoint(cohort, fold)


def check_disjoint(cohort: Cohort, fold: Fold) -> None:
    """Refuse to test on training data.

    Parameters
    ----------
    cohort
        The cases.
    fold
        A division of them.

    Raises
    ------
    ContentError
        If a part is empty, a case or a patient stands in two parts, or a position lies outside of the cohort.
    """
    if not fold.train or not fold.test:
        raise ContentError(
            f"A fold of '{cohort.name}' holds {len(fold.train)} cases to train on and {len(fold.test)} to test on: "
            "expected at least one of each."
        )
    positions = np.concatenate([np.asarray(part, dtype=np.int64) for part in fold.parts.values()])
    if positions.min() < 0 or positions.max() >= len(cohort):
        raise ContentError(
            f"A fold names case {int(positions.max())} of '{cohort.name}', which has {len(cohort)}: expected splits of this cohort."
        )
    owner: dict[str, tuple[str, int]] = {}
    for part, indices in fold.parts.items():
        for index in indices:
            sample = cohort.samples[index]
            before = owner.setdefault(sample.patient, (part, index))
            if before[0] != part:
                what = f"case '{sample.identifier}'" if before[1] == index else f"patient '{sample.patient}'"
                raise ContentError(
                    f"Testing on training data: {what} of '{cohort.name}' stands in {before[0]} and in {part}; "
                    "expected each patient in one part; split with kfold, holdout or leave_one_site_out, which group by patient."
                )


def kfold(
    cohort: Cohort,
    folds: int = 5,
    seed: int = 0,
    stratify: Sequence[Stratum] = ("label", "site"),
    *,
    validation: float = 0.0,
) -> Splits:
    """Divide a cohort into folds, each of which tests once.

    Parameters
    ----------
    cohort
        The cases.
    folds
        How many, at least 2.
    seed
        Decides among equally even divisions.
    stratify
        What is spread evenly: ``label``, ``site``, both or none.
    validation
        Share of the training patients that is set aside to stop and choose by.

    Raises
    ------
    ContentError
        If there are fewer patients than folds, or a class of one patient.
    """
    part, notes = _parts(cohort, np.arange(len(cohort)), [1.0] * folds, seed, stratify)
    made = tuple(
        _fold(cohort, np.flatnonzero(part != k), np.flatnonzero(part == k), validation, seed + 1 + k, stratify)
        for k in range(folds)
    )
    return Splits("kfold", seed, made, cohort.digest, notes=notes)


def nested(
    cohort: Cohort, folds: int = 5, inner: int = 4, seed: int = 0, stratify: Sequence[Stratum] = ("label", "site")
) -> Splits:
    """Divide a cohort into folds, and the training part of each into folds again, for choices made inside.

    Parameters
    ----------
    cohort
        The cases.
    folds, inner
        Outer folds, which judge, and inner ones, which choose.
    seed, stratify
        As for `kfold`.
    """
    outer = kfold(cohort, folds, seed, stratify)
    inside = []
    for k, fold in enumerate(outer.folds):
        indices = np.asarray(fold.train)
        part, _ = _parts(cohort, indices, [1.0] * inner, seed + 101 + k, stratify)
        inside.append(tuple(Fold(tuple(indices[part != j]), tuple(indices[part == j])) for j in range(inner)))
    return Splits("nested", seed, outer.folds, cohort.digest, tuple(inside), outer.notes)


def holdout(
    cohort: Cohort,
    test: float = 0.2,
    validation: float = 0.0,
    seed: int = 0,
    stratify: Sequence[Stratum] = ("label", "site"),
) -> Splits:
    """Set one part of the patients aside for the test.

    Parameters
    ----------
    cohort
        The cases.
    test, validation
        Their shares of the cases, each between 0 and 1; what is left trains.
    seed, stratify
        As for `kfold`.
    """
    if not 0 < test < 1 or not 0 <= validation < 1 - test:
        raise ParameterError(
            f"Shares test = {test} and validation = {validation}: expected test between 0 and 1 and something left to train on."
        )
    part, notes = _parts(cohort, np.arange(len(cohort)), [1 - test, test], seed, stratify)
    share = validation / (1 - test)
    fold = _fold(cohort, np.flatnonzero(part == 0), np.flatnonzero(part == 1), share, seed + 1, stratify)
    return Splits("holdout", seed, (fold,), cohort.digest, notes=notes)


def leave_one_site_out(cohort: Cohort) -> Splits:
    """Test on each site in turn, having trained on the others.

    A patient who was seen at two sites trains nothing while one of them is tested.

    Raises
    ------
    ContentError
        If fewer than two sites are known, or a training part would lack a class.
    """
    sites = cohort.sites
    names = sorted({str(site) for site in sites if site})
    unknown = int(np.sum(sites == ""))
    if len(names) < 2 or unknown:
        raise ContentError(
            f"Leave-one-site-out of '{cohort.name}': {len(names)} sites are known and {unknown} cases have none; "
            "expected two or more and one for every case; add a 'site' column."
        )
    folds = []
    for name in names:
        inside = sites == name
        away = ~np.isin(cohort.groups, cohort.groups[inside])
        _require_classes(cohort, np.flatnonzero(away), f"without site '{name}'")
        folds.append(Fold(tuple(np.flatnonzero(away)), tuple(np.flatnonzero(inside)), name=name))
    return Splits("leave_one_site_out", 0, tuple(folds), cohort.digest)


def given(cohort: Cohort, parts: Sequence[str]) -> Splits:
    """Return a division that came with the data, as it is: `check_disjoint` and the leakage scan judge it.

    Parameters
    ----------
    cohort
        The cases.
    parts
        ``train``, ``validation`` or ``test`` for each.
    """
    known = ("train", "validation", "test")
    wrong = sorted({part for part in parts if part not in known})
    if wrong or len(parts) != len(cohort):
        raise ParameterError(
            f"Given split of '{cohort.name}': {len(parts)} parts for {len(cohort)} cases, among them {wrong or 'no unknown ones'}; "
            "expected train, validation or test for each case."
        )
    train, validation, test = (tuple(k for k, part in enumerate(parts) if part == name) for name in known)
    return Splits("given", 0, (Fold(train, test, validation),), cohort.digest)


# -- inside -------------------------------------------------------------------------------------------------


def _fold(
    cohort: Cohort,
    train: npt.NDArray[Any],
    test: npt.NDArray[Any],
    validation: float,
    seed: int,
    stratify: Sequence[Stratum],
) -> Fold:
    if not 0 <= validation < 1:
        raise ParameterError(f"Share validation = {validation}: expected 0 or more and less than 1.")
    if not validation:
        fold = Fold(tuple(train), tuple(test))
    else:
        part, _ = _parts(cohort, train, [1 - validation, validation], seed, stratify)
        fold = Fold(tuple(train[part == 0]), tuple(test), tuple(train[part == 1]))
    check_disjoint(cohort, fold)
    return fold


def _parts(
    cohort: Cohort, indices: npt.NDArray[Any], shares: Sequence[float], seed: int, stratify: Sequence[Stratum]
) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    """Return the part of each of `indices`, and what could not be spread evenly."""
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
        _require_classes(cohort, indices[part != k], f"outside of part {k + 1}")
    return part, notes


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


def _require_classes(cohort: Cohort, indices: npt.NDArray[Any], where: str) -> None:
    if cohort.task != "classification":
        return
    present = {cohort.samples[int(i)].label for i in indices}
    missing = [name for name in cohort.classes if name not in present]
    if missing:
        raise ContentError(
            f"No case of class '{missing[0]}' is left to learn from {where} in '{cohort.name}': "
            "expected every class in every training part; ask for another division or add patients of that class."
        )


def _strata(cohort: Cohort, indices: npt.NDArray[Any], parts: int, stratify: Sequence[Stratum]) -> list[npt.NDArray[np.intp]]:
    """Return what is to be spread evenly, most important first: class and site together, then each alone."""
    singles: dict[str, npt.NDArray[np.intp]] = {}
    if "label" in stratify and cohort.task == "classification":
        singles["label"] = cohort.targets[indices].astype(np.intp)
    elif "label" in stratify and cohort.task in NUMERIC:
        values = cohort.labels[indices]
        bins = int(np.clip(len(values) // max(2 * parts, 1), 1, 10))
        edges = np.nanquantile(values, np.linspace(0, 1, bins + 1)[1:-1]) if np.isfinite(values).any() else np.empty(0)
        singles["label"] = np.searchsorted(edges, values, side="right").astype(np.intp)
    if "site" in stratify:
        singles["site"] = np.unique(cohort.sites[indices], return_inverse=True)[1].reshape(-1).astype(np.intp)
    strata = list(singles.values())
    if len(strata) == 2:
        both = strata[0] * (int(strata[1].max()) + 1) + strata[1]
        strata.insert(0, np.unique(both, return_inverse=True)[1].reshape(-1).astype(np.intp))
    return strata


def _to_dict(fold: Fold) -> dict[str, Any]:
    return {"name": fold.name, "test": list(fold.test), "train": list(fold.train), "validation": list(fold.validation)}


def _from_dict(row: dict[str, Any]) -> Fold:
    return Fold(tuple(row["train"]), tuple(row["test"]), tuple(row.get("validation", ())), str(row.get("name", "")))
