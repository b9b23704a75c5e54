"""Cohorts from data sets that a ``dataset.json`` describes: the layouts of nnU-Net, MONAI and the Decathlon."""

from __future__ import annotations

from pathlib import Path

from isocenter.core.errors import ContentError, FormatError
from isocenter.core.text import plain
from isocenter.io.layouts.dataset_json import Listing, listing
from isocenter.learn.data.cohort import Cohort, Sample

__all__ = ["from_decathlon", "from_nnunet"]


def from_nnunet(root: str | Path, *, channel: int | None = None, name: str | None = None) -> Cohort:
    """Read a segmentation cohort in nnU-Net's layout.

    Parameters
    ----------
    root
        The folder with ``dataset.json``.
    channel
        Which channel is read where a case has several files; None refuses such a set.
    name
        Of the cohort; nnU-Net's name of the set where None.

    Raises
    ------
    FormatError
        If it is no such folder.
    SpecError
        With one sentence for each case without its image or mask.
    """
    return _cohort(listing(root), channel, name, "nnU-Net's")


def from_decathlon(root: str | Path, *, channel: int | None = None, name: str | None = None) -> Cohort:
    """Read a segmentation cohort from the lists of a ``dataset.json`` as MONAI and the Medical Segmentation Decathlon have it.

    Parameters
    ----------
    root
        The folder with ``dataset.json``; every path in it lies below.
    channel
        Which file is read where a case has several; None refuses such a set.
    name
        Of the cohort; the data set's own where None.

    Raises
    ------
    FormatError
        If it is no such folder.
    SpecError
        With one sentence for each case whose files are not there or lie elsewhere.
    """
    return _cohort(listing(root), channel, name, "MONAI's")


def _cohort(found: Listing, channel: int | None, name: str | None, whose: str) -> Cohort:
    title = plain(found.root.name)
    entries = [entry for entry in found.entries if entry.labels is not None]
    if not entries:
        raise FormatError(f"{title}: holds no case with a mask: expected one a case, in labelsTr or named by the list.")
    most = max(len(entry.images) for entry in entries)
    if most > 1 and channel is None:
        raise ContentError(
            f"{title}: each case has {most} files ({plain(', '.join(found.channels), 200)}): "
            "expected one image a case; choose a channel, or merge them into images of several channels."
        )
    if channel is not None and not 0 <= channel < min(len(entry.images) for entry in entries):
        raise ContentError(f"{title}: there is no channel {channel} in every case: expected 0 to {most - 1}.")
    parts = {entry.part for entry in entries}
    samples = tuple(
        Sample(e.name, e.images[channel or 0], e.labels, e.name, None, {"part": e.part} if len(parts) > 1 else {})
        for e in entries
    )
    notes: tuple[str, ...] = (
        f"Segmentation, as the layout is {whose}.",
        "The layout names no patients, so each case counts as a patient of its own: give a table if some share one.",
    )
    modality = _modality(found, most, channel)
    if modality is not None:
        notes = (
            *notes,
            f"The layout says that the images are {modality}: values of files that do not name them are HU where some lie below -50.",
        )
    return Cohort(samples, "segmentation", name or found.name, found.root, notes, found.segments, modality=modality)


def _modality(found: Listing, files: int, channel: int | None) -> str | None:
    """Return CT where every channel that is read is named so, as nnU-Net asks for to have its values taken as HU."""
    read = found.channels if files == 1 else found.channels[channel or 0 : (channel or 0) + 1]
    return "CT" if read and all(name.strip().upper() == "CT" for name in read) else None
