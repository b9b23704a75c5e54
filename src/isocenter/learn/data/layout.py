"""Cohorts from whatever gives the labels: a table, or a folder whose layout says what each image is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from isocenter.core.errors import ContentError, FormatError, MissingInputError, ParameterError
from isocenter.core.text import plain
from isocenter.io import door
from isocenter.io.layouts import dataset_json
from isocenter.io.layouts.bids import entities
from isocenter.learn.data.bids import SUFFIXES as BIDS_SUFFIXES
from isocenter.learn.data.bids import from_bids
from isocenter.learn.data.cohort import Cohort, Task
from isocenter.learn.data.dicom import from_dicom
from isocenter.learn.data.folders import from_folders
from isocenter.learn.data.nnunet import from_nnunet
from isocenter.learn.data.table import from_csv
from isocenter.learn.data.turned import alike

__all__ = ["from_layout"]

#: Name of the table that a folder may hold.
TABLE = "labels.csv"


def from_layout(
    root: str | Path | None,
    labels: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    features: Sequence[str] | None = None,
    leave_out: Sequence[str] = (),
    task: Task | None = None,
    name: str | None = None,
) -> Cohort:
    """Read a cohort from a table of labels, or from a folder that holds the labels itself.

    A folder with a ``labels.csv`` means that table. Else it is read as, in this order: nnU-Net's, MONAI's or the Decathlon's data set (``dataset.json``; masks), a BIDS data set (masks
    among its derivatives), DICOM images with the SEG or RTSTRUCT objects that refer to them, or a sub-folder for each class. Of a BIDS data
    set ``participants.tsv`` is a table too: its column ``label``, or the one that `columns` names so. Images whose files store the patient's
    axes in another order than most are turned to theirs when they are read (`turned.alike`).

    Parameters
    ----------
    root
        The folder that the images of a table lie in; None takes the table's own.
    labels
        The table, or the folder: as a rule `root` itself.
    columns, features, leave_out
        Of a table, as of `from_csv`.
    task
        What is to be predicted; what the labels or the layout say where None.
    name
        Of the cohort.

    Raises
    ------
    MissingInputError
        If there is no such table or folder.
    ParameterError
        If columns are named for a layout that has none.
    ContentError
        If the layout gives other labels than those of the task.
    InputError
        As of the reader that is chosen.
    """
    return alike(_found(root, labels, columns or {}, features, leave_out, task, name))


def _found(
    root: str | Path | None,
    labels: str | Path,
    columns: Mapping[str, str],
    features: Sequence[str] | None,
    leave_out: Sequence[str],
    task: Task | None,
    name: str | None,
) -> Cohort:
    source = Path(labels)
    if (source / TABLE).is_file():
        source = source / TABLE
    base = source.parent if root is None else Path(root)
    if source.is_file() and source.name == "participants.tsv" and _is_bids(source.parent):
        return _participants(source, dict(columns), leave_out, task, name)
    if source.is_file():
        return from_csv(base, source, columns=columns, features=features, leave_out=leave_out, task=task, name=name)
    if not source.is_dir():
        raise MissingInputError(
            f"{plain(source, 300)}: there is no such table: expected a CSV with the columns image and label, or a folder whose layout "
            "gives the labels."
        )
    if columns or leave_out:
        raise ParameterError(
            f"{plain(source.name)}: is a folder and has no columns: leave out --column and --leave-out, or give a table."
        )
    found = _folder(source, name)
    if task is not None and found.task != task:
        raise ContentError(
            f"{plain(source.name)}: its layout gives labels for {found.task}: expected {task}; give a table of labels."
        )
    return found


def _participants(
    source: Path, columns: Mapping[str, str], leave_out: Sequence[str], task: Task | None, name: str | None
) -> Cohort:
    others = sorted(columns.keys() - {"label"})
    if others:
        raise ParameterError(
            f"{plain(source.name)}: column for '{others[0]}': expected 'label' alone, as BIDS says what its other columns and its images "
            "are; give a table of labels instead."
        )
    root = source.parent
    return from_bids(root, columns.get("label", "label"), suffix=_suffix(root), leave_out=leave_out, task=task, name=name)


def _folder(source: Path, name: str | None) -> Cohort:
    if (source / dataset_json.NAME).is_file():
        return from_nnunet(source, name=name)
    if _is_bids(source):
        return from_bids(source, "mask", suffix=_suffix(source), name=name)
    if any(item.format == "dicom" and item.kind in ("labels", "contours") for item in door.inspect(source).items):
        return from_dicom(source, name=name)
    return from_folders(source, name=name)


def _is_bids(folder: Path) -> bool:
    return (folder / "dataset_description.json").is_file() or (
        (folder / "participants.tsv").is_file() and any(p.is_dir() for p in folder.glob("sub-*"))
    )


def _suffix(root: Path) -> str:
    """Return which images of a BIDS data set are meant: T1-weighted ones where there are any, else the only kind."""
    files = (p for p in root.rglob("sub-*") if p.name.lower().endswith(BIDS_SUFFIXES) and p.is_file())
    found = [(path, known) for path in files if (known := entities(path)) is not None]
    kinds = sorted({e.suffix for p, e in found if not e.mask and "derivatives" not in p.relative_to(root).parts})
    if "T1w" in kinds or not kinds:
        return "T1w"
    if len(kinds) > 1:
        raise FormatError(
            f"{plain(root.name)}: holds images of the kinds {plain(', '.join(kinds), 200)}: expected T1w or one kind; give a table of labels."
        )
    return kinds[0]
