"""Inspection: what lies at a path, from headers and check sums, with a reason for everything that cannot be used."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from isocenter.core.errors import (
    BudgetError,
    ContentError,
    FormatError,
    GeometryError,
    IsocenterError,
    MissingExtraError,
    MissingInputError,
    UnsupportedError,
)
from isocenter.io import archive, deadline, formats
from isocenter.io.arrange import arrange
from isocenter.io.budget import Budget
from isocenter.io.inventory import Inventory, Item, Refusal, Repair
from isocenter.io.layouts import dataset_json
from isocenter.io.layouts.dataset_json import Listing
from isocenter.io.scan import open_regular, scan
from isocenter.io.text import terminal

__all__ = ["inspect"]

_Reason = Literal["geometry", "format", "budget", "content", "unsupported"]
_REFUSALS: tuple[tuple[type[IsocenterError], _Reason], ...] = (
    (GeometryError, "geometry"), (BudgetError, "budget"), (UnsupportedError, "unsupported"), (ContentError, "content"),
    (MissingExtraError, "unsupported"),
)  # fmt: skip


@dataclass
class _Found:
    """What an inspection has gathered so far."""

    budget: Budget
    repair: Repair | None
    items: list[Item] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    def refuse(self, path: Path, error: Exception) -> None:
        """Note why a file cannot be used."""
        if isinstance(error, IsocenterError):
            reason = str(error)
            if path.name not in reason:
                reason = f"{path.name}: {reason}"
        elif isinstance(error, OSError):
            reason = f"{path.name}: cannot be read ({error.strerror or error}): expected a readable file; check its permissions."
        elif isinstance(error, MemoryError):
            reason = f"{path.name}: needs more memory than there is: expected a smaller image; read it on a larger machine."
        else:
            reason = (
                f"{path.name}: the file is damaged ({type(error).__name__}: {error}): expected a sound file; get a fresh copy."
            )
        kind: _Reason = next((k for cls, k in _REFUSALS if isinstance(error, cls)), "format")
        self.refusals.append(Refusal(path, terminal(reason, 1000), kind))


def inspect(
    path: str | Path,
    *,
    repair: Repair | None = None,
    budget: Budget | None = None,
    over: str | Path | None = None,
    image: bool = False,
) -> Inventory:
    """Return what lies at a path: what can be loaded, what cannot and why, and what was passed over.

    Folders are scanned without following links; archives are unpacked by own rules to a temporary folder that
    lives as long as their items. Nothing here raises for a bad file: it becomes a refusal.

    Parameters
    ----------
    path
        A file, folder or archive.
    repair
        How missing slices of a series are filled; None refuses such a series.
    budget
        Limits of one item; default from the memory of this machine.
    over
        The image that DICOM labels at the path were drawn on: they come on its grid. A segmentation alone has the grid that its own
        frames span, one of a radiograph none at all, and contours need that of their image. The image itself is not listed.
    image
        Whether a file at the path is meant as an image: a folder called ``labels`` or ``seg`` around it does not make it a mask.

    Raises
    ------
    MissingInputError
        If nothing stands at the path.
    """
    root = Path(path)
    if over is not None:
        return _placed(inspect(root, repair=repair, budget=budget), Path(over), repair, budget)
    found = _Found(budget or Budget(), repair)
    try:
        mode = root.stat().st_mode
    except FileNotFoundError:
        raise MissingInputError(f"{terminal(root)}: there is no such file or folder: check the spelling of the path.") from None
    except OSError as error:
        found.refuse(root, error)
        return Inventory(root, (), tuple(found.refusals))
    if stat.S_ISDIR(mode):
        try:
            files, found.skipped = scan(root, found.budget)
        except BudgetError as error:
            found.refuse(root, error)
            files = []
        _inspect_files(files, found, alone=False)
        if not found.items and not found.refusals:
            found.refuse(
                root, FormatError(f"{root.name}: no images were found in this folder: expected DICOM, NIfTI, NRRD, PNG ...")
            )
    elif stat.S_ISREG(mode):
        _inspect_files([root], found, alone=True)
    else:
        found.refuse(root, UnsupportedError(f"{root.name}: no regular file (a device, pipe or socket): expected an image file."))
    listings = _listings(found)
    alone = image and all(root in item.paths for item in found.items)  # of no folder and of no archive
    items = arrange([_timed(item, found.budget) for item in found.items], listings, alone)
    return Inventory(root, items, tuple(found.refusals), tuple(found.skipped))


def _placed(alone: Inventory, over: Path, repair: Repair | None, budget: Budget | None) -> Inventory:
    """Return an inventory whose DICOM labels and contours were read together with their image."""
    drawn = [item for item in alone.items if item.format == "dicom" and item.kind in ("labels", "contours")]
    if not drawn:
        return alone
    files = {path for item in drawn for path in item.paths}
    beside = inspect(over, repair=repair, budget=budget)  # held until the end: with it goes what was unpacked from an archive
    images = {path for item in beside.items if item.format == "dicom" for path in item.paths}
    found = _Found(budget or Budget(), repair)
    _inspect_dicom(sorted(files | images), found)
    placed = {item.paths: item for item in found.items if item.paths and files.issuperset(item.paths)}
    # What was unpacked from an archive is kept in place by the item that stood for it.
    items = tuple(
        dataclasses.replace(placed[item.paths], load=_Kept(placed[item.paths], item)) if item.paths in placed else item
        for item in alone.items
    )
    return dataclasses.replace(alone, items=tuple(_timed(i, found.budget) if i.paths in placed else i for i in items))


def _listings(found: _Found) -> list[Listing]:
    """Return what the descriptions of data sets among the input say; one that cannot be followed is refused, its images are not."""
    listings = []
    for path in [path for path, _ in found.skipped if path.name == dataset_json.NAME]:
        if path.is_symlink() or not path.is_file():
            continue
        try:
            listings.append(dataset_json.listing(path.parent))
        except IsocenterError as error:
            found.refuse(path, error)
    return listings


def _timed(item: Item, budget: Budget) -> Item:
    """Return an item that loads within its time: what the budget says, and more for many samples."""
    seconds = budget.seconds + item.spec.nbytes / deadline.BYTES_A_SECOND
    path = next((p for p in item.paths[0].parents if p.suffix.lower() == ".zarr"), item.paths[0])
    return dataclasses.replace(item, load=deadline.Timed(item.load, seconds, path))


def _inspect_files(files: Sequence[Path], found: _Found, *, alone: bool, inside: str = "") -> None:
    """Recognise and inspect files that lie together.

    Parameters
    ----------
    files
        The files.
    found
        Gathers what comes of them.
    alone
        Whether the user named this very file: then it is refused, not skipped, where it is no image.
    inside
        Name of the archive they were unpacked from.
    """
    dicom: list[Path] = []
    claimed: set[Path] = set()
    # Headers before the files that hold their voxels, so that a pair is read once.
    for path in sorted(files, key=lambda p: (not p.name.lower().endswith((".hdr", ".hdr.gz", ".mhd", ".nhdr")), str(p))):
        if path in claimed:
            continue
        try:
            if path.is_dir():
                from isocenter.io import ome_zarr

                with deadline.within(found.budget.seconds, path):
                    found.items.extend(ome_zarr.inspect(path, found.budget))
                continue
            head = open_regular(path, formats.HEAD)
            # The preamble of a DICOM file may look like an archive.
            packed = archive.kind_of(head, path) if head[128:132] != b"DICM" else None
            if packed is not None:
                if inside:
                    found.skipped.append((path, "an archive inside an archive (not opened)"))
                else:
                    _inspect_archive(path, packed, found)
                continue
            chosen, _ = formats.recognise(head, path)
            if chosen is None:
                _unknown(path, head, found, alone)
            elif chosen.name == "dicom":
                dicom.append(path)
            else:
                with deadline.within(found.budget.seconds, path):
                    items = chosen.module().inspect(path, found.budget)
                found.items.extend(items)
                claimed.update(p for item in items for p in item.paths)
        except Exception as error:  # noqa: BLE001 - the border: whatever a decoder raises on bad bytes becomes a refusal
            found.refuse(path, error)
    if dicom:
        _inspect_dicom(dicom, found)


def _inspect_dicom(paths: list[Path], found: _Found) -> None:
    try:
        from isocenter.io import dicom

        items, refusals = dicom.inspect_files(paths, found.budget, found.repair)
    except Exception as error:  # noqa: BLE001 - the border, as above
        found.refuse(paths[0] if len(paths) == 1 else paths[0].parent, error)
    else:
        found.items.extend(items)
        found.refusals.extend(refusals)


def _unknown(path: Path, head: bytes, found: _Found, alone: bool) -> None:
    known = next((what for suffix, what in formats.KNOWN.items() if path.name.lower().endswith(suffix)), None)
    if alone:
        if not head:
            raise FormatError(f"{path.name}: empty file: expected an image; get a fresh copy.")
        what = known or "not a known image format"
        raise UnsupportedError(
            f"{path.name}: {what}: expected DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF, or an archive of them."
        )
    found.skipped.append((path, f"{known or 'not an image'}{' (empty)' if not head else ''}"))


@dataclass(frozen=True)
class _Kept:
    """Loads an item of an archive, and keeps the unpacked files in place until then."""

    item: Item
    unpacked: Any

    def __call__(self) -> Any:
        return self.item.load()


def _inspect_archive(path: Path, kind: Any, found: _Found) -> None:
    unpacked = archive.unpack(path, kind, found.budget)
    inner = _Found(found.budget, found.repair)
    files, inner.skipped = scan(unpacked.folder, found.budget)
    _inspect_files(files, inner, alone=False, inside=path.name)
    if not inner.items and not inner.refusals:
        inner.refuse(path, FormatError(f"{path.name}: no images found in this archive: expected DICOM, NIfTI, NRRD, PNG ..."))
    found.items += [dataclasses.replace(item, load=_Kept(item, unpacked)) for item in inner.items]
    found.refusals += inner.refusals
    found.skipped += inner.skipped
