"""Numbers: every measurement of a result with its name and unit, the tables they are written to, and where they stand.

A number is written with all its digits (`text_of`), so that what a table says can be compared with what was
computed. Two layouts are understood: one row per region (``region``, then a column per measurement), and one row
per number (``slot``, ``region``, ``name``, ``value``, ``unit``, ``standard``).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.core.results import Features, Prediction, Scores

__all__ = ["LONG", "Number", "as_json", "csv_long", "csv_wide", "locate", "numbers", "same", "text_of"]

#: Columns of the table with one row per number.
LONG = ("slot", "region", "name", "value", "unit", "standard")
#: A cell that begins like this is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: What the columns that name the region and the measurement may be called.
_REGION = ("region", "segment", "label")
_NAME = ("name", "feature", "score", "measurement")
#: A unit behind a column's name: ``volume (mm^3)``, ``volume [mm^3]``.
_UNIT = re.compile(r" [(\[].*[)\]]$")


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
    if isinstance(recorded, int) and re.fullmatch(r"-?\d{1,40}", cell):
        return int(cell) == recorded
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
    at: dict[str, int] = {}
    for k, title in enumerate(rows[0]):
        at.setdefault(_UNIT.sub("", title), k)
    region = next((at[name] for name in _REGION if name in at), None)
    name = next((at[name] for name in _NAME if name in at), None)
    chosen = [
        (k, row)
        for k, row in enumerate(rows)
        if k and _says(row, at.get("slot"), slot) and (not case or _says(row, at.get("case"), case))
    ]
    found: dict[tuple[str, str], tuple[int, int]] = {}
    if name is not None and "value" in at:
        lines = {(_cell(row, region), _cell(row, name)): k for k, row in reversed(chosen)}
        for number in wanted:
            if (number.region, number.name) in lines:
                found[number.region, number.name] = (lines[number.region, number.name], at["value"])
        return found
    regions = {_cell(row, region): k for k, row in reversed(chosen)}
    for number in wanted:
        if number.region in regions and number.name in at:
            found[number.region, number.name] = (regions[number.region], at[number.name])
    return found


def _cell(row: Sequence[str], column: int | None) -> str:
    """Return a cell's text, empty where the row has none."""
    return row[column].removeprefix("'") if column is not None and column < len(row) else ""


def _says(row: Sequence[str], column: int | None, text: str) -> bool:
    """Return whether a row is of a slot or case; a table without such a column does not tell them apart."""
    return column is None or _cell(row, column) == text
