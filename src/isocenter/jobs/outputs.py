"""What a case leaves behind: images, labels, meshes, tables and DICOM objects, each tied to the step it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.core.errors import ContentError, GridMismatchError, InputError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.points import Mesh
from isocenter.core.results import Features, Scores
from isocenter.core.study import Study
from isocenter.io import atomic, door, table
from isocenter.io.inventory import Item
from isocenter.jobs.windows import window_of
from isocenter.pipeline.lineage import FileOf

__all__ = ["Outputs", "write_overlays", "write_slots"]


@dataclass
class Outputs:
    """The files written so far, below one folder.

    Attributes
    ----------
    folder
        The case's folder.
    files
        Relative path -> the slot it shows, and how.
    notes
        What could not be written, and why, one sentence each.
    """

    folder: Path
    files: dict[str, FileOf] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def path(self, relative: str, slot: str, how: str) -> Path:
        """Return where to write a file, and remember which slot it shows (empty: the whole case), and how."""
        path = self.folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        self.files[relative] = FileOf(slot, how)
        return path

    def drop(self, path: Path, reason: str) -> None:
        """Forget a file that could not be written, and note why."""
        self.files.pop(str(path.relative_to(self.folder)), None)
        self.notes.append(reason)


def write_slots(outputs: Outputs, study: Study, sources: tuple[str, ...]) -> None:
    """Write every slot of a study in the formats that people open.

    Parameters
    ----------
    outputs
        Where to, and the record of what was written.
    study
        The case after its pipeline.
    sources
        Names of the slots that were read rather than computed.
    """
    for name, value in study.slots.items():
        if isinstance(value, LabelMap):
            door.write(value, outputs.path(f"labels/{name}.nii.gz", name, "label map"))
        elif isinstance(value, MaskStack):
            for one in value:
                part = f"{name}-{file_part(one.segments[0].name)}"
                door.write(one, outputs.path(f"labels/{part}.nii.gz", name, "label map"))
        elif isinstance(value, Image):
            _write_image(outputs, name, value)
        elif isinstance(value, Features):
            table.write_features(value, outputs.path(f"tables/{name}.csv", name, "table"))
            outputs.files[f"tables/{name}.columns.csv"] = FileOf(name, "meaning of the columns")
        elif isinstance(value, Scores):
            table.write_scores(value, outputs.path(f"tables/{name}.csv", name, "table"))


def _write_image(outputs: Outputs, name: str, value: Image) -> None:
    """Write an image as NIfTI, which every viewer opens; a colour picture as PNG or TIFF."""
    suffix = ".nii.gz"
    if value.geometry.ndim == 2 and "t" not in value.dims:
        suffix = ".png" if value.dtype.str in ("|u1", "<u2", ">u2") else ".tiff"
    try:
        door.write(value, outputs.path(f"images/{name}{suffix}", name, "image"))
    except InputError as error:
        outputs.files.pop(f"images/{name}{suffix}", None)
        outputs.notes.append(f"Image '{name}' was not written: {error}")


def write_mesh_groups(outputs: Outputs, groups: Mapping[str, list[Mesh]]) -> None:
    """Write one GLB scene per label slot."""
    from isocenter.io.glb import write_meshes

    for slot, meshes in groups.items():
        if meshes:
            write_meshes(meshes, outputs.path(f"meshes/{slot}.glb", slot, "surfaces"))


def write_overlays(outputs: Outputs, study: Study, image_slot: str, slots: Sequence[str], items: Sequence[Item] = ()) -> None:
    """Write a picture of the image with outlines beside each of these label maps; which CT window serves depends on what is outlined."""
    from isocenter.view.montage import montage

    image = study[image_slot]
    if not isinstance(image, Image):
        return  # nothing of a signal is outlined
    flat = image.at(t=0) if "t" in image.dims else image
    window = None if image.quantity == "HU" else window_of(None, items, image_slot, image)
    for slot in slots:
        labels = study.labels.get(slot)
        if labels is not None:
            labels = labels.at(t=0) if isinstance(labels, LabelMap) and "t" in labels.dims else labels
            path = outputs.path(f"labels/{slot}.png", slot, "picture")
            atomic.write_bytes(path, montage(flat, {slot: labels}, window=window))


#: A structured report of more regions than this serves nobody and takes minutes; the tables hold them all.
_MOST_REPORTED = 60


def write_dicom(outputs: Outputs, study: Study, identity: Mapping[str, Any], regions: Mapping[str, str], image_slot: str) -> None:
    """Write SEG and SR objects that go back to the archive.

    Parameters
    ----------
    identity
        Identity of the source series (of `image_slot`).
    regions
        Feature slot -> label slot that it measured.
    image_slot
        The image that labels and features belong to.
    """
    from isocenter.io.dicom.write_seg import WrittenSegmentation, write_seg
    from isocenter.io.dicom.write_sr import write_sr

    image = study[image_slot]
    written: list[WrittenSegmentation] = []
    measured: list[Features] = []
    for name, value in study.labels.items():
        if not image.geometry.matches(value.geometry):
            continue  # it belongs to another series; what was resampled from it lies on this one
        empty = not value.array.any() if isinstance(value, MaskStack) else not any(v > 0 for v in value.present)
        if not empty:
            path = outputs.path(f"dicom/seg-{file_part(name)}.dcm", name, "DICOM SEG")
            try:
                description = name.replace("_", " ")
                written.append(write_seg(value, identity, path, grid=image.geometry, description=description))
            except (ContentError, GridMismatchError) as error:
                outputs.drop(path, f"No DICOM SEG of '{name}': {error}")
                continue
        measured += [study[slot] for slot, region in regions.items() if region == name and slot in study.slots]
    few = [table for table in measured if 0 < len(table.rows) <= _MOST_REPORTED]
    if any(len(table.rows) > _MOST_REPORTED for table in measured):
        outputs.notes.append(
            f"Tables of more than {_MOST_REPORTED} regions are not repeated in the DICOM SR; they stand in tables/."
        )
    if not few:
        return
    path = outputs.path("dicom/sr.dcm", "", "DICOM SR")
    try:
        write_sr(few, identity, path, segmentations=written, description="Measurements")
    except ContentError as error:
        outputs.drop(path, f"No DICOM SR: {error}")


def file_part(name: str) -> str:
    """Return a name as part of a file name: lower-case letters, digits and hyphens."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in plain.split("-") if part)[:60] or "unnamed"
