"""What a BIDS dataset says beside its images: sidecars, which folders below inherit, and ``participants.tsv``.

References
----------
BIDS specification 1.10, common principles: the inheritance principle; modality agnostic files: participants file; metadata of
magnetic resonance imaging (times in seconds, which are ms here as in DICOM).
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.core.errors import IsocenterError
from isocenter.io.inventory import Problem
from isocenter.io.rows import rows_of
from isocenter.io.text import one_line

__all__ = ["BidsFacts", "participants"]

LARGEST = 1 << 20
#: Attribute -> key of a sidecar.
TEXTS = {
    "manufacturer": "Manufacturer", "model": "ManufacturersModelName", "body_part": "BodyPart", "scanning_sequence": "ScanningSequence",
    "patient_position": "PatientPosition",
}  # fmt: skip
#: Attribute -> key of a sidecar, and how many of our units are one of its own.
NUMBERS = {
    "field_strength": ("MagneticFieldStrength", 1), "flip_angle": ("FlipAngle", 1), "slice_thickness": ("SliceThickness", 1),
    "echo_time": ("EchoTime", 1000), "repetition_time": ("RepetitionTime", 1000),
}  # fmt: skip
SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
OLDEST = 90  # beyond it an age tells a person: what is older counts as this old
_MODALITY = re.compile(r"[A-Z]{2,4}")


def participants(root: Path) -> dict[str, dict[str, str]]:
    """Return the rows of ``participants.tsv`` by the subject's label without ``sub-``; empty where there is none.

    Raises
    ------
    FormatError, SpecError
        If it is no table.
    """
    path = root / "participants.tsv"
    if not path.is_file():
        return {}
    return {row.get("participant_id", "").removeprefix("sub-"): row for _, row in rows_of(path)[1]}


def _person(row: Mapping[str, str]) -> dict[str, Any]:
    """Return age, sex and group of a subject, as far as they are stated."""
    found: dict[str, Any] = {}
    try:
        age = float(row.get("age", ""))
        if math.isfinite(age) and age >= 0:
            found["age"] = min(age, float(OLDEST))
    except ValueError:  # n/a, or a range: not known as a number
        pass
    sex = SEXES.get(row.get("sex", row.get("gender", "")).lower())
    if sex:
        found["sex"] = sex
    group = row.get("group", "")
    if group and group.lower() != "n/a":
        found["group"] = one_line(group, 64)
    return found


def _facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the keys of sidecars say, as the attributes that DICOM gives too."""
    found: dict[str, Any] = {}
    for name, key in TEXTS.items():
        value = values.get(key)
        value = "\\".join(str(v) for v in value) if isinstance(value, list) else value
        if isinstance(value, str) and value:
            found[name] = one_line(value, 64)
    for name, (key, units) in NUMBERS.items():
        number = values.get(key)
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            found[name] = round(float(number) * units, 9)
    return found


class BidsFacts:
    """What stands beside the images of BIDS datasets; every file is read once."""

    def __init__(self) -> None:
        self._folders: dict[Path, list[Path]] = {}
        self._files: dict[Path, tuple[dict[str, Any], str]] = {}
        self._tables: dict[Path, tuple[dict[str, dict[str, str]], str]] = {}

    def of(self, path: Path, root: Path, subject: str) -> tuple[dict[str, Any], str | None, list[Problem]]:
        """Return the facts about an image, the modality that its sidecar states, and what could not be read.

        Parameters
        ----------
        path
            The image. A sidecar of its suffix whose entities are all among the image's applies, from the folder that holds the
            subjects down to the image's own; the nearer one wins, and of one folder the one with more entities.
        root
            The dataset, where ``participants.tsv`` stands.
        subject
            Label of the subject.
        """
        found: dict[str, Any] = {}
        modality: str | None = None
        reasons: list[str] = []
        words = path.name.split(".")[0].split("_")
        for side in self._sidecars(path, frozenset(words[:-1]), words[-1]):
            said, reason = self._read(side)
            found |= _facts(said)
            stated = said.get("Modality")
            if isinstance(stated, str) and _MODALITY.fullmatch(stated):
                modality = stated
            if reason:
                reasons.append(f"The sidecar {side.name} was left out ({reason}).")
        rows, reason = self._participants(root)
        if reason:
            reasons.append(f"participants.tsv was left out ({reason}); age, sex and group are not known.")
        return {**_person(rows.get(subject, {})), **found}, modality, [Problem(one_line(text, 300)) for text in reasons]

    def _sidecars(self, path: Path, entities: frozenset[str], suffix: str) -> list[Path]:
        """Return the sidecars that apply to an image, the farthest first."""
        above = list(path.parents)
        at = next((k for k, folder in enumerate(above) if folder.name.startswith("sub-")), 0)
        while at + 1 < len(above) and above[at + 1].name.startswith("sub-"):
            at += 1
        found = []
        for folder in reversed(above[: at + 2]):
            parts = [(side, side.name[: -len(".json")].split("_")) for side in self._json(folder)]
            fitting = [(side, words) for side, words in parts if words[-1] == suffix and entities.issuperset(words[:-1])]
            found += [side for side, _ in sorted(fitting, key=lambda one: (len(one[1]), one[0].name))]
        return found

    def _json(self, folder: Path) -> list[Path]:
        if folder not in self._folders:
            try:
                with os.scandir(folder) as entries:
                    names = [e.name for e in entries if e.name.endswith(".json") and e.is_file(follow_symlinks=False)]
            except OSError:  # it cannot be listed: nothing is known from it
                names = []
            self._folders[folder] = [folder / name for name in sorted(names)]
        return self._folders[folder]

    def _read(self, path: Path) -> tuple[dict[str, Any], str]:
        if path not in self._files:
            try:
                if path.stat().st_size > LARGEST:
                    raise ValueError(f"more than {LARGEST >> 20} MiB")
                values = json.loads(path.read_bytes())
                if not isinstance(values, dict):
                    raise ValueError("no object")
                self._files[path] = values, ""
            except (OSError, ValueError, RecursionError) as error:
                self._files[path] = {}, str(error) or type(error).__name__
        return self._files[path]

    def _participants(self, root: Path) -> tuple[dict[str, dict[str, str]], str]:
        if root not in self._tables:
            try:
                self._tables[root] = participants(root), ""
            except (IsocenterError, OSError) as error:
                self._tables[root] = {}, str(error)
        return self._tables[root]
