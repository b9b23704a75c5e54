"""What labels are: classes, numbers, or files of masks, boxes or points; told from their texts, with the reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from isocenter.core.errors import FormatError, ParameterError
from isocenter.core.text import plain
from isocenter.io.layouts.dataset_json import below
from isocenter.learn.data.cohort import NUMERIC, TASKS, Task

__all__ = ["below", "infer_task", "number", "typed"]

#: Files that hold rows, not samples.
TABLES = (".csv", ".tsv", ".json", ".txt")
#: Column names that only boxes have.
BOXES = frozenset({"width", "height", "w", "h", "x1", "x2", "xmin", "xmax", "x_min", "x_max", "x0", "stop", "boxes"}) | {
    *(f"{axis}_{end}" for axis in ("x", "y", "z", "row", "column", "slice") for end in ("low", "high", "min", "max")),
    *(f"{end}_{axis}" for axis in ("x", "y", "z", "row", "column", "slice") for end in ("low", "high", "min", "max")),
}


def number(text: str) -> float | None:
    """Return the finite number that a text spells, None where it spells none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def infer_task(texts: Sequence[str], root: Path, *, events: bool = False) -> tuple[Task, str]:
    """Return what is to be predicted, and why that was concluded.

    Parameters
    ----------
    texts
        The labels as written, empty ones left out.
    root
        The folder that labels may name files in.
    events
        Whether a column says if an event happened.
    """
    values = [number(text) for text in texts]
    if texts and all(value is not None for value in values):
        distinct = set(values)
        whole = all(float(value or 0).is_integer() for value in distinct)
        if events:
            return "survival", "the labels are numbers and a column 'event' stands beside them"
        if whole and len(distinct) <= max(2, min(10, len(values) // 5)):
            return "classification", f"the labels are {len(distinct)} whole numbers that repeat"
        return "regression", f"the labels are {len(distinct)} different numbers"
    files = [root / text for text in texts if Path(text).suffix]
    if texts and len(files) * 2 > len(texts) and any(_is_file(path) for path in files[:50]):
        suffix = files[0].suffix.lower()
        if suffix not in TABLES:
            return "segmentation", f"the labels name files of masks (*{suffix})"
        first = next(path for path in files if _is_file(path))
        with first.open("r", encoding="utf-8", errors="replace") as handle:
            head = handle.read(2000).lower()
        words = {word.strip(" \"'\n\r[]{}") for word in head.replace(":", ",").replace("\n", ",").replace("\t", ",").split(",")}
        if words & BOXES:
            return "detection", "the labels name tables of boxes"
        return "landmarks", "the labels name tables of points"
    return "classification", f"the labels are {len(set(texts))} names"


def typed(text: str, task: Task, root: Path) -> str | float | Path:
    """Return a label as its task wants it.

    Raises
    ------
    FormatError
        If it is not such a label; the message is a clause without its source.
    """
    if task not in TASKS:
        raise ParameterError(f"Task '{task}': expected one of {', '.join(TASKS)}.")
    if not text:
        raise FormatError("the label is empty; expected one")
    if task == "classification":
        return text
    if task in NUMERIC:
        value = number(text)
        if value is None:
            raise FormatError(f"the label '{plain(text, 80)}' is no finite number; expected one, as the task is {task}")
        return value
    return below(root, text)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or a zero byte in it: a name of something else
        return False
