"""What a case leaves behind: images, labels, meshes, tables and DICOM objects, each tied to the step it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.core.errors import ContentError, InputError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.points import Mesh
from isocenter.core.results import Features, Scores
from isocenter.core.study import Study
from isocenter.io import door, table
from isocenter.io.glb import write_meshes
from isocenter.pipeline.lineage import FileOf

__all__ = ["Outputs", "write_slots"]


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
            outputs.files.setdefault(f"labels/{name}.json", FileOf(name, "segment table"))
        elif isinstance(value, MaskStack):
            for one in value:
                part = f"{name}-{file_part(one.segments[0].name)}"
                door.write(one, outputs.path(f"labels/{part}.nii.gz", name, "label map"))
                outputs.files.setdefault(f"labels/{part}.json", FileOf(name, "segment table"))
        elif isinstance(value, Image):
            _write_image(outputs, name, value)
        elif isinstance(value, Features):
            table.write_features(value, outputs.path(f"tables/{name}.csv", name, "table"))
        elif isinstance(value, Scores):
            table.write_scores(value, outputs.path(f"tables/{name}.csv", name, "table"))
    outputs.files = {path: shown for path, shown in outputs.files.items() if (outputs.folder / path).is_file()}


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
    for slot, meshes in groups.items():
        if meshes:
            write_meshes(meshes, outputs.path(f"meshes/{slot}.glb", slot, "surfaces"))


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
    from isocenter.io.dicom.write_seg import write_seg
    from isocenter.io.dicom.write_sr import write_sr

    image = study[image_slot]
    segs: dict[str, Path] = {}
    for name, value in study.labels.items():
        if not image.geometry.matches(value.geometry):
            outputs.notes.append(f"Labels '{name}' lie on another grid than '{image_slot}': no DICOM SEG was written for them.")
            continue
        empty = not value.array.any() if isinstance(value, MaskStack) else not any(v > 0 for v in value.present)
        if empty or "t" in value.dims:
            outputs.notes.append(
                f"Labels '{name}' are {'empty' if empty else 'a time series'}: no DICOM SEG was written for them."
            )
            continue
        try:
            path = outputs.path(f"dicom/seg-{file_part(name)}.dcm", name, "DICOM SEG")
            write_seg(value, path, identity=identity)
            segs[name] = path
        except ContentError as error:
            outputs.files.pop(f"dicom/seg-{file_part(name)}.dcm", None)
            outputs.notes.append(f"No DICOM SEG of '{name}': {error}")
    by_region: dict[str, list[Features]] = {}
    for slot, region in regions.items():
        if isinstance(study.slots.get(slot), Features) and region in segs:
            by_region.setdefault(region, []).append(study[slot])
    for region, tables in by_region.items():
        path = outputs.path(f"dicom/sr-{file_part(region)}.dcm", region, "DICOM SR")
        try:
            write_sr(Features.joined(tables), path, identity=identity, labels=study[region], segmentation=segs[region])
        except ContentError as error:
            outputs.files.pop(f"dicom/sr-{file_part(region)}.dcm", None)
            outputs.notes.append(f"No DICOM SR of '{region}': {error}")


def file_part(name: str) -> str:
    """Return a name as part of a file name: lower-case letters, digits and hyphens."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in plain.split("-") if part)[:60] or "unnamed"
