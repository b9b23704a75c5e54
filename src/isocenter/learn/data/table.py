"""Cohorts from a table: one row a case, as ``labels.csv`` has it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isocenter.core.errors import FormatError, MissingInputError, SpecError
from isocenter.core.text import plain
from isocenter.io.rows import Row, rows_of
from isocenter.learn.data.cohort import Cohort, Sample, Task
from isocenter.learn.data.labels import below, infer_task, number, typed

__all__ = ["from_csv", "from_rows", "rows_of"]

#: Roles that a column can play, and the column that plays each unless another is named.
ROLES = ("image", "label", "patient", "site", "event", "identifier")


def from_csv(
    root: str | Path,
    csv: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    features: Sequence[str] | None = None,
    leave_out: Sequence[str] = (),
    task: Task | None = None,
    name: str | None = None,
) -> Cohort:
    """Read a cohort from a table.

    Parameters
    ----------
    root
        The input: every path of the table lies below it.
    csv
        Comma, semicolon or tab separated, UTF-8, one header line with ``image``, ``label`` and, where known,
        ``patient`` and ``site`` (and ``event`` for survival, ``identifier`` for a table without images).
        Every further column becomes a subgroup; without images, further columns of numbers are the features.
    columns
        Role to column where a column has another name, for instance ``{"image": "file", "site": "source"}``.
    features
        Columns that are features.
    leave_out
        Columns to pass over.
    task
        What is to be predicted; concluded from the labels where None, and the reason is noted.
    name
        Of the cohort; the folder's name where None.

    Raises
    ------
    SpecError
        With one sentence for each bad row, and its line number.
    FormatError
        If the file is no table.
    """
    source = Path(csv)
    if not Path(root).is_dir():
        raise MissingInputError(f"{plain(root, 300)}: there is no such folder: expected the input that the table speaks of.")
    header, rows = rows_of(source)
    return from_rows(
        Path(root),
        header,
        rows,
        plain(source.name, 200),
        columns=columns,
        features=features,
        leave_out=leave_out,
        task=task,
        name=name,
    )


@dataclass
class _Layout:
    """Which column plays which role."""

    role: dict[str, str]
    features: list[str]
    subgroups: list[str]


def from_rows(
    root: Path,
    header: Sequence[str],
    rows: Sequence[Row],
    source: str,
    *,
    columns: Mapping[str, str] | None = None,
    features: Sequence[str] | None = None,
    leave_out: Sequence[str] = (),
    task: Task | None = None,
    name: str | None = None,
) -> Cohort:
    """Return the cohort of rows that were read already; the parameters are those of `from_csv`."""
    layout = _layout(header, rows, source, columns or {}, features, leave_out)
    if not rows:
        raise FormatError(f"{source}: holds a header and no rows: expected one row a case.")
    notes = []
    label = layout.role["label"]
    if task is None:
        task, reason = infer_task([r[label] for _, r in rows if r[label]], root, events="event" in layout.role)
        notes.append(f"{task.capitalize()}, because {reason} (column '{label}').")
    problems: list[str] = []
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for line, row in rows:
        try:
            sample = _sample(root, row, layout, task, f"row {line}")
            before = seen.setdefault(sample.identifier, line)
            if before != line:
                raise FormatError(f"'{plain(sample.identifier, 200)}' stands in line {before} already; expected each case once")
            samples.append(sample)
        except FormatError as error:
            problems.append(f"line {line}: {error}.")
    if problems:
        raise SpecError(problems, source)
    if "patient" not in layout.role:
        samples, note = _patients(samples)
        notes.append(note)
    return Cohort(tuple(samples), task, name or root.resolve().name, root, tuple(notes))


def _layout(
    header: Sequence[str],
    rows: Sequence[Row],
    source: str,
    columns: Mapping[str, str],
    features: Sequence[str] | None,
    leave_out: Sequence[str],
) -> _Layout:
    role = {name: columns.get(name, name) for name in ROLES}
    asked = [*columns.values(), *(features or ()), *leave_out]
    missing = [name for name in asked if name not in header] + [name for name in columns if name not in ROLES]
    if role["label"] not in header:
        missing.insert(0, role["label"])
    if missing:
        raise FormatError(
            f"{source}: there is no column '{plain(missing[0], 80)}' among {plain(', '.join(header), 300)}: "
            f"expected 'image' and 'label', and roles among {', '.join(ROLES)}; name columns that are called otherwise."
        )
    role = {name: column for name, column in role.items() if column in header}
    rest = [column for column in header if column not in role.values() and column not in leave_out]
    if features is None:
        numeric = (
            [] if "image" in role else [c for c in rest if any(r[c] for _, r in rows) and all(_numeric(r[c]) for _, r in rows)]
        )
    else:
        numeric = list(features)
    return _Layout(role, numeric, [column for column in rest if column not in numeric])


def _numeric(text: str) -> bool:
    return not text or text.lower() in ("nan", "na") or number(text) is not None


def _sample(root: Path, row: Mapping[str, str], layout: _Layout, task: Task, fallback: str) -> Sample:
    cells = {name: row[column] for name, column in layout.role.items()}
    path = None
    identifier = cells.get("identifier") or fallback
    if "image" in cells:
        if not cells["image"]:
            raise FormatError("the image is empty; expected its path below the input")
        path = below(root, cells["image"])
        identifier = cells.get("identifier") or Path(cells["image"]).as_posix()
    if "patient" in cells and not cells["patient"]:
        raise FormatError("the patient is empty; expected one, as the others have theirs")
    values = {}
    for column in layout.features:
        value = number(row[column])
        if value is None and not _numeric(row[column]):
            raise FormatError(f"'{plain(row[column], 80)}' in column '{column}' is no number; expected one")
        values[column] = math.nan if value is None else value
    if task == "survival":
        event = cells.get("event", "")
        if event not in ("0", "1"):
            raise FormatError(f"event '{plain(event, 80)}'; expected 1 where it happened and 0 where it had not yet")
        values["event"] = float(event)
    subgroups = {column: row[column] for column in layout.subgroups if row[column]}
    label = typed(cells["label"], task, root)
    return Sample(identifier, path, label, cells.get("patient") or identifier, cells.get("site") or None, subgroups, values)


def _patients(samples: list[Sample]) -> tuple[list[Sample], str]:
    """Return samples with their patients as DICOM headers know them, and a note on where patients came from."""
    from dataclasses import replace

    from isocenter.learn.data.patients import header_patient

    found = [header_patient(s.path) for s in samples]
    if any(found):
        given = [replace(s, patient=patient) if patient else s for s, patient in zip(samples, found, strict=True)]
        return (
            given,
            f"Patients come from the DICOM headers of {sum(map(bool, found))} of {len(samples)} cases; the others count as one each.",
        )
    return (
        samples,
        "There is no 'patient' column, so each case counts as a patient of its own: name the column if some share one.",
    )
