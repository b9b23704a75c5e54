"""Labels in file names: spelled, abbreviated to a code, or hidden in the order of the numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isocenter.core.text import plain
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.leakage.association import coded, cramers_v, telling_class
from isocenter.learn.leakage.report import Finding

__all__ = ["judge_names", "tokens"]

FEWEST = 10
_TOKEN = re.compile(r"[a-z]+|[0-9]+")


def tokens(name: str) -> list[str]:
    """Return the words and numbers of a file's name, lower case, without its suffixes: ``CHNCXR_0013_0.png`` has three."""
    stem = name
    while (suffix := Path(stem).suffix) and len(suffix) <= 6 and not suffix[1:].isdigit():
        stem = stem.removesuffix(suffix)
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)
    return _TOKEN.findall(split.lower())


def judge_names(cohort: Cohort) -> list[Finding]:
    """Return whether names of files, or of the folders around them, tell the class."""
    if cohort.task != "classification" or len(cohort.classes) < 2 or (cohort.targets < 0).any():
        return []
    paths = [s.path for s in cohort.samples]
    if any(path is None for path in paths) or len(cohort) < 2:
        return []
    names = [path.name for path in paths if path is not None]
    folders = [path.parent.name for path in paths if path is not None]
    labels = [str(s.label) for s in cohort.samples]
    for what, texts in (("file", names), ("folder", folders)):
        if what == "folder" and all(f == label for f, label in zip(folders, labels, strict=True)):
            continue  # a folder for each class is a layout that says so
        found = _spelled(cohort, what, texts, labels) or _coded(cohort, what, texts, names) or _ordered(cohort, what, texts)
        if found is not None:
            return [found]
    return []


def _finding(how: str, rows: Sequence[tuple[str, str]]) -> Finding:
    return Finding(
        "file name",
        "warn",
        f"{how}: whoever reads the names, a person or a program that sorts by them, knows the class; "
        "nothing here learns from names, but copy the files under neutral names before you share or read them.",
        tuple({"name": plain(name, 200), "label": plain(label, 80)} for name, label in rows[:20]),
    )


def _spelled(cohort: Cohort, what: str, texts: Sequence[str], labels: Sequence[str]) -> Finding | None:
    """Find the class itself in the name, whatever its case and separators."""
    wanted = {label: tokens(label) for label in cohort.classes}
    if any(len("".join(words)) < 2 or "".join(words).isdigit() for words in wanted.values() if words):
        wanted = {label: words for label, words in wanted.items() if len("".join(words)) >= 2 and not "".join(words).isdigit()}
    hits, wrong = [], 0
    for text, label in zip(texts, labels, strict=True):
        joined = "".join(tokens(text))
        present = [name for name, words in wanted.items() if words and "".join(words) in joined]
        present = [
            name
            for name in present
            if not any(name != other and "".join(wanted[name]) in "".join(wanted[other]) for other in present)
        ]
        if present == [label]:
            hits.append((text, label))
        elif present:
            wrong += 1
    if len(hits) < max(2, len(texts) // 20) or wrong > len(hits) // 4:
        return None
    return _finding(
        f"{len(hits)} of {len(texts)} {what} names hold the class itself (for instance '{plain(hits[0][0], 120)}')", hits
    )


def _coded(cohort: Cohort, what: str, texts: Sequence[str], names: Sequence[str]) -> Finding | None:
    """Find a part of the name, counted from either end, whose few values stand for the classes."""
    if len(texts) < FEWEST:
        return None
    split = [tokens(text) for text in texts]
    targets = cohort.targets.astype(np.intp)
    longest = min(max(map(len, split), default=0), 12)
    for place in [-1, 0, *range(-2, -longest - 1, -1), *range(1, longest)]:
        values = [parts[place] if -len(parts) <= place < len(parts) else "" for parts in split]
        distinct = set(values)
        if not 2 <= len(distinct) <= max(2 * len(cohort.classes), 4):
            continue
        strength = cramers_v(coded(values), targets)
        if strength < 0.9:
            continue
        where = (
            "last part"
            if place == -1
            else "first part"
            if place == 0
            else f"part {place + 1}"
            if place > 0
            else f"part {-place} from the end"
        )
        table = "; ".join(
            f"'{value}' is {_most([cohort.classes[t] for v, t in zip(values, targets, strict=True) if v == value])}"
            for value in sorted(distinct)[:4]
        )
        rows = [(names[k], cohort.classes[targets[k]]) for k in range(len(names))]
        return _finding(
            f"The {where} of every {what} name tells the class ({plain(table, 200)}; association {strength:.2f})", rows
        )
    return None


def _most(values: Sequence[str]) -> str:
    return max(sorted(set(values)), key=values.count)


def _ordered(cohort: Cohort, what: str, texts: Sequence[str]) -> Finding | None:
    """Find numbers that run through the classes one after the other."""
    if len(texts) < 2 * FEWEST:
        return None
    numbers = [[int(part) for part in tokens(text) if part.isdigit() and len(part) < 16] for text in texts]
    if not all(numbers):
        return None
    targets = cohort.targets.astype(np.intp)
    for place in (-1, 0):
        values = [float(row[place]) for row in numbers]
        if len(set(values)) < len(texts) // 2:
            continue
        told = telling_class([coded(values, bins=12)], targets, cohort.groups)
        if told.low >= 0.85:
            rows = [(texts[k], cohort.classes[targets[k]]) for k in np.argsort(values, kind="stable")]
            return _finding(
                f"The numbers in the {what} names run through the classes in turn (they tell it with AUC {told.value:.2f})", rows
            )
    return None
