"""A report as PDF: the content of the HTML page, for paper and for the archive.

Text is set in Helvetica, one of the fonts every reader has; characters it lacks come from an embedded subset of DejaVu
Sans. Dates and identifiers are left out, so that equal reports give equal bytes.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, Image, KeepTogether, SimpleDocTemplate, Spacer, TableStyle
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid

from isocenter.view.report import (
    STATEMENT,
    Block,
    Figure,
    KeyNumber,
    KeyValues,
    Lineage,
    Notice,
    Paragraph,
    Report,
    Table,
)
from isocenter.view.text import clean, number, unit

__all__ = ["pdf"]

_WIDTH = A4[0] - 36 * mm
_TALLEST = 165 * mm  # of a figure
_MOST_ROWS = 400
_MOST_COLUMNS = 7
_MOST_LINES = 24  # that are broken where the text says so
_CELL = 300  # characters; a row must fit on a page, below the headings
_FALLBACK = ("IsocenterSans", "IsocenterSans-Bold")

_INK, _MUTED, _LINE, _ACCENT = HexColor("#1b2733"), HexColor("#52606d"), HexColor("#dbe2e8"), HexColor("#0b6e75")
_NOTICE = {
    "info": ("Note", HexColor("#eaf4f5"), HexColor("#0a5157")),
    "warning": ("Take care", HexColor("#fff4dc"), HexColor("#6b4600")),
    "problem": ("Problem", HexColor("#fdebea"), HexColor("#8c1a14")),
}


def _style(name: str, size: float, leading: float, color: Any = _INK, **more: Any) -> ParagraphStyle:
    face = "Helvetica-Bold" if more.pop("bold", False) else "Helvetica"
    return ParagraphStyle(name, fontName=face, fontSize=size, leading=leading, textColor=color, splitLongWords=1, **more)


_S = {
    "case": _style("case", 9, 12, _ACCENT, bold=True),
    "title": _style("title", 20, 24, bold=True, spaceAfter=4),
    "first": _style("first", 11, 15),
    "summary": _style("summary", 10, 14, _MUTED),
    "heading": _style("heading", 13, 17, bold=True, spaceBefore=16, spaceAfter=5),
    "body": _style("body", 9.5, 13.5, spaceAfter=4),
    "caption": _style("caption", 8.5, 11.5, _MUTED, spaceAfter=3),
    "quiet": _style("quiet", 8.5, 11.5, _MUTED, spaceAfter=3),
    "cell": _style("cell", 8.5, 11),
    "number": _style("number", 8.5, 11, alignment=2),
    "head": _style("head", 8, 10.5, _MUTED, bold=True),
    "head number": _style("head number", 8, 10.5, _MUTED, bold=True, alignment=2),
    "label": _style("label", 8, 10.5, _MUTED),
    "value": _style("value", 15, 19, bold=True),
    "step": _style("step", 9.5, 12.5, bold=True),
}


def pdf(report: Report) -> bytes:
    """Return a report as PDF.

    Parameters
    ----------
    report
        What to write. Every text of it is shown as it is, never interpreted as markup.

    Returns
    -------
    bytes
        A4 pages with the pseudonym and the page number on each; equal for equal reports.
    """
    _fonts()
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=18 * mm - 6,  # a frame pads its content by 6 points
        rightMargin=18 * mm - 6,
        topMargin=22 * mm,
        bottomMargin=20 * mm,
        title=clean(report.title, 200),
        author="isocenter",
        subject=clean(report.pseudonym, 100),
        creator="isocenter",
        invariant=1,
        lang="en",
    )

    class _Numbered(Canvas):
        """A canvas that writes header and footer once the number of pages is known."""

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 (the name that the canvas calls)
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for page in self._kept:
                self.__dict__.update(page)
                _frame(self, report, len(self._kept))
                super().showPage()
            super().save()

    document.build(_story(report), canvasmaker=_Numbered)
    return out.getvalue()


@lru_cache(maxsize=1)
def _fonts() -> tuple[frozenset[int], frozenset[int]]:
    """Register the fallback fonts; return the characters they have."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    found = []
    for name, file in zip(_FALLBACK, ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"), strict=True):
        font = TTFont(name, str(folder / file))
        pdfmetrics.registerFont(font)
        found.append(frozenset(font.face.charToGlyph))
    return found[0], found[1]


def _markup(text: Any, bold: bool = False, limit: int = 2000, most: int = _MOST_LINES) -> str:
    """Return text escaped for a paragraph, characters that Helvetica lacks marked for the fallback font."""
    known = _fonts()[int(bold)]
    parts: list[tuple[bool, str]] = []
    lines = clean(number(text), limit).split("\n")
    # A row of a table cannot be broken: more lines than a page takes run on as one.
    for character in "\n".join([*lines[:most], " ".join(lines[most:])]).rstrip():
        plain = _in_helvetica(character)
        shown = character if plain or ord(character) in known else "\u25a1"
        if parts and parts[-1][0] == plain:
            parts[-1] = (plain, parts[-1][1] + shown)
        else:
            parts.append((plain, shown))
    face = _FALLBACK[int(bold)]
    made = (escape(part) if plain else f'<font name="{face}">{escape(part)}</font>' for plain, part in parts)
    return "".join(made).replace("\n", "<br/>")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _in_helvetica(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _text(text: Any, style: str = "body", limit: int = 2000, most: int = _MOST_LINES) -> Text:
    return Text(_markup(text, "Bold" in _S[style].fontName, limit, most), _S[style])


def _line(canvas: Canvas, x: float, y: float, text: str, size: float, width: float, right: bool = False) -> None:
    """Write one line of small text, cut where it is too long."""
    paragraph = Text(_markup(_one_line(text), limit=110), _style("line", size, size + 2, _MUTED, alignment=2 if right else 0))
    _, height = paragraph.wrap(width, 40)
    if height <= size + 3:
        paragraph.drawOn(canvas, x, y)
    else:
        shorter = Text(_markup(_one_line(text), limit=40), paragraph.style)
        shorter.wrap(width, 40)
        shorter.drawOn(canvas, x, y)


def _frame(canvas: Canvas, report: Report, pages: int) -> None:
    """Write header and footer of one page."""
    left, right, top = 18 * mm, A4[0] - 18 * mm, A4[1] - 14 * mm
    canvas.saveState()
    _line(canvas, left, top, report.pseudonym, 8, _WIDTH * 0.4)
    _line(canvas, left + _WIDTH * 0.4, top, STATEMENT, 8, _WIDTH * 0.6, right=True)
    canvas.setStrokeColor(_LINE)
    canvas.setLineWidth(0.6)
    canvas.line(left, top - 4, right, top - 4)
    _line(canvas, left, 11 * mm, report.title, 8, _WIDTH * 0.8)
    _line(canvas, left + _WIDTH * 0.8, 11 * mm, f"Page {canvas.getPageNumber()} of {pages}", 8, _WIDTH * 0.2, right=True)
    canvas.restoreState()


def _story(report: Report) -> list[Flowable]:
    story: list[Flowable] = [_text(report.pseudonym, "case", 120), _text(report.title, "title", 300)]
    story += [_text(line, "first" if k == 0 else "summary") for k, line in enumerate(report.summary)]
    story.append(Spacer(0, 6))
    if report.numbers:
        story += [_numbers(report.numbers), Spacer(0, 8)]
    for notice in report.notices:
        story += _notice(notice)
    if report.picture is not None:
        story += _figure(report.picture)
    for section in report.sections:
        story.append(CondPageBreak(38 + (_start(section.blocks[0]) if section.blocks else 0)))
        story.append(_text(section.title, "heading", 300))
        for block in section.blocks:
            story += _block(block)
    story.append(Spacer(0, 14))
    story += [_text(line, "quiet") for line in report.footer.lines]
    return story


def _start(block: Block) -> float:
    """Return the height that the beginning of a block needs, so that no heading stands alone at the foot of a page."""
    if isinstance(block, Figure):
        return _shown_size(block)[1] + 45
    return 80 if isinstance(block, Table | KeyValues | Lineage) else 45


def _block(block: Block) -> list[Flowable]:
    if isinstance(block, Paragraph):
        return [_text(block.text, limit=20000)]
    if isinstance(block, Notice):
        return _notice(block)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, KeyValues):
        return _facts(block)
    if isinstance(block, Figure):
        return _figure(block)
    return _lineage(block)


def _caption(text: str) -> list[Flowable]:
    """Return a caption that stays with the lines below it."""
    return [CondPageBreak(75), _text(text, "caption")] if text else []


def _numbers(numbers: tuple[KeyNumber, ...]) -> Grid:
    across = min(len(numbers), 4 if len(numbers) != 3 else 3)
    cells: list[Any] = []
    for n in numbers:
        after = _markup(_one_line(unit(n.unit)), limit=30)
        after = f' <font name="Helvetica" size="9.5" color="#52606d">{after}</font>' if after else ""
        value = Text(_markup(_one_line(number(n.value, 3)), True, 60) + after, _S["value"])
        note = [_text(_one_line(n.note), "label", 120)] if n.note else []
        cells.append([_text(_one_line(n.label), "label", 120), value, *note])
    cells += [""] * (-len(cells) % across)
    rows = [cells[k : k + across] for k in range(0, len(cells), across)]
    looks = [
        ("BOX", (0, 0), (-1, -1), 0.6, _LINE),
        ("INNERGRID", (0, 0), (-1, -1), 0.6, _LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 7),
        ("LEFTPADDING", (0, 0), (-1, -1), 8),
    ]
    return Grid(rows, colWidths=[_WIDTH / across] * across, style=TableStyle(looks))


def _notice(notice: Notice) -> list[Flowable]:
    word, ground, ink = _NOTICE[notice.level]
    style = _style("notice", 9.5, 13, ink)
    head = _style("notice head", 9.5, 13, ink, bold=True)
    looks = [
        ("BACKGROUND", (0, 0), (-1, -1), ground),
        ("LINEBEFORE", (0, 0), (0, -1), 3, ink),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (0, -1), 10),
        ("TOPPADDING", (0, 0), (-1, -1), 5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
    ]
    row = [Text(word, head), Text(_markup(notice.text), style)]
    return [Grid([row], colWidths=[62, _WIDTH - 62], style=TableStyle(looks)), Spacer(0, 5)]


def _shown_size(figure: Figure) -> tuple[float, float]:
    wide, high = figure.size
    scale = min(_WIDTH / wide, _TALLEST / high, 72 / 96)
    return wide * scale, high * scale


def _figure(figure: Figure) -> list[Flowable]:
    image = Image(io.BytesIO(figure.png), *_shown_size(figure))
    image.hAlign = "LEFT"
    parts: list[Flowable] = [image]
    if figure.caption:
        parts += [Spacer(0, 3), _text(figure.caption, "quiet")]
    return [KeepTogether(parts), Spacer(0, 5)]


def _table(table: Table) -> list[Flowable]:
    """Return a table; one of many columns is set in parts that repeat its first column."""
    parts = _caption(table.caption)
    others = list(range(1, len(table.columns)))
    groups = [others[k : k + _MOST_COLUMNS - 1] for k in range(0, len(others), _MOST_COLUMNS - 1)] or [[]]
    for group in groups:
        parts += [_grid(table, [0, *group]), Spacer(0, 8)]
    left = len(table.rows) - _MOST_ROWS
    if left > 0:
        parts.append(_text(f"{left} more rows are not shown here.", "quiet"))
    return parts


def _grid(table: Table, columns: list[int]) -> Grid:
    align = table.align or ()
    number_style = [align[k] == "number" for k in columns]
    rows = [
        [
            _text(_one_line(table.columns[k]), "head number" if n else "head", 120)
            for k, n in zip(columns, number_style, strict=True)
        ]
    ]
    faces = ["number" if n else "cell" for n in number_style]
    rows += [
        [_text(number(row[k], aligned=True), face, _CELL, 6) for k, face in zip(columns, faces, strict=True)]
        for row in table.rows[:_MOST_ROWS]
    ]
    looks = [
        ("LINEBELOW", (0, 0), (-1, 0), 0.9, _MUTED),
        ("LINEBELOW", (0, 1), (-1, -1), 0.5, _LINE),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("VALIGN", (0, 1), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
    ]
    return Grid(rows, colWidths=_widths(table, columns), repeatRows=1, style=TableStyle(looks))


def _widths(table: Table, columns: list[int]) -> list[float]:
    """Return column widths by the length of what they hold, none so narrow that a heading breaks up."""
    wanted = []
    for k in columns:
        cells = [len(clean(number(row[k]), 60)) for row in table.rows[:_MOST_ROWS]]
        longest = max((len(w) for w in clean(table.columns[k], 60).split()), default=1)
        wanted.append(float(min(60, max([longest + 2, 6, *cells]))))
    total = sum(wanted)
    return [_WIDTH * w / total for w in wanted]


def _facts(facts: KeyValues) -> list[Flowable]:
    rows = [[_text(k, "label", 200), _text(v, "cell", 1200)] for k, v in facts.items]
    parts = _caption(facts.caption)
    if rows:
        looks = [
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, _LINE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
        parts += [Grid(rows, colWidths=[_WIDTH * 0.28, _WIDTH * 0.72], style=TableStyle(looks)), Spacer(0, 6)]
    return parts


def _lineage(lineage: Lineage) -> list[Flowable]:
    parts = _caption(lineage.caption)
    parts += [Text(f"<b>read</b> {_markup(source, limit=300)}", _S["quiet"]) for source in lineage.sources]
    for k, step in enumerate(lineage.steps, start=1):
        name = f"{k}. {step.operation}" + (f" (version {step.version})" if step.version else "")
        own: list[Flowable] = [_text(name, "step", 200)]
        if step.parameters:
            own.append(_text(step.parameters, "quiet"))
        own += [_text(note, "quiet") for note in step.notes]
        parts.append(KeepTogether(own))
    return parts
