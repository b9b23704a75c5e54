"""Which case is which: the table that leads from a pseudonym back to files and patients, written only where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isocenter.io import table
from isocenter.jobs.case import Task
from isocenter.pipeline import lineage

__all__ = ["IDENTITIES", "write_identities"]

#: Name of the table.
IDENTITIES = "identities.csv"

_COLUMNS = ("case", "slot", "patient_id", "patient_name", "study_date", "files", "first_file")


def write_identities(folder: Path, tasks: Sequence[Task], inputs: Sequence[Path]) -> dict[str, lineage.FileOf]:
    """Write a row for every image, mask or table of every case, by case and slot, and return what was written.

    Where no cases are given, the table of a former run, which was asked, is taken away.

    Parameters
    ----------
    folder
        That of the tables.
    tasks
        The cases, those that failed too; none where nobody asked.
    inputs
        What the user named; files are told from its last folder on.
    """
    path = folder / IDENTITIES
    if not tasks:
        path.unlink(missing_ok=True)
        return {}
    rows: set[tuple[str, ...]] = set()
    for task in tasks:
        for item in task.analysis.case.items:
            person = [str(item.identity.get(key, "")) for key in ("PatientID", "PatientName", "StudyDate")]
            first = _below(item.paths[0], inputs) if item.paths else ""
            rows.add((task.analysis.name, item.name, *person, str(len(item.paths)), first))
    table.write_rows(_COLUMNS, sorted(rows), path)
    return {f"{folder.name}/{IDENTITIES}": lineage.FileOf(how="which case is which")}


def _below(path: Path, inputs: Sequence[Path]) -> str:
    """Return a file's path from the folder that was named, so that no folder above it is told."""
    for root in inputs:
        if path.is_relative_to(root):
            return path.relative_to(root.parent).as_posix()
    return path.name
