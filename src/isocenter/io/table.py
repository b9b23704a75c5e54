"""Tables: features, scores and rows as CSV, or as Parquet where pyarrow is installed.

Text that a spreadsheet would run as a formula is disarmed; numbers are written so that they read back exactly;
a value that is not defined is an empty cell.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import ParameterError, UnsupportedError
from isocenter.core.extras import require
from isocenter.core.results import Features, Scores
from isocenter.io import atomic
from isocenter.io.text import csv_cell

__all__ = ["write_features", "write_rows", "write_scores"]


def _cell(value: Any) -> Any:
    """Return what a CSV cell holds: shortest exact spelling of floats, empty for undefined, safe text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return csv_cell(value) if isinstance(value, str) else value


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([csv_cell(c) for c in columns])
    writer.writerows([[_cell(v) for v in row] for row in rows])
    return text.getvalue().encode("utf-8")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _parquet(columns: Sequence[str], rows: Sequence[Sequence[Any]], path: Path) -> None:
    arrow = require("pyarrow", "Writing Parquet tables")
    parquet = require("pyarrow.parquet", "Writing Parquet tables")
    data = {}
    for k, name in enumerate(columns):
        column = [_plain(row[k]) for row in rows]
        kinds = {type(v) for v in column if v is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:  # a column of mixed kinds is a column of text
            column = [None if v is None else str(v) for v in column]
        elif kinds == {int, float}:
            column = [None if v is None else float(v) for v in column]
        data[name] = column
    with atomic.replacing(path) as handle:
        parquet.write_table(arrow.table(data), handle, compression="zstd")


def write_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], path: str | Path) -> None:
    """Write a table.

    Parameters
    ----------
    columns
        Names.
    rows
        Values in column order: numbers, text, truth values or None.
    path
        Ends in ``.csv`` (UTF-8, commas) or ``.parquet``.

    Raises
    ------
    ParameterError
        If a row has another length than the header.
    UnsupportedError
        If the suffix is neither.
    MissingExtraError
        For Parquet without pyarrow.
    WriteError
        If the disk refuses.
    """
    target = Path(path)
    columns = [str(c) for c in columns]
    odd = next((k for k, row in enumerate(rows) if len(row) != len(columns)), None)
    if odd is not None:
        raise ParameterError(
            f"{target.name}: row {odd + 1} has {len(rows[odd])} values: expected {len(columns)}, one per column."
        )
    if target.suffix.lower() == ".csv":
        atomic.write_bytes(target, _csv(columns, rows))
    elif target.suffix.lower() == ".parquet":
        _parquet(columns, rows, target)
    else:
        raise UnsupportedError(f"{target.name}: tables are written as .csv or .parquet: expected one of these suffixes.")


def write_features(features: Features, path: str | Path) -> list[Path]:
    """Write a feature table: one row per region, one column per feature under its plain name.

    Reference tag, unit, standard identifier and meaning of the columns go into a second table beside it, ``NAME.columns.csv``.

    Parameters
    ----------
    features
        The table.
    path
        Ends in ``.csv`` or ``.parquet``.

    Returns
    -------
    list of Path
        The files written.
    """
    target = Path(path)
    rows = [[region, *row] for region, row in zip(features.regions, features.rows, strict=True)]
    write_rows(["region", *features.names], rows, target)
    facts = [[c.name, c.tag, c.unit, c.standard, c.summary] for c in features.columns]
    side = target.with_name(f"{target.stem}.columns.csv")
    write_rows(["name", "tag", "unit", "standard", "summary"], facts, side)
    return [target, side]


def write_scores(scores: Scores, path: str | Path) -> list[Path]:
    """Write scores: one row per score with its unit, interval (95 %) and number of cases.

    Parameters
    ----------
    scores
        The scores.
    path
        Ends in ``.csv`` or ``.parquet``.

    Returns
    -------
    list of Path
        The file written.
    """
    rows = []
    for name, score in scores.items():
        low, high = score.interval if score.interval is not None else (None, None)
        rows.append(["", name, float(score.value), score.unit, low, high, score.n])
    write_rows(["region", "name", "value", "unit", "low", "high", "n"], rows, path)
    return [Path(path)]
