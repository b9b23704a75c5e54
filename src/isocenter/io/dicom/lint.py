"""What a DICOM file says of a person, by the table of the standard: names of attributes, never a value.

Nothing is removed here; the lint tells what removal has to look at.

References
----------
DICOM PS3.15, Annex E, Table E.1-1 (Basic Application Level Confidentiality Profile); PS3.3 C.7.6.1.1.1
(Burned In Annotation, Recognizable Visual Features).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.datadict import keyword_for_tag

from isocenter.core.errors import IsocenterError
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import open_file
from isocenter.io.dicom.elements import Dataset, Element

__all__ = ["Identifying", "lint"]

#: Modalities whose pictures are screens: they come with text drawn into them.
SCREENS = ("US", "ES", "XC", "SC", "OT", "IVUS", "XA", "RF", "DOC", "OP", "BI", "GM")
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: What names a person outright comes first.
PLAIN = (
    "PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "PatientAddress", "PatientTelephoneNumbers", "AccessionNumber",
    "ReferringPhysicianName", "InstitutionName", "StudyDate",
)  # fmt: skip


@dataclass(frozen=True)
class Identifying:
    """What files carry of a person.

    Attributes
    ----------
    attributes
        Keywords that are to be removed, emptied or replaced by a dummy, and have a value.
    uids
        How many UID attributes are to be replaced.
    private
        How many private elements there are, which may say anything.
    burned_in
        ``declared``, ``declared absent``, ``likely`` (lines of text were found in the picture) or ``unknown``.
    features
        Whether recognisable features (a face) are declared.
    removed
        Whether the files say that the identity was removed.
    """

    attributes: tuple[str, ...]
    uids: int
    private: int
    burned_in: str
    features: bool
    removed: bool

    def sentence(self) -> str:
        """Return it in words."""
        parts = []
        if self.attributes:
            shown = ", ".join(self.attributes[:12]) + (" ..." if len(self.attributes) > 12 else "")
            parts.append(f"{len(self.attributes)} attributes have a value ({shown})")
        parts += [f"{self.uids} UIDs"] if self.uids else []
        parts += [f"{self.private} private elements"] if self.private else []
        text = {"declared": "text in the picture is declared", "likely": "the picture seems to show lines of text"}.get(
            self.burned_in
        )
        parts += [text] if text else []
        parts += ["recognisable features are declared"] if self.features else []
        said = "; the file says that the identity was removed" if self.removed else ""
        return ("; ".join(parts) or "nothing of the table has a value") + said

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "attributes": list(self.attributes), "uids": self.uids, "private": self.private, "burned_in": self.burned_in,
            "recognisable_features": self.features, "identity_removed": self.removed,
        }  # fmt: skip


@cache
def _actions() -> tuple[dict[int, str], tuple[tuple[int, int], ...]]:
    """Return tag -> action, and (mask, tag) of the repeating groups."""
    known: dict[int, str] = {}
    masks: list[tuple[int, int]] = []
    for line in files("isocenter.io.dicom").joinpath("confidentiality.txt").read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        tag, action = line.split()
        if "x" in tag:
            masks.append((int("".join("0" if c == "x" else "F" for c in tag), 16), int(tag.replace("x", "0"), 16)))
        else:
            known[int(tag, 16)] = action
    return known, tuple(masks)


def _walk(data: Dataset) -> Iterable[Element]:
    waiting = [data]
    while waiting:
        here = waiting.pop()
        for element in here.elements.values():
            yield element
            waiting.extend(element.items or [])


def _name(tag: int) -> str:
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _flag(data: Dataset, keyword: str) -> str:
    try:
        return values.text(data, keyword)
    except IsocenterError:  # a broken flag declares nothing
        return ""


def lint(paths: Iterable[Path], plane: Any = None) -> Identifying:
    """Return what files carry of a person.

    Parameters
    ----------
    paths
        The files of one item.
    plane
        One picture of it (y, x), where it was read: lines of text are looked for in what screens show.
    """
    known, masks = _actions()
    tags: set[int] = set()
    uids: set[int] = set()
    private, flags, features, removed, screen = 0, set(), False, True, False
    budget = Budget()
    for path in paths:
        try:
            data = open_file(path, budget).data
        except IsocenterError:  # it was read before; a file that changed meanwhile is the reader's to refuse
            continue
        for element in _walk(data):
            if not element.length and not element.items and not element.fragments:
                continue
            action = known.get(element.tag) or ("X" if any(element.tag & m == t for m, t in masks) else "")
            if element.tag >> 16 & 1:
                private += 1
            elif action == "U":
                uids.add(element.tag)
            elif action:
                tags.add(element.tag)
        flags.add(_flag(data, "BurnedInAnnotation"))
        features |= _flag(data, "RecognizableVisualFeatures") == "YES"
        removed &= _flag(data, "PatientIdentityRemoved") == "YES"
        screen |= _flag(data, "Modality") in SCREENS or _flag(data, "SOPClassUID").startswith(CAPTURE)
    burned = "declared" if "YES" in flags else "declared absent" if flags == {"NO"} else "unknown"
    # A picture may say NO and show a name all the same: what is seen counts more.
    if burned != "declared" and screen and plane is not None:
        from isocenter.kernels.strokes import text_lines

        burned = "likely" if text_lines(np.asarray(plane)) else burned
    names = sorted((_name(t) for t in tags), key=lambda n: (PLAIN.index(n) if n in PLAIN else len(PLAIN), n))
    return Identifying(tuple(names), len(uids), private, burned, features, removed and bool(flags))
