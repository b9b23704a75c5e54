"""Findings: the few numbers, pictures and flags of a case that its reader needs first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.results import Column, Features
from isocenter.core.signal import Signal
from isocenter.core.study import Study
from isocenter.jobs.analyses import Analysis
from isocenter.jobs.places import place_rows
from isocenter.jobs.predictions import prediction_rows
from isocenter.pipeline.plan import Plan
from isocenter.pipeline.run import Outcome

__all__ = ["Findings", "findings_of", "readable"]

#: More rows than this are summarised, the rest stands in the tables.
_MOST_ROWS = 12
_MOST_CHANNELS = 32


@dataclass(frozen=True)
class Findings:
    """What stands on the first screen.

    Attributes
    ----------
    title
        Title of the study.
    image_slot
        The image that pictures show and DICOM objects refer to.
    label_slots
        The label slots that pictures show, most important first.
    regions
        Feature slot -> label slot it measured.
    key_columns, key_rows
        Headings with units, and text cells, ``region`` first in each row.
    counts
        What was counted: (words, number).
    notes
        Quality flags and repairs, one sentence each.
    """

    title: str
    image_slot: str
    label_slots: tuple[str, ...]
    regions: Mapping[str, str]
    key_columns: tuple[str, ...]
    key_rows: tuple[tuple[str, ...], ...]
    counts: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]


def findings_of(analysis: Analysis, source: Study, outcome: Outcome, plan: Plan) -> Findings:
    """Return the findings of a case after its pipeline."""
    report = analysis.pipeline.report
    study = outcome.study
    wished = (report.get("image", "image"), "image", *report.get("compare", ())[:1], *study.images)
    image_slot: str = next(s for s in (*wished, *study.slots) if s in study.slots)
    regions = {
        step.to: step.inputs[1] for step in plan.steps if step.spec.kind == "Features" and len(step.inputs) > 1 and step.inputs[1]
    }
    brought = tuple(name for name in source.slots if name in study.labels)
    wanted = [name for name in report.get("labels", ()) if name in study.labels]
    rest = [name for name in study.labels if name in regions.values() and name not in wanted and name not in brought]
    label_slots = (*brought, *wanted, *rest)
    keys = tuple(report.get("key", ()))
    of_signal = isinstance(study[image_slot], Signal)
    columns, rows = key_of_channels(keys, study) if of_signal else _key(keys, study, regions, label_slots)
    if not rows:
        columns, rows = prediction_rows(study)
    if not rows:
        columns, rows = place_rows(study, analysis.pipeline)
    counted = report.get("count", ())
    counts = tuple((f"{name.replace('_', ' ')} found", _objects(study[name])) for name in counted if name in study.labels)
    notes: dict[str, None] = {}
    for item in analysis.case.items:
        notes.update(dict.fromkeys(p.sentence() for p in item.problems))
    compares = "compare" in report  # what its measures say stands in a table, before and after
    for step in outcome.steps:
        if not (compares and step.op.startswith("evaluate.")):
            notes.update(dict.fromkeys(step.notes))
    for out in plan.left_out:
        # That a mask lies on one of two grids is no news to the reader of the report; the plan tells it.
        if "no masks came along" not in out.reason and "The grids of" not in out.reason:
            notes[f"{out.op} was left out: {out.reason}"] = None
    return Findings(
        analysis.pipeline.title or analysis.pipeline.name, image_slot, label_slots, regions, columns, rows, counts, tuple(notes)
    )


def _objects(labels: LabelMap | MaskStack) -> int:
    if isinstance(labels, MaskStack):
        return len(labels)
    return sum(1 for v in labels.present if v > 0)


def readable(column: Column, value: Any) -> tuple[str, str]:
    """Return a value as people read it, and its unit: volumes in ml, three to four significant digits."""
    if isinstance(value, str):
        return value, ""
    if value is None or not math.isfinite(float(value)):
        return "\u2013", column.unit
    number, unit = float(value), column.unit
    if unit == "mm^3":
        number, unit = number / 1000.0, "ml"
    elif unit == "g/ml":
        unit = "SUV"
    elif unit == "mm^2" and abs(number) >= 1000.0:
        number, unit = number / 100.0, "cm^2"
    text = f"{number:.0f}" if abs(number) >= 1000 else f"{number:.4g}"
    return text, "" if unit == "1" else unit


def _find(names: tuple[str, ...], key: str) -> str | None:
    return next((n for n in names if n == key or n.endswith(f"_{key}")), None)


def _key(
    wanted: tuple[str, ...], study: Study, regions: Mapping[str, str], slots: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return headings and rows of the key numbers, the regions that came along first."""
    cells: dict[str, dict[str, str]] = {}
    heads: dict[str, str] = {}
    for slot in slots:
        for features_slot, region_slot in regions.items():
            table = study.slots.get(features_slot)
            origin = region_slot.removeprefix("on_pet_") if region_slot not in slots else region_slot
            if origin != slot or not isinstance(table, Features):
                continue
            for key in wanted:
                name = _find(table.names, key)
                if name is None:
                    continue
                column = table.columns[table.names.index(name)]
                for region in table.regions:
                    text, unit = readable(column, table[region, name])
                    words = key.replace("_mesh", "").replace("_", " ")
                    heads.setdefault(key, words)
                    shown = f"{text} {unit}".strip()
                    cells.setdefault(f"{_words(slot, region)}", {}).setdefault(key, shown)
    keys = [key for key in wanted if key in heads]
    # A declared segment that was not found has no numbers; the notes say that it was not found.
    found = {
        region: values
        for region, values in cells.items()
        if any(v[0] not in "0\u2013" or v.startswith("0.") for v in values.values())
    }
    rows = [(region, *[values.get(key, "\u2013") for key in keys]) for region, values in found.items()]
    shown_rows = rows[:_MOST_ROWS]
    if len(rows) > _MOST_ROWS:
        shown_rows.append((f"and {len(rows) - _MOST_ROWS} more in the tables", *["" for _ in keys]))
    return tuple(heads[key] for key in keys), tuple(shown_rows)


def key_of_channels(wanted: tuple[str, ...], study: Study) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return headings and one row for each channel of the columns that a study calls important."""
    heads: list[str] = []
    cells: dict[str, list[str]] = {}
    tables = [value for value in study.slots.values() if isinstance(value, Features)]
    for key in wanted:
        table = next((t for t in tables if key in t.names), None)
        if table is None:
            continue
        column = table.columns[table.names.index(key)]
        heads.append(key.replace("_", " "))
        for region in table.regions:
            text, unit = readable(column, table[region, key])
            cells.setdefault(region, []).append(f"{text} {unit}".strip())
    rows = [(region, *values) for region, values in cells.items()]
    shown = rows[:_MOST_CHANNELS]
    if len(rows) > _MOST_CHANNELS:
        shown.append((f"and {len(rows) - _MOST_CHANNELS} more in the tables", *["" for _ in heads]))
    return tuple(heads), tuple(shown)


def _words(slot: str, region: str) -> str:
    """Return what a row is called: the region's own name, with its slot where that name says little."""
    return region if not region.startswith("label ") else f"{slot.replace('_', ' ')} ({region})"


def picture_labels(study: Study, image: Image, slots: tuple[str, ...]) -> dict[str, LabelMap | MaskStack]:
    """Return the labels that can be drawn over an image: those on its grid."""
    return {
        name: study.labels[name] for name in slots if name in study.labels and image.geometry.matches(study.labels[name].geometry)
    }
