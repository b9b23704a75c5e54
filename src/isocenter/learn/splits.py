"""Splits: which cases train and which test, never two of one patient on both sides.

Every scheme groups by patient, which cannot be switched off, spreads classes and sites as evenly as whole
patients allow, and gives the same folds for the same cohort and seed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError, ParameterError
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.strata import Stratum, parted, require_classes

__all__ = ["Fold", "Splits", "check_disjoint", "given", "holdout", "kfold", "leave_one_site_out", "nested", "sites_apart"]


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

    @property
    def pairs(self) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Training and test indices of each fold."""
        return [(np.asarray(f.train, np.int64), np.asarray(f.test, np.int64)) for f in self.folds]

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
    part, notes = parted(cohort, np.arange(len(cohort)), [1.0] * folds, seed, stratify)
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
        part, _ = parted(cohort, indices, [1.0] * inner, seed + 101 + k, stratify)
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
    part, notes = parted(cohort, np.arange(len(cohort)), [1 - test, test], seed, stratify)
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
        require_classes(cohort, np.flatnonzero(away), f"without site '{name}'")
        folds.append(Fold(tuple(np.flatnonzero(away)), tuple(np.flatnonzero(inside)), name=name))
    return Splits("leave_one_site_out", 0, tuple(folds), cohort.digest)


def sites_apart(cohort: Cohort) -> Splits | None:
    """Return the splits of `leave_one_site_out`, None where sites cannot be left out.

    Parameters
    ----------
    cohort
        The cases.
    """
    try:
        return leave_one_site_out(cohort)
    except ContentError:
        return None


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
        part, _ = parted(cohort, train, [1 - validation, validation], seed, stratify)
        fold = Fold(tuple(train[part == 0]), tuple(test), tuple(train[part == 1]))
    check_disjoint(cohort, fold)
    return fold


def _to_dict(fold: Fold) -> dict[str, Any]:
    return {"name": fold.name, "test": list(fold.test), "train": list(fold.train), "validation": list(fold.validation)}


def _from_dict(row: dict[str, Any]) -> Fold:
    return Fold(tuple(row["train"]), tuple(row["test"]), tuple(row.get("validation", ())), str(row.get("name", "")))
