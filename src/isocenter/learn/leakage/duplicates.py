"""Copies among cases: equal pixels, and pictures that are one after shift, flip, brightness or re-encoding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.leakage.facts import Facts
from isocenter.learn.leakage.likeness import aligned_likeness, candidates, turned
from isocenter.learn.leakage.report import Finding
from isocenter.learn.splits import Splits

__all__ = ["Copy", "clusters", "find_copies", "judge_copies", "merged"]

#: Likeness from which two pictures count as one. Measured: copies 0.99 and more, two people's radiographs up to 0.89.
SAME = 0.96
SHOWN = 400  # rows of evidence of one finding


@dataclass(frozen=True)
class Copy:
    """Two cases that show one picture.

    Attributes
    ----------
    first, second
        Positions in the cohort, ascending.
    likeness
        1 for equal pixels, else the correlation after alignment.
    exact
        Whether the pixels are equal.
    """

    first: int
    second: int
    likeness: float
    exact: bool


def find_copies(facts: Facts, least: float = SAME) -> list[Copy]:
    """Return all pairs of cases that show one picture, by position."""
    copies: dict[tuple[int, int], Copy] = {}
    by_digest: dict[str, list[int]] = {}
    for k, digest in enumerate(facts.digests):
        if digest:
            by_digest.setdefault(digest, []).append(k)
    for places in by_digest.values():
        for other in places[1:]:  # each with the first: the pairs between the others follow
            copies[places[0], other] = Copy(places[0], other, 1.0, True)
    # One of each set of equals stands for it: a picture that occurs often would fill the list of candidates.
    chosen = sorted(places[0] for places in by_digest.values())
    for flat in (True, False):
        kept = np.array([k for k in chosen if facts.flat[k] == flat and facts.thumbnails[k].any()], dtype=np.intp)
        seen: set[tuple[int, int]] = set()
        for i, j, turns in candidates(facts.spectra[kept], flips=flat):
            if (i, j) in seen:
                continue
            seen.add((i, j))
            first, second = int(kept[i]), int(kept[j])
            likeness = max(
                aligned_likeness(np.ascontiguousarray(turned(facts.thumbnails[first], t)), facts.thumbnails[second])
                for t in turns
            )
            if likeness >= least:
                copies[first, second] = Copy(first, second, likeness, False)
    return [copies[key] for key in sorted(copies)]


def clusters(copies: Iterable[Copy], count: int) -> list[list[int]]:
    """Return the sets of cases that are copies of each other, each ascending."""
    parent = list(range(count))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for copy in copies:
        a, b = sorted((root(copy.first), root(copy.second)))
        parent[b] = a
    sets: dict[int, list[int]] = {}
    for k in range(count):
        sets.setdefault(root(k), []).append(k)
    return [members for members in sets.values() if len(members) > 1]


def merged(cohort: Cohort, copies: Iterable[Copy]) -> Cohort:
    """Return a cohort in which all copies of a picture belong to one patient, so that no split divides them."""
    ties: dict[str, str] = {}

    def root(name: str) -> str:
        while ties.get(name, name) != name:
            name = ties[name]
        return name

    for copy in copies:
        a, b = sorted((root(cohort.samples[copy.first].patient), root(cohort.samples[copy.second].patient)))
        ties[b] = a
    samples: tuple[Sample, ...] = tuple(replace(s, patient=root(s.patient)) for s in cohort.samples)
    return replace(cohort, samples=samples)


def judge_copies(cohort: Cohort, copies: list[Copy], splits: Splits | None) -> list[Finding]:
    """Return what copies mean for a split: those across it refuse, those within a part are counted twice."""
    sets = clusters(copies, len(cohort))
    if not sets:
        return []
    rows = [_row(cohort, copy) for copy in copies]
    exact = sum(copy.exact for copy in copies)
    surplus = sum(len(members) - 1 for members in sets)
    kinds = f"{exact} with equal pixels, {len(copies) - exact} altered by shift, flip, brightness, size or encoding"
    across, within, torn = _counted(sets, splits)
    findings = []
    if torn:
        findings.append(
            Finding(
                "duplicates across",
                "refuse",
                f"{across} cases that are tested stand in the training part as well, as copies (in all {surplus} copies among "
                f"{len(cohort)} cases: {kinds}): the score would measure memory; keep one of each, or give copies the same "
                "patient so that no split divides them.",
                tuple(row for row, copy in zip(rows, copies, strict=True) if copy.first in torn or copy.second in torn)[:SHOWN],
            )
        )
    parts = ", ".join(f"{within[name]} within {name}" for name in ("train", "validation", "test") if within[name])
    if parts or not torn:
        findings.append(
            Finding(
                "duplicates within",
                "warn",
                f"{parts or surplus} of {len(cohort)} cases are copies of others (in all {surplus}: {kinds}): "
                "they count as several cases and make intervals too narrow; keep one of each.",
                tuple(row for row, copy in zip(rows, copies, strict=True) if copy.first not in torn)[:SHOWN],
            )
        )
    return findings + _conflicts(cohort, sets)


def _row(cohort: Cohort, copy: Copy) -> dict[str, str | float | bool]:
    first, second = cohort.samples[copy.first].identifier, cohort.samples[copy.second].identifier
    return {"first": first, "second": second, "likeness": round(copy.likeness, 4), "equal pixels": copy.exact}


def _counted(sets: list[list[int]], splits: Splits | None) -> tuple[int, Counter[str], set[int]]:
    """Return how many cases have a copy across a split, how many within each part, and all cases of torn sets.

    With several folds every case is tested in one of them, so the parts within are not told apart.
    """
    across: set[int] = set()
    within: Counter[str] = Counter()
    torn: set[int] = set()
    folds = () if splits is None else splits.folds
    for fold in folds:
        part = {index: name for name, indices in fold.parts.items() for index in indices}
        for members in sets:
            names = Counter(part[m] for m in members if m in part)
            if len(names) > 1:
                torn.update(members)
                across.update(m for m in members if part.get(m, "train") != ("train" if names["train"] else "validation"))
            if len(folds) == 1:
                within.update({name: n - 1 for name, n in names.items()})
    return len(across), within, torn


def _conflicts(cohort: Cohort, sets: list[list[int]]) -> list[Finding]:
    if cohort.task != "classification":
        return []
    wrong = [m for m in sets if len({cohort.samples[k].label for k in m}) > 1]
    if not wrong:
        return []
    evidence = tuple({"case": cohort.samples[k].identifier, "label": str(cohort.samples[k].label)} for m in wrong for k in m)
    first = [cohort.samples[k] for k in wrong[0]]
    other = next(s for s in first if s.label != first[0].label)
    return [
        Finding(
            "label conflict",
            "warn",
            f"{len(wrong)} pictures carry different labels in their copies, for instance '{first[0].identifier}' "
            f"({first[0].label}) and '{other.identifier}' ({other.label}): at most one is right; look at them.",
            evidence[:SHOWN],
        )
    ]
