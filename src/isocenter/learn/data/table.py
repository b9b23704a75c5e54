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
from isocenter.learn.data.labels import below, infer_task, missing, number, refuse_spellings, typed, with_points

__all__ = ["from_csv", "from_rows", "rows_of"]

#: Roles that a column can play, and the column that plays each unless another is named.
ROLES = ("image", "label", "patient", "site", "event", "identifier")
#: What else a column of a role is called, in small letters without spaces, dots, dashes and underscores.
_ALSO: dict[str, tuple[str, ...]] = {
    "patient": ("patientid", "subject", "subjectid", "participant", "participantid"),
    "site": ("siteid", "centre", "center", "hospital", "institution"),
}


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
    _refuse_imageless(root, rows, layout, source)
    notes = [
        f"Column '{column}' is taken for the {name}."
        for name, column in layout.role.items()
        if column.lower() != name and name not in (columns or {})
    ]
    label = layout.role["label"]
    rows, pointed = _pointed(rows, [label, *layout.features, *layout.subgroups], label, source)
    notes += pointed
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
    if task == "classification":
        try:
            refuse_spellings(str(s.label) for s in samples)
        except FormatError as error:
            raise FormatError(f"{source}: {error}") from error
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
    free = [column for column in header if column not in leave_out and column not in columns.values()]
    role = {name: columns.get(name) or _named(name, free) for name in ROLES}
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
        numeric = [] if "image" in role else [c for c in rest if _numbers([r[c] for _, r in rows])]
        own = next((c for c in numeric if _bare(c) in ("id", "caseid", "sampleid", "index")), None)
        if own is not None and "identifier" not in role and len({r[own] for _, r in rows}) == len(rows):
            numeric.remove(own)  # the number of a case tells nothing of it, or what it should not
            role["identifier"] = own
            rest.remove(own)
    else:
        numeric = list(features)
    return _Layout(role, numeric, [column for column in rest if column not in numeric])


def _named(role: str, header: Sequence[str]) -> str:
    """Return the column that plays a role by its name, the role itself where there is none."""
    if role in header:
        return role
    wanted = (role, *_ALSO.get(role, ()))
    found = sorted((wanted.index(_bare(column)), k, column) for k, column in enumerate(header) if _bare(column) in wanted)
    return found[0][2] if found else role


def _bare(column: str) -> str:
    return "".join(c for c in column.lower() if c not in " _-.")


def _numeric(text: str) -> bool:
    return missing(text) or text.lower() == "na" or number(text) is not None


def _numbers(texts: Sequence[str]) -> bool:
    """Return whether a column holds numbers, with points or commas."""
    try:
        given = with_points(texts, "")
    except FormatError:  # said with the column's name when it is read
        return True
    return any(given) and all(_numeric(t) for t in given)


def _refuse_imageless(root: Path, rows: Sequence[Row], layout: _Layout, source: str) -> None:
    """Refuse a table that has neither images nor numbers, or names its images in a column that is not called so."""
    if "image" in layout.role:
        return
    files = next((c for c in layout.subgroups if all(Path(r[c]).suffix and _stands(root, r[c]) for _, r in rows[:20])), None)
    if files is not None:
        raise FormatError(
            f"{source}: column '{plain(files, 80)}' names files of the input, and no column is called 'image': expected --column "
            f"'image={plain(files, 80)}', or --leave-out '{plain(files, 80)}' to learn from the other columns alone."
        )
    if not layout.features and "event" not in layout.role:
        raise FormatError(
            f"{source}: there is neither a column 'image' nor one of numbers: expected the path of each case's image below the input, or "
            "features; name columns that are called otherwise."
        )


def _stands(root: Path, text: str) -> bool:
    try:
        return below(root, text).is_file()
    except FormatError:
        return False


def _pointed(rows: Sequence[Row], columns: Sequence[str], label: str, source: str) -> tuple[list[Row], list[str]]:
    """Return rows whose decimal commas are points, and a note for each column that had any."""
    changed, notes = {}, []
    for column in columns:
        texts = [row[column] for _, row in rows]
        try:
            found = with_points(texts, f"{source}: column '{plain(column, 80)}'")
        except FormatError:
            if column != label:
                continue  # shown as it is written
            raise
        if found != texts:
            changed[column] = found
            notes.append(f"Commas in the numbers of column '{column}' are read as decimal signs.")
    return [(line, {**row, **{c: texts[k] for c, texts in changed.items()}}) for k, (line, row) in enumerate(rows)], notes


def _sample(root: Path, row: Mapping[str, str], layout: _Layout, task: Task, fallback: str) -> Sample:
    cells = {name: row[column] for name, column in layout.role.items()}
    path = None
    identifier = cells.get("identifier") or fallback
    if "image" in cells:
        if not cells["image"]:
            raise FormatError("the image is empty; expected its path below the input")
        path = below(root, cells["image"])
        identifier = cells.get("identifier") or path.relative_to(root).as_posix()
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
        happened = {"true": 1.0, "false": 0.0}.get(event.lower(), number(event))
        if happened not in (0.0, 1.0):
            raise FormatError(f"event '{plain(event, 80)}'; expected 1 where it happened and 0 where it had not yet")
        values["event"] = happened
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
