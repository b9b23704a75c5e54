"""Tables of samples over time: text whose first column is the time of its rows, read as a signal and written.

Only an evenly sampled table is one: a gap is named with its place, never closed by pretending.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.core.signal import Signal
from isocenter.io import atomic
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.samples import odd_count
from isocenter.io.text import csv_cell, one_line

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff", "write"]

NAME = "csv"
#: A table is claimed by its content alone: most tables beside images are no signals.
SUFFIXES: tuple[str, ...] = ()
ENDINGS = (".csv", ".tsv", ".txt")
SECONDS = {
    "": 1.0,
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
}
_TIME = re.compile(
    r"(?:time|times|timestamp|t|seconds)(?:[ _]*[\[(]?(s|sec|seconds|ms|msec|us|\u00b5s|ns|min)[\])]?)?", re.IGNORECASE
)
_UNIT = re.compile(r"(.*?)\s*[\[(]([^\])]{1,16})[\])]")
#: A step between half and one and a half of the usual one is the same sample clock, rounded when it was written.
STEP_RANGE = (0.5, 1.5)
LONGEST_HEADER, MOST_COLUMNS = 1 << 20, 4096


@dataclass(frozen=True)
class _Head:
    """The first row: how cells are separated, the unit of time, and what the columns are called."""

    separator: str
    scale: float
    stated: bool
    names: tuple[str, ...]
    unit: str | None


def _first_row(line: str) -> _Head | None:
    """Return what a first row says, None where its first cell is not a time."""
    separator = max(",;\t", key=line.count)
    if not line.count(separator):
        return None
    cells = next(csv.reader([line], delimiter=separator), [])
    found = _TIME.fullmatch(cells[0].strip()) if cells else None
    if found is None or len(cells) > MOST_COLUMNS:
        return None
    unit = (found[1] or ("s" if cells[0].strip().lower() == "seconds" else "")).lower()
    parts = [_UNIT.fullmatch(cell.strip()) for cell in cells[1:]]
    units = {p[2] if p else "" for p in parts}
    single = len(units) == 1 and units != {""}
    names = [p[1] if single and p else cell.strip() for p, cell in zip(parts, cells[1:], strict=True)]
    plain = tuple(one_line(name, 64) or f"channel {k + 1}" for k, name in enumerate(names))
    return _Head(separator, SECONDS[unit], bool(unit), plain, one_line(units.pop(), 16) if single else None)


def _cells(line: str, separator: str) -> list[str]:
    return [c.strip().strip('"') for c in (line.replace(",", ".") if separator == ";" else line).split(separator)]


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a text file begins with a time column whose first rows run on evenly.

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        The file; ends in ``.csv``, ``.tsv`` or ``.txt``.
    """
    if not path.name.lower().endswith(ENDINGS) or b"\0" in head:
        return False
    lines = head.decode("utf-8-sig", "replace").splitlines()
    first = _first_row(lines[0]) if lines else None
    if first is None:
        return False
    whole = lines[1:] if len(head) < 4096 else lines[1:-1]
    try:
        times = np.array([float(_cells(line, first.separator)[0]) for line in whole if line.strip()])
    except ValueError:
        return False
    if len(times) < 3:
        return False
    steps = np.diff(times)
    middle = float(np.median(steps))
    # Survival tables have a column of times too; theirs do not rise from row to row.
    return bool(middle > 0 and (steps > 0).all())


@dataclass(frozen=True)
class _Table:
    """Loads the signal."""

    path: Path
    head: _Head
    problems: tuple[Problem, ...]
    rate: float
    start: float

    def __call__(self) -> Signal:
        rows = _rows(self.path, self.head)
        signal = Signal(np.ascontiguousarray(rows[:, 1:].T), self.rate, self.head.names, self.head.unit, self.start)
        notes = [p.sentence() for p in self.problems]
        return dataclasses.replace(signal, provenance=Provenance.read(signal.digest, NAME, notes))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path.name}: byte {error.start} is no UTF-8 text: expected a table in UTF-8; save it again so."
        ) from None


def _rows(path: Path, head: _Head) -> npt.NDArray[np.float64]:
    """Return the numbers below the first row; an empty cell is NaN."""
    body = _text(path).partition("\n")[2]
    if head.separator == ";":
        body = body.replace(",", ".")
    count = len(head.names) + 1
    try:
        rows = np.loadtxt(io.StringIO(body), delimiter=head.separator, comments=None, ndmin=2, dtype=np.float64)
    except ValueError:
        rows = np.array(
            [_row(line, k, head, path.name) for k, line in enumerate(body.splitlines(), 2) if line.strip()], np.float64
        ).reshape(-1, count)
    if rows.shape[1] != count:
        raise FormatError(
            f"{path.name}: rows of {rows.shape[1]} cells below a first row of {count}: expected as many; correct it."
        )
    return rows


def _row(line: str, number: int, head: _Head, name: str) -> list[float]:
    cells = _cells(line, head.separator)
    if len(cells) != len(head.names) + 1:
        raise FormatError(
            f"{name}: line {number} has {len(cells)} cells: expected {len(head.names) + 1} as in the first row; correct it."
        )
    try:
        if any("_" in c for c in cells):  # Python reads 1_0 as ten
            raise ValueError
        return [float(c) if c else float("nan") for c in cells]
    except ValueError:
        raise FormatError(
            f"{name}: line {number} holds a cell that is no number: expected numbers or empty cells; correct it."
        ) from None


def _clock(times: npt.NDArray[np.float64], head: _Head, name: str) -> tuple[float, float]:
    """Return rate and start of evenly spaced times; refuse gaps by their place."""
    if len(times) < 2 or not np.isfinite(times).all():
        raise ContentError(
            f"{name}: a time column of {len(times)} rows with empty or infinite cells, or of one row: expected two or more times."
        )
    seconds = times * head.scale
    steps = np.diff(seconds)
    usual = float(np.median(steps))
    odd = np.flatnonzero((steps < STEP_RANGE[0] * usual) | (steps > STEP_RANGE[1] * usual))
    if usual <= 0 or odd.size:
        k = int(odd[0]) if odd.size else int(np.argmin(steps))
        raise ContentError(
            f"{name}: line {k + 3} comes {steps[k]:.6g} s after the line before it, but {usual:.6g} s are usual: "
            "expected an even rate without gaps; resample the table or split it there."
        )
    return float((len(times) - 1) / (seconds[-1] - seconds[0])), float(seconds[0])


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return the signal of a table.

    Parameters
    ----------
    path
        The file.
    budget
        Limits; the table is read once.

    Raises
    ------
    FormatError, ContentError, BudgetError
        If it cannot be used, with the reason.
    """
    # The shortest cell is two bytes of text and eight of memory, and the text itself is held meanwhile.
    budget.check_bytes(6 * path.stat().st_size, path, "the table")
    with path.open("rb") as handle:
        line = handle.read(LONGEST_HEADER).decode("utf-8-sig", "replace").partition("\n")[0]
    head = _first_row(line.rstrip("\r"))
    if head is None:
        raise FormatError(f"{path.name}: its first column is not named as a time: expected 'time (s)' or the like; name it so.")
    rows = _rows(path, head)
    rate, start = _clock(rows[:, 0], head, path.name)
    problems = []
    if not head.stated:
        problems.append(
            Problem(
                "The unit of the time column is not stated; seconds are taken.",
                "Another unit would change the rate by its factor.",
            )
        )
    odd = odd_count(rows[:, 1:])
    if odd:
        problems.append(Problem(f"Without a finite value (empty, NaN or infinity): {odd:,} samples."))
    spec = Spec("Signal", dtype="<f8", quantity=head.unit, samples=int(rows[:, 1:].size))
    facts: dict[str, Any] = {"channels": len(head.names), "rate_hz": rate, "seconds": len(rows) / rate}
    load = _Table(path, head, tuple(problems), rate, start)
    return [Item("signal", "signal", NAME, spec, (path,), load, problems=tuple(problems), attributes=facts)]


def write(value: Signal, path: Path) -> None:
    """Write a signal as a table: time in s, then one column for each channel; the values read back exactly.

    Parameters
    ----------
    value
        The signal.
    path
        Ends in ``.csv``.

    Raises
    ------
    WriteError
        If the disk refuses.
    """
    unit = f" [{value.unit}]" if value.unit else ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time [s]", *[csv_cell(f"{name}{unit}") for name in value.channels]])
    samples: npt.NDArray[Any] = np.asarray(value.array)
    for time, row in zip(value.times.tolist(), samples.T.tolist(), strict=True):
        writer.writerow([repr(time), *[repr(v) for v in row]])
    atomic.write_bytes(path, text.getvalue().encode("utf-8"))
