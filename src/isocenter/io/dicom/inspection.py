"""All DICOM files of a folder to items and refusals: one pass over the headers, no voxel read.

One bad file condemns its series, for a volume without one of its slices is wrong; other series go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path
from typing import Literal

from isocenter.core.errors import BudgetError, ContentError, GeometryError, IsocenterError, UnsupportedError
from isocenter.io import deadline
from isocenter.io.budget import Budget
from isocenter.io.dicom import measurements, presentation, registration, slide, values
from isocenter.io.dicom.colour import read_palette
from isocenter.io.dicom.dataset import File, looks_like_dicom, open_file
from isocenter.io.dicom.dicomdir import is_directory, listed_files
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.identity import facts, identity, text_problems, uid
from isocenter.io.dicom.layout import has_pixels
from isocenter.io.dicom.member import Member, member
from isocenter.io.dicom.pet import uptake
from isocenter.io.dicom.picture import Calibration, calibration, frame_times, picture_item
from isocenter.io.dicom.pixels import full_check
from isocenter.io.dicom.volume import Header, check_one_series, series_name, volume_items
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Item, Refusal, Repair

__all__ = ["inspect_files", "refusal_kind", "sniff"]

_Kind = Literal["geometry", "format", "budget", "content", "unsupported"]
_RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
_FEW = 4  # files of a series up to which compressed frames are checked when they are inspected, not when they are loaded
_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file is DICOM, by its first bytes or because its name says so (then the reason is told)."""
    return looks_like_dicom(head) or path.suffix.lower() in (".dcm", ".dicom", ".ima") or path.name.upper() == "DICOMDIR"


def refusal_kind(error: Exception) -> _Kind:
    """Return the kind of refusal that an error stands for."""
    kinds: tuple[tuple[type[Exception], _Kind], ...] = (
        (GeometryError, "geometry"), (BudgetError, "budget"), (UnsupportedError, "unsupported"), (ContentError, "content"),
    )  # fmt: skip
    return next((kind for cls, kind in kinds if isinstance(error, cls)), "format")


@dataclass(slots=True)
class _Series:
    """What was found of one series."""

    members: list[Member] = field(default_factory=list)
    slides: list[File] = field(default_factory=list)
    header: Header | None = None
    first: File | None = None
    calibrations: dict[str, tuple[Calibration, tuple[float, ...] | None, Header]] = field(default_factory=dict)
    broken: list[tuple[Path, IsocenterError]] = field(default_factory=list)


def inspect_files(paths: Sequence[Path], budget: Budget, repair: Repair | None = None) -> tuple[list[Item], list[Refusal]]:
    """Return what can be loaded of DICOM files that lie together, and what cannot.

    Parameters
    ----------
    paths
        The files, in any order.
    budget
        Limits of one item.
    repair
        How missing, duplicate and uneven slices are dealt with; None refuses them.

    Returns
    -------
    tuple
        Items and refusals, in an order that depends on contents only.
    """
    found: dict[str, _Series] = {}
    derived: list[File] = []
    refusals: list[Refusal] = []
    listed: dict[Path, str] = {}
    for path in sorted(paths, key=str):
        with deadline.within(budget.seconds, path):
            listed |= _sort(path, budget, found, derived, refusals)
    if len(paths) == 1:  # a DICOMDIR by itself stands for the files it lists; beside them it adds nothing
        budget.check_files(len(listed), paths[0], "the DICOMDIR")
        strangers: list[Path] = []
        for path, instance in listed.items():
            _sort(path, budget, found, derived, refusals, instance, strangers)
        if strangers:
            refusals.append(_other_medium(paths[0], strangers, len(listed)))
    items: list[Item] = []
    for series_uid in sorted(found, key=lambda s: (_number(found[s]), s)):
        done, refused = _series(found[series_uid], budget, repair)
        items.extend(done)
        refusals.extend(refused)
    states = [file for file in derived if uid(file.data, "SOPClassUID") in presentation.CLASSES]
    for file in states:
        try:
            items = presentation.attach(file, items)
        except IsocenterError as error:
            refusals.append(Refusal(file.path, str(error), refusal_kind(error)))
    items.extend(_derived([file for file in derived if file not in states], items, budget, refusals))
    return _named(items), refusals


def _number(series: _Series) -> int:
    text = "" if series.header is None else str(series.header.identity.get("SeriesNumber", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1 << 30


def _other_medium(path: Path, strangers: Sequence[Path], count: int) -> Refusal:
    """Return why files were left out that are not those of the DICOMDIR: it may tell of another patient."""
    return Refusal(
        path,
        f"{clean(path)}: {len(strangers)} of {count} files that it lists hold another object than it says (the first: {clean(strangers[0])}): "
        "expected the files of its own medium; give the folder of the images instead.",
        "content",
    )


def _sort(
    path: Path, budget: Budget, found: dict[str, _Series], derived: list[File], refusals: list[Refusal],
    instance: str = "", strangers: list[Path] | None = None,
) -> dict[Path, str]:  # fmt: skip
    """Open one file and put it where it belongs; return the files that it lists, where it is a DICOMDIR.

    A file that holds another object than `instance` (of the DICOMDIR that lists it) goes to `strangers` instead.
    """
    salvage: list[Dataset] = []
    series_uid = ""
    try:
        file = open_file(path, budget, salvage)
        series_uid = uid(file.data, "SeriesInstanceUID")
        sop_class = uid(file.data, "SOPClassUID")
        if is_directory(file):
            return listed_files(file)
        if strangers is not None and instance and uid(file.data, "SOPInstanceUID") not in ("", instance):
            strangers.append(path)
            return {}
        if sop_class in (_RTSTRUCT, registration.CLASS, *_SEGMENTATIONS, *measurements.CLASSES, *presentation.CLASSES):
            derived.append(file)
        elif not has_pixels(file.data):
            refusals.append(_other(file, sop_class))
        elif sop_class == slide.CLASS:
            found.setdefault(series_uid or _place(file), _Series()).slides.append(file)
        else:
            _add(found.setdefault(series_uid or _place(file), _Series()), file, budget)
    except IsocenterError as error:
        if not series_uid and salvage:
            series_uid = _salvaged(salvage[0])
        if series_uid:
            found.setdefault(series_uid, _Series()).broken.append((path, error))
        else:
            refusals.append(Refusal(path, str(error), refusal_kind(error)))
    return {}


def _place(file: File) -> str:
    """Return what stands in for a blanked series UID: the folder, the series number and the modality."""
    return "\0".join(("blank", str(file.path.parent), values.text(file.data, "SeriesNumber"), values.text(file.data, "Modality")))


def _salvaged(data: Dataset) -> str:
    try:
        return uid(data, "SeriesInstanceUID")
    except IsocenterError:  # the broken part is the identity itself
        return ""


def _other(file: File, sop_class: str) -> Refusal:
    from pydicom.uid import UID_dictionary

    entry = UID_dictionary.get(sop_class)
    what = entry[0] if entry is not None else f"an object of class {clean(sop_class, 64)!r}"
    return Refusal(
        file.path,
        f"{clean(file.path)} holds no pixels ({what}): expected an image, SEG or RTSTRUCT; leave it out.",
        "unsupported",
    )


def _add(series: _Series, file: File, budget: Budget) -> None:
    one = member(file, budget)
    if series.header is None or not one.frames:
        header = _header(file, one)
        if series.header is None:
            series.header, series.first = header, file
        if not one.frames:
            series.calibrations[str(file.path)] = (
                calibration(file.data, one.modality),
                frame_times(file.data, one.layout.frames),
                header,
            )
    series.members.append(one)


def _header(file: File, one: Member) -> Header:
    palette = read_palette(file.data) if one.layout.photometric == "PALETTE COLOR" else None
    return Header(identity(file.data), facts(file.data), None, palette, text_problems(file.data))


def _series(series: _Series, budget: Budget, repair: Repair | None) -> tuple[list[Item], list[Refusal]]:
    refusals = [Refusal(path, str(error), refusal_kind(error)) for path, error in series.broken]
    if series.slides:
        return _slide(series, refusals, budget)
    if not series.members:
        return [], refusals
    series.members.sort(key=lambda m: (m.number, m.sop, str(m.pixels.path)))  # not by name: a copy elsewhere reads the same
    header, first = series.header, series.members[0]
    assert header is not None and series.first is not None
    name = series_name(first, header)
    placed = [m for m in series.members if m.frames]
    if series.broken and placed:
        path, error = series.broken[0]
        reason = (
            f"{name}: {clean(path)} of its {len(series.members) + len(series.broken)} files cannot be used, so a slice of the stack is missing "
            f"(gap in mm unknown); expected all of them; fetch that file again. ({error})"
        )
        return [], [Refusal(path, reason, refusal_kind(error)), *refusals[1:]]
    try:
        if len(series.members) <= _FEW:
            for one in series.members:
                full_check(one.pixels)
        members = check_one_series(series.members, name)
        placed = [m for m in members if m.frames]
        items: list[Item] = []
        if placed:
            if first.modality == "PT":
                stamps = [f.clocks["AcquisitionDateTime"] for m in placed for f in m.frames if "AcquisitionDateTime" in f.clocks]
                header.uptake = uptake(series.first.data, stamps)
            items.extend(volume_items(placed, header, repair, budget))
        for one in members:
            if not one.frames:
                calibrated, times, own = series.calibrations[str(one.pixels.path)]
                items.append(picture_item(one, own, calibrated, times, budget))
    except IsocenterError as error:
        where = first.pixels.path if len(series.members) == 1 else first.pixels.path.parent
        return [], [Refusal(where, str(error), refusal_kind(error)), *refusals]
    return items, refusals


def _slide(series: _Series, refusals: list[Refusal], budget: Budget) -> tuple[list[Item], list[Refusal]]:
    """Return the pyramid of a series of slides; a level that is broken condemns it, for regions would come from a coarser one."""
    where = series.slides[0].path if len(series.slides) == 1 else series.slides[0].path.parent
    if series.broken:
        return [], refusals
    try:
        if series.members:
            raise ContentError(f"{clean(where)}: slides and other images in one series: expected one kind; separate them.")
        return [slide.slide_item(series.slides, budget)], []
    except IsocenterError as error:
        return [], [Refusal(where, str(error), refusal_kind(error))]


def _derived(files: list[File], images: list[Item], budget: Budget, refusals: list[Refusal]) -> list[Item]:
    """Return the items of structure sets, segmentations (on the grids of the images beside them), reports and registrations."""
    from isocenter.io.dicom.rtstruct import rtstruct_item
    from isocenter.io.dicom.seg import seg_item

    items = []
    for file in files:
        try:
            sop_class = uid(file.data, "SOPClassUID")
            if sop_class == _RTSTRUCT:
                items.append(rtstruct_item(file, images, budget))
            elif sop_class == registration.CLASS:
                items.extend(registration.registration_items(file))
            elif sop_class in measurements.CLASSES:
                items.append(measurements.measurements_item(file))
            else:
                items.append(seg_item(file, images, budget))
        except IsocenterError as error:
            refusals.append(Refusal(file.path, str(error), refusal_kind(error)))
    return items


def _named(items: list[Item]) -> list[Item]:
    """Return the items under names that are unique within their group; the only image of a group is ``image``."""
    images: dict[str, int] = {}
    for item in items:
        images[item.group] = images.get(item.group, 0) + (item.kind == "image")
    taken: dict[str, set[str]] = {}
    result = []
    for item in items:
        name = "image" if item.kind == "image" and images[item.group] == 1 else item.name
        used = taken.setdefault(item.group, set())
        unique, k = name, 2
        while unique in used:
            unique, k = f"{name}_{k}", k + 1
        used.add(unique)
        result.append(item if unique == item.name else changed(item, name=unique))
    return result
