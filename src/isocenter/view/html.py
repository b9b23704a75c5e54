"""A report as one self-contained HTML file: no script, no outside resource, readable on a phone, and it prints.

References
----------
WCAG 2.2 (contrast, headings, text alternatives, table headers); Content Security Policy Level 3.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from isocenter.view.report import STATEMENT, Report, Table
from isocenter.view.text import clean, number, unit

__all__ = ["html"]

_MOST_ROWS = 2000


def html(report: Report) -> bytes:
    """Return a report as UTF-8 HTML.

    Parameters
    ----------
    report
        What to write. Every text of it is shown as it is, never interpreted as markup.

    Returns
    -------
    bytes
        One file; equal for equal reports.
    """
    text = _template().render(report=report, statement=STATEMENT, style=Markup(_style()))  # our own file, not input
    return text.encode("utf-8")


@lru_cache(maxsize=1)
def _style() -> str:
    return (Path(__file__).parent / "report.css").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"report.html": (Path(__file__).parent / "report.html").read_text(encoding="utf-8")}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["cell"] = lambda value: number(value, aligned=True)
    environment.filters["key"] = lambda value: number(value, 3)
    environment.filters["unit"] = unit
    environment.filters["data"] = lambda png: Markup("data:image/png;base64," + base64.b64encode(png).decode("ascii"))
    environment.filters["shown_rows"] = lambda table: table.rows[:_MOST_ROWS]
    environment.filters["left_out"] = lambda table: _left_out(table)
    return environment.get_template("report.html")


def _left_out(table: Table) -> int:
    return max(0, len(table.rows) - _MOST_ROWS)


def _shown(value: Any) -> Any:
    """Return what stands for a value in the page: markup of ours as it is, all else cleaned."""
    if isinstance(value, Markup):
        return value
    return clean(number(value))
