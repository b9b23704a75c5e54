"""Coded concepts, and the codes of the structures that isocenter names itself.

References
----------
DICOM PS3.16 (CID 7150 segmentation property categories, CID 7166, CID 4031 anatomy), SNOMED CT identifiers
as listed there (DICOM carries the licence to use them in DICOM objects).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ANATOMY", "MORPHOLOGY", "STRUCTURES", "TISSUE", "Code", "Structure", "structure"]


@dataclass(frozen=True)
class Code:
    """A concept of a terminology: value, scheme (``SCT``, ``DCM``, ``UCUM`` ...) and its meaning in words."""

    value: str
    scheme: str
    meaning: str


ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
MORPHOLOGY = Code("49755003", "SCT", "Morphologically Abnormal Structure")
TISSUE = Code("85756007", "SCT", "Tissue")


@dataclass(frozen=True)
class Structure:
    """What a segment is: its code, the category it belongs to, an optional side, and a colour (sRGB 0-255)."""

    code: Code
    category: Code
    color: tuple[int, int, int]
    laterality: Code | None = None


LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")

_LUNG = Code("39607008", "SCT", "Lung")

#: Segment name -> what it is. A name that is not here is written as "Tissue" with its own text.
STRUCTURES: dict[str, Structure] = {
    "body": Structure(Code("123037004", "SCT", "Anatomical Structure"), ANATOMY, (210, 170, 130)),
    "lungs": Structure(_LUNG, ANATOMY, (100, 180, 220)),
    "lung": Structure(_LUNG, ANATOMY, (100, 180, 220)),
    "right lung": Structure(_LUNG, ANATOMY, (70, 150, 220), RIGHT),
    "left lung": Structure(_LUNG, ANATOMY, (90, 200, 160), LEFT),
    "airway": Structure(Code("44567001", "SCT", "Trachea"), ANATOMY, (180, 220, 250)),
    "bone": Structure(Code("272673000", "SCT", "Bone"), ANATOMY, (240, 230, 200)),
    "brain": Structure(Code("12738006", "SCT", "Brain"), ANATOMY, (230, 170, 170)),
    "vessels": Structure(Code("59820001", "SCT", "Blood vessel"), ANATOMY, (200, 40, 40)),
    "nuclei": Structure(Code("84640000", "SCT", "Nucleus"), ANATOMY, (120, 90, 200)),
    "nodule candidate": Structure(Code("27925004", "SCT", "Nodule"), MORPHOLOGY, (250, 190, 40)),
    "tumour": Structure(Code("108369006", "SCT", "Neoplasm"), MORPHOLOGY, (230, 60, 60)),
    "tumour candidate": Structure(Code("4147007", "SCT", "Mass"), MORPHOLOGY, (240, 120, 40)),
    "lesion": Structure(Code("52988006", "SCT", "Lesion"), MORPHOLOGY, (230, 90, 60)),
    "hot spot": Structure(Code("52988006", "SCT", "Lesion"), MORPHOLOGY, (250, 140, 20)),
    "foreground": Structure(Code("85756007", "SCT", "Tissue"), TISSUE, (90, 170, 90)),
    "gtv": Structure(Code("108369006", "SCT", "Neoplasm"), MORPHOLOGY, (230, 60, 60)),
}

_ALIASES = {
    "lung right": "right lung",
    "lung left": "left lung",
    "tumor": "tumour",
    "nucleus": "nuclei",
    "nodule": "nodule candidate",
}


def structure(name: str) -> Structure | None:
    """Return what a segment name stands for, None where the name is not a known one.

    Parameters
    ----------
    name
        A segment's name; underscores, hyphens, case and a trailing number do not matter
        (``GTV-1`` and ``nodule candidate 3`` are found).
    """
    plain = " ".join(name.replace("_", " ").replace("-", " ").lower().split())
    for candidate in (plain, plain.rstrip("0123456789 ")):
        found = STRUCTURES.get(_ALIASES.get(candidate, candidate))
        if found is not None:
            return found
    first = plain.split(" ")[0] if plain else ""
    return STRUCTURES.get(first) if first in ("gtv", "tumour", "lesion", "nuclei") else None
