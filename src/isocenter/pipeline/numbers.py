"""Numbers: every measurement of a result with its name and unit, the tables they are written to, and where they stand.

A number is written with all its digits (`text_of`), so that what a table says can be compared with what was
computed. Two layouts are understood: one row per region (``region``, then a column per measurement), and one row
per number (``slot``, ``region``, ``name``, ``value``, ``unit``, ``standard``).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.core.results import Features, Prediction, Scores

__all__ = ["LONG", "Number", "as_json", "csv_long", "csv_wide", "locate", "numbers", "same", "text_of"]

#: Columns of the table with one row per number.
LONG = ("slot", "region", "name", "value", "unit", "standard")
#: A cell that begins like this is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Number:
    """One measurement: region (empty where it is of the whole case), name, value, unit, identifier in a standard."""

    region: str
    name: str
    value: Any
    unit: str = "1"
    standard: str = ""


def numbers(value: Any) -> list[Number]:
    """Return every number of features, scores or a prediction, in order; nothing for other values."""
    if isinstance(value, Features):
        return [
            Number(region, column.name, cell, column.unit, column.standard)
            for region, row in zip(value.regions, value.rows, strict=True)
            for column, cell in zip(value.columns, row, strict=True)
        ]
    if isinstance(value, Scores):
        return [Number("", name, float(score.value), score.unit) for name, score in value.items()]
    if isinstance(value, Prediction):
        found = [Number("", name, p) for name, p in zip(value.classes, value.probabilities, strict=True)]
        return found if value.value is None else [*found, Number("", "value", float(value.value), value.unit)]
    return []


def text_of(value: Any) -> str:
    """Return a value as it stands in a table: all digits of a number, nothing for NaN, no formula in a text."""
    if value is None:
        return ""
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text


def as_json(value: Any) -> Any:
    """Return a value as JSON holds it: NaN and infinities as text."""
    if hasattr(value, "item"):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def same(cell: str, value: Any) -> bool:
    """Return whether a cell says what was recorded (`as_json`): numbers by value, all digits counting."""
    if cell == text_of(value):
        return True
    recorded = float("nan") if value is None else value
    if isinstance(recorded, str):
        if recorded not in ("nan", "inf", "-inf"):
            return cell.removeprefix("'") == recorded
        recorded = float(recorded)
    try:
        found = float(cell) if cell.strip() else float("nan")
    except ValueError:
        return False
    return found == float(recorded) or (math.isnan(found) and math.isnan(float(recorded)))


def csv_wide(value: Features, first: Mapping[str, str] | None = None) -> str:
    """Return features as CSV, one row per region.

    Parameters
    ----------
    value
        The features.
    first
        Further columns put before ``region``, equal in all rows (``case`` -> pseudonym).
    """
    lead = dict(first or {})
    rows = [
        [*map(text_of, lead.values()), text_of(region), *map(text_of, row)]
        for region, row in zip(value.regions, value.rows, strict=True)
    ]
    return _csv([[*lead, "region", *value.names], *rows])


def csv_long(values: Mapping[str, Any], first: Mapping[str, str] | None = None) -> str:
    """Return the numbers of several slots as CSV, one row per number (columns `LONG`, after those of `first`)."""
    lead = dict(first or {})
    rows = [
        [
            *map(text_of, lead.values()),
            slot,
            text_of(n.region),
            text_of(n.name),
            text_of(n.value),
            text_of(n.unit),
            text_of(n.standard),
        ]
        for slot, value in values.items()
        for n in numbers(value)
    ]
    return _csv([[*lead, *LONG], *rows])


def _csv(rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def locate(
    rows: Sequence[Sequence[str]], slot: str, wanted: Iterable[Number], case: str = ""
) -> dict[tuple[str, str], tuple[int, int]]:
    """Return where numbers stand in a table.

    Parameters
    ----------
    rows
        The table, header first.
    slot
        The slot the numbers come from; a ``slot`` column, where there is one, must say it.
    wanted
        The numbers.
    case
        The pseudonym; a ``case`` column, where there is one, must say it.

    Returns
    -------
    dict
        (region, name) -> (row, column), both from 0, header row included; without those that are not there.
    """
    if not rows:
        return {}
    head = list(rows[0])
    at = {name: k for k, name in reversed(list(enumerate(head)))}

    def cell(row: Sequence[str], name: str) -> str:
        return row[at[name]].removeprefix("'") if at[name] < len(row) else ""

    chosen = [
        (k, row)
        for k, row in enumerate(rows)
        if k and ("slot" not in at or cell(row, "slot") == slot) and (not case or "case" not in at or cell(row, "case") == case)
    ]
    found: dict[tuple[str, str], tuple[int, int]] = {}
    if {"region", "name", "value"} <= at.keys():
        lines = {(cell(row, "region"), cell(row, "name")): k for k, row in reversed(chosen)}
        for number in wanted:
            if (number.region, number.name) in lines:
                found[number.region, number.name] = (lines[number.region, number.name], at["value"])
        return found
    regions = {cell(row, "region") if "region" in at else "": k for k, row in reversed(chosen)}
    for number in wanted:
        if number.region in regions and number.name in at:
            found[number.region, number.name] = (regions[number.region], at[number.name])
    return found
