"""Members of one series to items: checked for being one series, split into volumes, each an image to load.

References
----------
DICOM PS3.3 A.1.2 (information model: a series is of one patient, one study, one frame of reference).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from isocenter.core.errors import ContentError, GeometryError
from isocenter.core.image import Image
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.io.budget import Budget
from isocenter.io.dicom.assemble import volume_array, volume_dtype
from isocenter.io.dicom.colour import RGB, Palette
from isocenter.io.dicom.identity import key
from isocenter.io.dicom.member import DOSE_CLASS, Member
from isocenter.io.dicom.multiframe import MAP_CLASS
from isocenter.io.dicom.pet import Uptake
from isocenter.io.dicom.split import Volume, split_series
from isocenter.io.dicom.stacks import Stack
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Item, Problem, Repair

__all__ = ["Header", "check_one_series", "image_from", "series_name", "slot_name", "volume_items"]

_CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
_SLOTS = {
    "CT": "ct", "MR": "mr", "PT": "pet", "NM": "nm", "US": "us", "DX": "xray", "CR": "xray", "RG": "xray", "MG": "mammogram", "XA": "angiogram",
    "RF": "fluoroscopy", "OP": "fundus", "OPT": "oct", "SM": "slide", "RTDOSE": "dose", "XC": "photo", "ES": "endoscopy", "GM": "microscopy",
}  # fmt: skip


@dataclass(slots=True)
class Header:
    """What is kept of one header of a series, for all its items."""

    identity: dict[str, Any]
    facts: dict[str, Any]
    uptake: Uptake | None
    palette: Palette | None
    text_problems: list[str]


def series_name(member: Member, header: Header) -> str:
    """Return what a series is called in messages: modality and number, nothing personal."""
    number = clean(str(header.identity.get("SeriesNumber", "")), 12)
    return f"{clean(member.modality, 8) or 'image'} series{f' {number}' if number else ''}"


def slot_name(modality: str) -> str:
    """Return the slot that an image of this modality fills where there are several."""
    return _SLOTS.get(modality, "image")


def check_one_series(members: Sequence[Member], name: str) -> list[Member]:
    """Return the members without repeated copies of one file, after checking that they belong together.

    Raises
    ------
    ContentError
        If they are of several patients or studies, or one identity stands for several contents.
    GeometryError
        If they are of several frames of reference.
    """
    first = members[0]
    for other in members[1:]:
        if other.patient != first.patient or other.study != first.study:
            what = "patients" if other.patient != first.patient else "studies"
            raise ContentError(
                f"{name}: {clean(first.pixels.path)} and {clean(other.pixels.path)} carry one SeriesInstanceUID but belong to different {what}: "
                "expected one; this is a mix-up, find out whose images they are."
            )
        if other.frame_uid != first.frame_uid:
            raise GeometryError(
                f"{name}: {_placed(other)} has another FrameOfReferenceUID than {_placed(first)}: expected one in a series, for their positions "
                "cannot be compared (a distance in mm is unknown); separate them."
            )
    kept: dict[str, Member] = {}
    for one in members:
        twin = kept.setdefault(one.sop, one)
        if twin is not one:
            if _content(twin.pixels.path) != _content(one.pixels.path):
                raise ContentError(
                    f"{name}: {clean(twin.pixels.path)} and {clean(one.pixels.path)} carry one SOPInstanceUID but differ in content: expected one image an "
                    "identity; which one is right cannot be known, export the series again."
                )
            twin.warnings.append(f"{clean(one.pixels.path)} is a copy of {clean(twin.pixels.path)}; it was left out.")
    return list(kept.values())


def _placed(member: Member) -> str:
    if not member.frames:
        return clean(member.pixels.path)
    plane = member.frames[0].plane
    return f"{clean(member.pixels.path)} (at {float(plane.position @ plane.normal):.2f} mm)"


def _content(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def volume_items(members: list[Member], header: Header, repair: Repair | None, budget: Budget) -> list[Item]:
    """Return the images of a series of placed planes.

    Parameters
    ----------
    members
        Its files, all with planes.
    header
        Of the first one.
    repair
        How irregular stacks are dealt with.
    budget
        Limits of one image.

    Raises
    ------
    GeometryError
        If a part of the series is no regular stack.
    """
    name = series_name(members[0], header)
    first = members[0]
    frame_uid = first.frame_uid or None
    alone = any(m.layout.frames > 1 for m in members)
    batches = [[m] for m in members] if alone else [members]
    items: list[Item] = []
    for batch in batches:
        frames = [f for m in batch for f in m.frames]
        items.extend(_item(volume, batch, header, budget) for volume in split_series(frames, name, frame_uid, repair))
    return items


def _warnings(members: Sequence[Member], header: Header) -> list[Problem]:
    seen: dict[str, int] = {}
    for member in members:
        for text in member.warnings:
            seen[text] = seen.get(text, 0) + 1
    texts = [f"{text} ({count} of {len(members)} files)" if count > 1 else text for text, count in seen.items()]
    return [Problem(text) for text in (*texts, *header.text_problems)]


def _meaning(member: Member, header: Header) -> tuple[str | None, str | None, float]:
    """Return modality, quantity and the factor that values are multiplied with."""
    modality = member.modality or None
    unit = member.frames[0].rescale.unit if member.frames else member.rescale.unit
    if member.sop_class == DOSE_CLASS:
        return "RTDOSE", "Gy" if unit == "GY" else None, 1.0
    if member.sop_class == MAP_CLASS:
        return modality, unit or None, 1.0
    if header.uptake is not None:
        return modality, header.uptake.quantity, header.uptake.factor
    if member.modality == "CT" and unit in ("", "HU") and member.sop_class in _CT_CLASSES and member.layout.samples == 1:
        return modality, "HU", 1.0
    return modality, None, 1.0


def _item(volume: Volume, members: list[Member], header: Header, budget: Budget) -> Item:
    first = members[0]
    modality, quantity, factor = _meaning(first, header)
    stacks = volume.stacks
    geometry = stacks[0].geometry
    for stack in stacks[1:]:
        stacks[0].geometry.require_match(stack.geometry, ("first time point", "another time point"), mm=0.05)
    channels = RGB if header.palette is not None or first.layout.samples == 3 else None
    shape = ((len(stacks),) if len(stacks) > 1 else ()) + ((3,) if channels else ()) + geometry.shape
    dims = (("t",) if len(stacks) > 1 else ()) + (("c",) if channels else ()) + ("z", "y", "x")[3 - geometry.ndim :]
    dtype = volume_dtype(stacks, factor, header.palette)
    path = first.pixels.path
    budget.check_shape(shape, dtype.itemsize, path)
    problems = [*_warnings(members, header), *volume.problems, *(p for p in dict.fromkeys(p for s in stacks for p in s.problems))]
    if header.uptake is not None:
        problems.extend(header.uptake.problems)
    samples = 1
    for n in shape:
        samples *= n
    spec = Spec("Image", dims, dtype.str, geometry, modality, quantity, samples)
    paths, sources = _order(stacks)
    notes = tuple(p.sentence() for p in problems)
    load = partial(image_from, tuple(stacks), factor, header.palette, spec, channels, volume.times, notes)
    return Item(
        slot_name(modality or ""), "image", "dicom", spec, paths, load, key("study", first.study)[:16] if first.study else "", first.patient,
        tuple(problems), {**header.facts, **({"part": volume.label} if volume.label else {})}, {**header.identity, **sources},
        (), first.series,
    )  # fmt: skip


def _order(stacks: Sequence[Stack]) -> tuple[tuple[Path, ...], dict[str, tuple[Any, ...]]]:
    """Return the files in reading order, and the identities (and frame numbers of a multi-frame file) in slice order."""
    frames = [f for s in stacks for f in s.frames]
    sources: dict[str, tuple[Any, ...]] = {"SOPInstanceUIDs": tuple(dict.fromkeys(f.sop for f in frames))}
    if frames[0].pixels.layout.frames > 1:
        sources["FrameNumbers"] = tuple(f.index + 1 for f in stacks[0].frames)
    return tuple(dict.fromkeys(f.pixels.path for f in frames)), sources


def image_from(
    stacks: Any, factor: float, palette: Palette | None, spec: Spec, channels: tuple[str, ...] | None, times: tuple[float, ...] | None,
    notes: tuple[str, ...],
) -> Image:  # fmt: skip
    """Read the image that an item describes."""
    assert spec.geometry is not None
    array = volume_array(stacks, factor, palette)
    return provenanced(
        Image(array, spec.dims, spec.geometry, modality=spec.modality, quantity=spec.quantity, channels=channels, times=times),
        notes,
    )


def provenanced(image: Image, notes: tuple[str, ...]) -> Image:
    """Return a freshly read image with its source recorded; its digest is computed once."""
    digest = image.digest
    traced = image.replace(provenance=Provenance.read(digest, "dicom", notes))
    traced.__dict__["digest"] = digest  # the cached property of the same content
    return traced
