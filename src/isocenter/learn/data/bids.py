"""Cohorts from a Brain Imaging Data Structure: labels from ``participants.tsv`` or from masks among the derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isocenter.core.errors import FormatError, SpecError
from isocenter.core.text import plain
from isocenter.io.layouts.bids import entities
from isocenter.io.layouts.bids_facts import participants
from isocenter.learn.data.cohort import Cohort, Sample, Task
from isocenter.learn.data.labels import infer_task, typed

__all__ = ["from_bids"]

SUFFIXES = (".nii", ".nii.gz")


def from_bids(
    root: str | Path,
    label: str,
    *,
    suffix: str = "T1w",
    leave_out: Sequence[str] = (),
    task: Task | None = None,
    name: str | None = None,
) -> Cohort:
    """Read a cohort from a BIDS dataset.

    Parameters
    ----------
    root
        The folder with ``participants.tsv`` and ``sub-*``.
    label
        A column of ``participants.tsv``, or ``mask`` for the masks among ``derivatives``.
    suffix
        Which images: ``T1w``, ``FLAIR``, ``bold`` ...
    leave_out
        Columns of ``participants.tsv`` that become no subgroups.
    task
        What is to be predicted; concluded from the labels where None.
    name
        Of the cohort; the folder's name where None.

    Raises
    ------
    FormatError
        If there are no such images, or no such column.
    SpecError
        With one sentence for each image whose subject has no label.
    """
    base = Path(root)
    files = sorted(p for p in base.rglob("sub-*") if p.name.lower().endswith(SUFFIXES) and p.is_file())
    known = [(path, found) for path in files if (found := entities(path)) is not None]
    images = [(p, e) for p, e in known if e.suffix == suffix and "derivatives" not in p.relative_to(base).parts]
    if not images:
        raise FormatError(
            f"{plain(base.name)}: holds no image '{plain(suffix)}': expected sub-*/**/sub-*_{plain(suffix)}.nii.gz."
        )
    table = participants(base)
    masks = {(e.subject, e.session): p for p, e in known if e.mask}
    notes = []
    if label == "mask":
        task = "segmentation"
    else:
        if not any(label in row for row in table.values()):
            raise FormatError(
                f"{plain(base.name)}: participants.tsv has no column '{plain(label)}': expected the one with the labels."
            )
        if task is None:
            texts = [row[label] for row in table.values() if row.get(label) not in (None, "", "n/a")]
            task, reason = infer_task(texts, base)
            notes.append(f"{task.capitalize()}, because {reason} (column '{label}').")
    problems, samples = [], []
    for path, e in images:
        row = table.get(e.subject, {})
        identifier = path.relative_to(base).as_posix()
        mask = masks.get((e.subject, e.session))
        text = row.get(label, "").replace("n/a", "")
        if label == "mask" and mask is None:
            problems.append(f"{plain(identifier, 200)}: there is no mask of this session among the derivatives; expected one.")
            continue
        if label != "mask" and not text:
            problems.append(
                f"{plain(identifier, 200)}: participants.tsv gives no '{plain(label)}' for this subject; expected one."
            )
            continue
        try:
            value = mask if mask is not None and label == "mask" else typed(text, task, base)
        except FormatError as error:
            problems.append(f"{plain(identifier, 200)}: {error}.")
            continue
        passed = {"participant_id", "site", label, *leave_out}
        rest = {k: v for k, v in row.items() if k not in passed and v not in ("", "n/a")}
        samples.append(Sample(identifier, path, value, e.subject, row.get("site") or None, rest))
    if problems:
        raise SpecError(problems, plain(base.name))
    return Cohort(tuple(samples), task or "segmentation", name or base.resolve().name, base, tuple(notes))
