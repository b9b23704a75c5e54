"""Cohorts from folders: one sub-folder a class, with or without a division into training and test above them."""

from __future__ import annotations

from pathlib import Path

from isocenter.core.errors import ContentError, FormatError, MissingInputError
from isocenter.core.text import plain
from isocenter.io.formats import FORMATS
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.data.patients import header_patient

__all__ = ["from_folders"]

#: Folder names that divide a set -> the part they hold.
PARTS = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation",
}  # fmt: skip

SUFFIXES = tuple(suffix for one in FORMATS for suffix in one.suffixes) + (".dcm",)


def from_folders(root: str | Path, *, name: str | None = None) -> Cohort:
    """Read a cohort whose sub-folders are its classes.

    Parameters
    ----------
    root
        Sub-folders named by class, holding images, or folders of images by patient, or DICOM series. Where all
        sub-folders are called ``train``, ``test`` or alike, the classes lie one level below, and the subgroup ``part``
        tells which of them a case came in (`isocenter.learn.splits.given` takes it).
    name
        Of the cohort; the folder's name where None.

    Raises
    ------
    FormatError
        If there are no sub-folders.
    ContentError
        If a class is empty.
    """
    base = Path(root)
    if not base.is_dir():
        raise MissingInputError(f"{plain(base, 300)}: there is no such folder: expected one with a sub-folder for each class.")
    tops = _folders(base)
    divided = bool(tops) and all(top.name.lower() in PARTS for top in tops)
    classes = (
        [(PARTS[top.name.lower()], label) for top in tops for label in _folders(top)] if divided else [("", t) for t in tops]
    )
    if not classes:
        raise FormatError(f"{plain(base.name)}: holds no sub-folders: expected one for each class, or a table of labels.")
    samples: list[Sample] = []
    for part, folder in classes:
        found = _class(base, folder, part)
        if not found:
            raise ContentError(
                f"{plain(folder.relative_to(base).as_posix())}: class '{plain(folder.name)}' is empty: "
                "expected an image of each class; add some or remove the folder."
            )
        samples.extend(found)
    notes = ["Classification, because each sub-folder is a class."]
    if all(sample.patient == sample.identifier for sample in samples):
        notes.append("Nothing names patients, so each image counts as a patient of its own: give a table if some share one.")
    return Cohort(tuple(samples), "classification", name or base.resolve().name, base, tuple(notes))


def _class(base: Path, folder: Path, part: str) -> list[Sample]:
    samples = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_file():
            if entry.name.lower().endswith(SUFFIXES):
                samples.append(_sample(base, entry, folder.name, part, None))
            continue
        files = sorted(p for p in entry.rglob("*") if p.is_file() and not p.name.startswith(".") and not p.is_symlink())
        patient = header_patient(entry) if files and _dicom(files[0]) else None
        if patient is not None:
            samples.append(_sample(base, entry, folder.name, part, patient))
        else:  # a folder of pictures of one patient
            images = [p for p in files if p.name.lower().endswith(SUFFIXES)]
            samples.extend(_sample(base, p, folder.name, part, entry.relative_to(folder).as_posix()) for p in images)
    return samples


def _sample(base: Path, path: Path, label: str, part: str, patient: str | None) -> Sample:
    identifier = path.relative_to(base).as_posix()
    who = patient or header_patient(path) or identifier
    return Sample(identifier, path, label, who, None, {"part": part} if part else {})


def _dicom(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(132)[128:] == b"DICM"


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".") and not p.is_symlink())
