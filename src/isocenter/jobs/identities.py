"""Which case is which: the table that leads from a pseudonym back to files and patients, written only where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isocenter.io import table
from isocenter.jobs.case import Task

__all__ = ["write_identities"]

_COLUMNS = ("case", "slot", "patient_id", "patient_name", "study_date", "files", "first_file")


def write_identities(path: Path, tasks: Sequence[Task], inputs: Sequence[Path]) -> None:
    """Write a row for every image, mask or table of every case, by case and slot.

    Parameters
    ----------
    path
        The table, CSV.
    tasks
        The cases, those that failed too.
    inputs
        What the user named; files are told from its last folder on.
    """
    rows: set[tuple[str, ...]] = set()
    for task in tasks:
        for item in task.analysis.case.items:
            person = [str(item.identity.get(key, "")) for key in ("PatientID", "PatientName", "StudyDate")]
            first = _below(item.paths[0], inputs) if item.paths else ""
            rows.add((task.analysis.name, item.name, *person, str(len(item.paths)), first))
    table.write_rows(list(_COLUMNS), [list(row) for row in sorted(rows)], path)


def _below(path: Path, inputs: Sequence[Path]) -> str:
    """Return a file's path from the folder that was named, so that no folder above it is told."""
    for root in inputs:
        if path.is_relative_to(root):
            return path.relative_to(root.parent).as_posix()
    return path.name
