"""Rows of a table that somebody wrote by hand or by a spreadsheet: comma, semicolon or tab, one header line, UTF-8."""

from __future__ import annotations

import csv as csvlib
import io
from collections.abc import Iterator
from pathlib import Path

from isocenter.core.errors import FormatError, MissingInputError, SpecError
from isocenter.core.text import plain

__all__ = ["LARGEST", "Row", "rows_of"]

LARGEST = 1 << 28  # bytes: a table of labels beyond this is no table of labels
#: Line number, and cell by column name.
Row = tuple[int, dict[str, str]]


def rows_of(path: Path) -> tuple[list[str], list[Row]]:
    """Return the header of a table and its rows with their line numbers, cells stripped.

    Raises
    ------
    FormatError
        If it is empty, not text, or has two columns of one name.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise FormatError(f"{path.name}: more than {LARGEST >> 20} MiB of table: expected one row a case.")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise MissingInputError(
            f"{plain(path, 300)}: there is no such file: expected a table with 'image' and 'label'."
        ) from None
    except (UnicodeDecodeError, OSError) as error:
        raise FormatError(f"{path.name}: cannot be read as UTF-8 text ({plain(error, 100)}): save it as CSV UTF-8.") from error
    first = text.split("\n", 1)[0]
    mark = max(",;\t", key=first.count)
    reader = csvlib.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        lines = list(_lines(reader))
    except csvlib.Error as error:
        raise FormatError(
            f"{path.name}: line {reader.line_num} is broken ({plain(error, 100)}): expected quotes that close."
        ) from error
    named = [cell for cell in header if cell]
    if not named or len(set(named)) != len(named):
        raise FormatError(f"{path.name}: line 1: expected column names, each once; found {plain(header[:12], 200)}.")
    rows = []
    problems = []
    for number_of_line, cells in lines:
        if len(cells) != len(header):
            problems.append(f"line {number_of_line}: {len(cells)} cells for {len(header)} columns; expected one each.")
        else:
            rows.append((number_of_line, {h: c.strip() for h, c in zip(header, cells, strict=True) if h}))
    if problems:
        raise SpecError(problems, path.name)
    return named, rows


def _lines(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells  # type: ignore[attr-defined]  # csv readers have it, their protocol does not say so
