"""Inventory: what lies at a path, before any voxel is read.

`isocenter.io.door.inspect` returns an `Inventory`; every format contributes `Item`s (things that can be
loaded) and `Refusal`s (things that cannot, and why). Nothing here opens a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from isocenter.core.operation import Spec

__all__ = ["Inventory", "Item", "Kind", "Problem", "Refusal", "Repair"]

Kind = Literal["image", "labels", "contours", "raw", "signal", "pyramid", "measurements", "document", "transform"]
Repair = Literal["interpolate", "nearest"]


@dataclass(frozen=True)
class Problem:
    """Something a user should know about an item that can be used all the same.

    Attributes
    ----------
    text
        One sentence: what was found and where.
    consequence
        What it does to results, in mm where it is geometric; empty where there is none.
    repair
        The command-line option that repairs it, empty where there is none.
    """

    text: str
    consequence: str = ""
    repair: str = ""

    def sentence(self) -> str:
        """Return text, consequence and repair as one line."""
        return " ".join(part for part in (self.text, self.consequence, self.repair and f"Repair: {self.repair}.") if part)


@dataclass(frozen=True)
class Refusal:
    """Something that cannot be used.

    Attributes
    ----------
    path
        The file or folder.
    reason
        One sentence: what was wrong, where, what was expected, what to do.
    kind
        ``geometry`` where only the geometry is at fault, ``format`` where the bytes are, ``budget``, ``content``,
        ``unsupported`` for sound files of a kind that is not read.
    """

    path: Path
    reason: str
    kind: Literal["geometry", "format", "budget", "content", "unsupported"] = "format"


@dataclass(frozen=True)
class Item:
    """One thing that can be loaded.

    Attributes
    ----------
    name
        Slot it would fill, a valid slot name: ``image``, ``ct``, ``pet``, ``gtv`` ...
    kind
        What it is.
    format
        ``dicom``, ``nifti`` ...
    spec
        What loading will give.
    paths
        Its files, in reading order.
    load
        Reads it (this is the only place where voxels are read). Returns an `Image`, `LabelMap`, `MaskStack`,
        tuple of `Contours` ... with its provenance.
    group
        Items with the same group belong to one case (one imaging study of one patient).
    patient
        Key of the patient, equal for all their studies; never shown.
    problems
        What should be known about it.
    attributes
        De-identified facts (``body_part``, ``series_description`` never) as plain values.
    identity
        DICOM keyword -> text, of the person and the study, for writing results back. Never shown.
    references
        Of labels and contours: UIDs (series, frame of reference) of the image they belong to.
    uid
        Series or object UID, empty where the format has none; never shown.
    """

    name: str
    kind: Kind
    format: str
    spec: Spec
    paths: tuple[Path, ...]
    load: Callable[[], Any] = field(repr=False)
    group: str = ""
    patient: str = ""
    problems: tuple[Problem, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict, repr=False)
    references: tuple[str, ...] = ()
    uid: str = ""


@dataclass(frozen=True)
class Inventory:
    """Everything found at a path.

    Attributes
    ----------
    path
        What was inspected.
    items
        What can be loaded.
    refusals
        What cannot, and why.
    skipped
        Files that are no images and were passed over (text, links, devices), with the reason.
    """

    path: Path
    items: tuple[Item, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    skipped: tuple[tuple[Path, str], ...] = ()

    @property
    def usable(self) -> bool:
        """Whether anything can be loaded."""
        return bool(self.items)
