"""Structured reports: the measurements in them, one row for each measured region.

Each measurement group (TID 1410, 1411, 1501) is a row; numbers outside of a group make one row of their own. Text that
people typed is not taken over, but for the tracking identifier that names a region.

References
----------
DICOM PS3.3 C.17.3 (content items), C.18.1 (NUM); PS3.16 TID 1500, 1501, 1410, 1411; CID 7464.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from isocenter.core.errors import ContentError
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.core.results import Column, Features
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File, open_file
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.identity import identity, key, patient_key, text_problems, uid
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Item, Problem
from isocenter.io.text import unique

__all__ = ["CLASSES", "measurements_item", "read_measurements"]

#: Basic, Enhanced, Comprehensive and Comprehensive 3D SR, and Extensible SR.
CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.88.{k}" for k in (11, 22, 33, 34, 35))
GROUP, LIBRARY, TRACKING = ("125007", "DCM"), ("111028", "DCM"), ("112039", "DCM")
#: Concepts that tell two measurements of one name apart: derivation, method, finding site, laterality.
DERIVATION = "121401"
MOST_ITEMS = 1_000_000


def _code(data: Dataset, keyword: str) -> tuple[str, str, str]:
    """Return value, scheme and meaning of a coded concept, empty where there is none."""
    item = values.first_item(data, keyword)
    if item is None:
        return "", "", ""
    return (
        values.text(item, "CodeValue"),
        values.text(item, "CodingSchemeDesignator"),
        clean(values.text(item, "CodeMeaning"), 80),
    )


def _children(data: Dataset) -> list[Dataset]:
    return values.items(data, "ContentSequence")


def _groups(root: Dataset) -> Iterator[tuple[Dataset, bool]]:
    """Give every content item that holds measurements, and whether it is a group; image libraries hold none."""
    waiting, seen = [root], 0
    while waiting:
        here = waiting.pop()
        seen += 1
        if seen > MOST_ITEMS:
            return
        concept = _code(here, "ConceptNameCodeSequence")[:2]
        if concept == LIBRARY:
            continue
        yield here, concept == GROUP
        waiting.extend(c for c in reversed(_children(here)) if values.text(c, "ValueType") == "CONTAINER")


def _measured(item: Dataset) -> tuple[float, str] | None:
    """Return value and unit of a NUM, None where it has no value."""
    found = values.first_item(item, "MeasuredValueSequence")
    number = None if found is None else values.lenient(found, "NumericValue")
    if found is None or number is None or not math.isfinite(number):
        return None
    return number, _code(found, "MeasurementUnitsCodeSequence")[0]


def _column(item: Dataset, unit: str, taken: set[str]) -> Column:
    value, scheme, meaning = _code(item, "ConceptNameCodeSequence")
    derived = [
        _code(c, "ConceptCodeSequence")[2]
        for c in _children(item)
        if values.text(c, "ValueType") == "CODE" and _code(c, "ConceptNameCodeSequence")[0] == DERIVATION
    ]
    name = " ".join(part for part in (meaning or value or "measurement", *derived) if part)
    return Column(unique(name, taken), clean(unit, 32) or "1", f"{scheme}:{value}" if value else "")


def _row(group: Dataset) -> tuple[str, dict[Column, float]]:
    """Return the region's name and its measurements."""
    name, cells = "", {}
    taken: set[str] = set()
    for item in _children(group):
        kind = values.text(item, "ValueType")
        if kind == "TEXT" and _code(item, "ConceptNameCodeSequence")[:2] == TRACKING:
            name = clean(values.text(item, "TextValue"), 64)
        if kind == "NUM":
            found = _measured(item)
            if found is not None:
                cells[_column(item, found[1], taken)] = found[0]
    return name, cells


def read_measurements(data: Dataset, path: Path) -> Features:
    """Return the measurements of a report: one row for each group that has any.

    Raises
    ------
    ContentError
        If it holds none.
    """
    names: set[str] = set()
    columns: dict[Column, None] = {}
    rows: list[tuple[str, dict[Column, float]]] = []
    for group, tracked in _groups(data):
        name, cells = _row(group)
        if cells:
            rows.append((unique(name or (f"region {len(rows) + 1}" if tracked else "report"), names), cells))
            columns |= dict.fromkeys(cells)
    if not rows:
        raise ContentError(
            f"{clean(path)}: a structured report without measurements: expected numbers in it; read its text elsewhere."
        )
    # One name with two units is two columns.
    spelled: dict[Column, Column] = {}
    taken: set[str] = set()
    for column in columns:
        name = column.name if column.name not in taken else f"{column.name} [{column.unit}]"
        spelled[column] = Column(unique(name, taken), column.unit, column.standard)
    table = tuple(tuple(cells.get(c, math.nan) for c in columns) for _, cells in rows)
    return Features(tuple(spelled.values()), table, tuple(name for name, _ in rows))


def _load(path: Path, notes: tuple[str, ...]) -> Features:
    found = read_measurements(open_file(path, Budget()).data, path)
    return Features(found.columns, found.rows, found.regions, Provenance.read(found.digest, "dicom", notes))


def measurements_item(file: File) -> Item:
    """Return the item of a structured report.

    Raises
    ------
    ContentError
        If it holds no measurement.
    """
    data = file.data
    found = read_measurements(data, file.path)
    problems = tuple(Problem(t) for t in (*file.warnings, *text_problems(data)))
    study = uid(data, "StudyInstanceUID")
    return Item(
        "measurements", "measurements", "dicom", Spec("Features"), (file.path,),
        partial(_load, file.path, tuple(p.sentence() for p in problems)), key("study", study)[:16] if study else "", patient_key(data),
        problems, {"regions": len(found.rows), "columns": len(found.columns)}, identity(data), (), uid(data, "SOPInstanceUID"),
    )  # fmt: skip
