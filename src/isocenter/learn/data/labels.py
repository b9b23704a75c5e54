"""What labels are: classes, numbers, or files of masks, boxes or points; told from their texts, with the reason."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from isocenter.core.errors import FormatError, ParameterError
from isocenter.core.text import plain
from isocenter.io.layouts import dataset_json
from isocenter.learn.data.cohort import NUMERIC, TASKS, Task

__all__ = ["below", "infer_task", "missing", "number", "refuse_spellings", "typed", "with_points"]

#: Files that hold rows, not samples.
TABLES = (".csv", ".tsv", ".json", ".txt")
#: Files of masks. A label that ends so is the name of a file, whether it is there or not.
MASKS = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".png", ".tif", ".tiff", ".dcm")
#: What programs write where a value is missing; nobody means a class by it.
_MISSING = frozenset({"", "nan", "<na>", "#n/a", "n/a"})
#: A number whose decimal sign is a comma, and one that may as well be in thousands.
_COMMA, _THOUSANDS = re.compile(r"[+-]?\d+,\d+"), re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
#: Column names that only boxes have.
BOXES = frozenset({"width", "height", "w", "h", "x1", "x2", "xmin", "xmax", "x_min", "x_max", "x0", "stop", "boxes"}) | {
    *(f"{axis}_{end}" for axis in ("x", "y", "z", "row", "column", "slice") for end in ("low", "high", "min", "max")),
    *(f"{end}_{axis}" for axis in ("x", "y", "z", "row", "column", "slice") for end in ("low", "high", "min", "max")),
}


def number(text: str) -> float | None:
    """Return the finite number that a text spells, None where it spells none."""
    if "_" in text:  # a programmer's separator of digits, which the labels '1_2' and '1_3' do not mean
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def missing(text: str) -> bool:
    """Return whether a text says that there is no value."""
    return text.strip().lower() in _MISSING


def with_points(texts: Sequence[str], what: str) -> list[str]:
    """Return the texts of a column, those of a column of numbers with decimal commas spelled with points.

    Parameters
    ----------
    texts
        Its cells.
    what
        The column, for the message.

    Raises
    ------
    FormatError
        If its commas may be of decimals or of thousands.
    """
    given = [t for t in texts if not missing(t)]
    commas = [t for t in given if _COMMA.fullmatch(t)]
    if not commas or not all(_COMMA.fullmatch(t) or number(t) is not None for t in given) or _few(len(set(given)), len(given)):
        return list(texts)
    if all(_THOUSANDS.fullmatch(t) for t in commas) or any("." in t for t in given):
        raise FormatError(
            f"{what}: '{plain(commas[0], 40)}' can be read in two ways, as the comma of a decimal or of thousands: expected numbers with "
            "a decimal point, and none between thousands."
        )
    return [t.replace(",", ".") if _COMMA.fullmatch(t) else t for t in texts]


def _few(distinct: int, count: int) -> bool:
    """Return whether so many different values of so many cases are few enough to be classes."""
    return distinct <= max(2, min(10, count // 5))


def below(root: Path, text: str) -> Path:
    """Return the path that a cell names below `root`, however the program that wrote it spells paths.

    Raises
    ------
    FormatError
        If it lies outside of `root`, or nothing stands there; the message is a clause without its source.
    """
    if "\\" in text and "\0" not in text and not (root / text).exists():
        text = text.replace("\\", "/")
    if Path(text).is_absolute() and (own := Path(text)).is_relative_to(root.absolute()):
        text = own.relative_to(root.absolute()).as_posix()
    return dataset_json.below(root, text)


def refuse_spellings(classes: Iterable[str]) -> None:
    """Refuse classes that are one in all but their spelling: a model would learn to tell them apart.

    Parameters
    ----------
    classes
        As written.

    Raises
    ------
    FormatError
        If two differ in case, spaces or the encoding of a letter alone.
    """
    seen: dict[str, str] = {}
    for name in sorted(set(classes)):
        alike = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        before = seen.setdefault(alike, name)
        if before != name:
            raise FormatError(
                f"the classes '{plain(before, 60)}' and '{plain(name, 60)}' differ in their spelling alone: expected one spelling of each "
                "class."
            )


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
    texts = [text for text in texts if not missing(text)]
    values = [value for text in texts if (value := number(text)) is not None]
    distinct = set(values)
    # Numbers of many values with a text among them are numbers with an error among them, which is said for its row.
    if texts and (len(values) == len(texts) or (2 * len(values) > len(texts) and 2 * len(distinct) > len(values) > 5)):
        whole = all(float(value or 0).is_integer() for value in distinct)
        if events:
            return "survival", "the labels are numbers and a column 'event' stands beside them"
        if whole and _few(len(distinct), len(values)):
            return "classification", f"the labels are {len(distinct)} whole numbers that repeat"
        return "regression", f"the labels are {len(distinct)} different numbers"
    files = [root / text for text in texts if Path(text).suffix]
    first = next((path for path in files[:50] if _is_file(path)), None)
    named = sum(text.lower().endswith((*MASKS, *TABLES)) for text in texts)
    if texts and len(files) * 2 > len(texts) and (first is not None or named * 2 > len(texts)):
        suffix = files[0].suffix.lower()
        if suffix not in TABLES or first is None:
            return "segmentation", f"the labels name files of masks (*{suffix})"
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
    if missing(text):
        said = f"'{plain(text, 20)}', which says that there is none" if text else "empty"
        raise FormatError(f"the label is {said}; expected one, or no row for this case")
    if task == "classification":
        return re.sub(r"(\d)\.0*$", r"\1", text) if number(text) is not None else text  # 1 and 1.0 are one class
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
