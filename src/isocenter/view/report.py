"""The report as a value: what it says and in which order, apart from how it is written.

The first screen answers what was analysed, which numbers matter, where they were seen and what speaks against
them; sections with the details follow. `isocenter.view.html` and `isocenter.view.pdf` write the same report.
All text is plain: whatever it holds, it is shown, never interpreted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from isocenter.core.errors import ParameterError
from isocenter.core.provenance import Provenance

__all__ = [
    "STATEMENT",
    "Block",
    "Figure",
    "Footer",
    "KeyNumber",
    "KeyValues",
    "Level",
    "Lineage",
    "LineageStep",
    "Notice",
    "Paragraph",
    "Report",
    "Section",
    "Table",
]

#: Stands at the top of every report.
STATEMENT = "Research and quality-controlled use; not a medical device"

Level = Literal["info", "warning", "problem"]
Align = Literal["text", "number"]


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Notice:
    """Something the reader must not overlook.

    Attributes
    ----------
    text
        One or two sentences in plain words.
    level
        ``info``, ``warning`` (results hold with care) or ``problem`` (results must not be relied on).
    """

    text: str
    level: Level = "info"

    def __post_init__(self) -> None:
        if self.level not in ("info", "warning", "problem"):
            raise ParameterError(f"Notice of level {self.level!r}: expected 'info', 'warning' or 'problem'.")


@dataclass(frozen=True)
class Table:
    """Rows and columns.

    Attributes
    ----------
    columns
        Headings, with units where all values of a column share one.
    rows
        Cells: text, numbers, None for what was not measured.
    caption
        What the table shows.
    align
        ``text`` or ``number`` per column; where it is not given a column of numbers stands to the right.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""
    align: tuple[Align, ...] | None = None

    def __post_init__(self) -> None:
        columns, rows = tuple(self.columns), tuple(tuple(r) for r in self.rows)
        if not columns:
            raise ParameterError("A table without columns: expected at least one.")
        wrong = next((k for k, row in enumerate(rows, start=1) if len(row) != len(columns)), None)
        if wrong is not None:
            raise ParameterError(
                f"Row {wrong} of a table has {len(rows[wrong - 1])} cells for {len(columns)} columns: expected one each."
            )
        if self.align is None:
            cells = [[row[k] for row in rows if row[k] is not None] for k in range(len(columns))]
            found = tuple("number" if column and all(_numeric(v) for v in column) else "text" for column in cells)
            object.__setattr__(self, "align", found)
        elif len(self.align) != len(columns):
            raise ParameterError(f"{len(self.align)} alignments for {len(columns)} columns: expected one each.")
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "rows", rows)


@dataclass(frozen=True)
class KeyValues:
    """Facts: name and value, in order."""

    items: tuple[tuple[str, Any], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        pairs = self.items.items() if isinstance(self.items, Mapping) else self.items
        object.__setattr__(self, "items", tuple((str(k), v) for k, v in pairs))


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes
    ----------
    png
        The bytes of a PNG file.
    caption
        Stands below it.
    alt
        What it shows, for those who cannot see it; default: the caption.
    """

    png: bytes = field(repr=False)
    caption: str = ""
    alt: str = ""

    def __post_init__(self) -> None:
        if not self.png.startswith(b"\x89PNG\r\n\x1a\n"):
            raise ParameterError("Bytes of a figure that are no PNG: expected a PNG file.")
        if not self.alt:
            object.__setattr__(self, "alt", self.caption or "Figure")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int.from_bytes(self.png[16:20], "big"), int.from_bytes(self.png[20:24], "big")


@dataclass(frozen=True)
class LineageStep:
    """One step that was applied: operation, version, its parameters in words, and the flags it raised."""

    operation: str
    version: str = ""
    parameters: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """What was done to which samples, in order."""

    sources: tuple[str, ...] = ()
    steps: tuple[LineageStep, ...] = ()
    caption: str = ""

    @classmethod
    def of(cls, provenance: Provenance, caption: str = "") -> Lineage:
        """Return the lineage that a provenance tells."""
        sources = tuple(f"{s.format}, {s.digest[:23]}\u2026" for s in provenance.sources)
        steps = tuple(LineageStep(s.operation, s.version, _parameters(s.parameters, s.seed), s.notes) for s in provenance.steps)
        return cls(sources, steps, caption)


Block = Paragraph | Notice | Table | KeyValues | Figure | Lineage


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        for block in self.blocks:
            if not isinstance(block, Paragraph | Notice | Table | KeyValues | Figure | Lineage):
                raise ParameterError(f"Section '{self.title}' holds {type(block).__name__}: expected a block of a report.")


@dataclass(frozen=True)
class KeyNumber:
    """One of the few numbers that matter: what it is, its value and unit, and what it rests on."""

    label: str
    value: Any
    unit: str = ""
    note: str = ""


@dataclass(frozen=True)
class Footer:
    """What stands at the end: software and version, digest of the lineage, how to verify."""

    lines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self.lines))


@dataclass(frozen=True)
class Report:
    """Everything a report says.

    Attributes
    ----------
    title
        What was done: ``CT chest analysis`` ...
    pseudonym
        The only name of the case (or cohort) that appears.
    summary
        What was analysed and found, one line each, most important first.
    numbers
        The key numbers with their units.
    notices
        Quality flags for the first screen.
    picture
        The picture for the first screen.
    sections
        Details, then methods and lineage.
    footer
        Software and digests.
    """

    title: str
    pseudonym: str
    summary: tuple[str, ...] = ()
    numbers: tuple[KeyNumber, ...] = ()
    notices: tuple[Notice, ...] = ()
    picture: Figure | None = None
    sections: tuple[Section, ...] = ()
    footer: Footer = field(default_factory=Footer)

    def __post_init__(self) -> None:
        for name in ("summary", "numbers", "notices", "sections"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


def _numeric(value: Any) -> bool:
    return not isinstance(value, bool | str | bytes) and hasattr(value, "__float__")


def _parameters(parameters: Mapping[str, Any], seed: int | None) -> str:
    parts = [f"{k} = {v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)}" for k, v in parameters.items()]
    return ", ".join(parts if seed is None else [*parts, f"seed = {seed}"])
