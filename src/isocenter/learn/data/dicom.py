"""Cohorts from DICOM: each image with the segmentation or structure set that refers to it, by patient."""

from __future__ import annotations

import os
from pathlib import Path

from isocenter.core.errors import ContentError
from isocenter.core.text import plain
from isocenter.io import door
from isocenter.io.cases import reference_of
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.data.patients import pseudonymous

__all__ = ["from_dicom"]


def from_dicom(root: str | Path, *, name: str | None = None) -> Cohort:
    """Read a segmentation cohort from DICOM images and the SEG or RTSTRUCT objects that refer to them.

    Parameters
    ----------
    root
        A folder of any depth; what belongs together is told by the headers. Each image series lies in a folder of its own.
    name
        Of the cohort; the folder's name where None.

    Raises
    ------
    ContentError
        If no segmentation refers to an image here, or a series shares its folder with another one.
    """
    base = Path(root)
    items = [item for item in door.inspect(base).items if item.format == "dicom"]
    images = [item for item in items if item.kind == "image"]
    folders = {id(item): _place(item.paths) for item in images}
    samples, left = [], 0
    for item in items:
        if item.kind not in ("labels", "contours"):
            continue
        image = reference_of(item, images)
        if image is None:
            left += 1
            continue
        path = folders[id(image)]
        if sum(place == path for place in folders.values()) > 1:
            raise ContentError(
                f"{plain(path.name)}: holds several image series: expected each in a folder of its own; "
                "sort them into folders ('isocenter info' lists them)."
            )
        label = item.paths[0]
        identifier = label.relative_to(base).as_posix() if label.is_relative_to(base) else label.name
        who = pseudonymous(image.patient) if image.patient else identifier
        samples.append(Sample(identifier, path, label, who))
    if not samples:
        raise ContentError(
            f"{plain(base.name)}: holds {len(images)} image series and no SEG or RTSTRUCT that refers to one of them: "
            "expected both; give a table of labels instead."
        )
    notes = ["Segmentation, because SEG or RTSTRUCT objects refer to the images; patients come from the headers."]
    if left:
        notes.append(f"{left} of them refer to images that are not here; they were left out.")
    return Cohort(tuple(samples), "segmentation", name or base.resolve().name, base, tuple(notes))


def _place(paths: tuple[Path, ...]) -> Path:
    if len(paths) == 1:
        return paths[0]
    return Path(os.path.commonpath([p.parent for p in paths]))
