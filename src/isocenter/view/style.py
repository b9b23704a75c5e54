"""The look of figures: colours, type, and how a matplotlib figure becomes PNG bytes.

Only matplotlib's objects and its Agg canvas are used, never pyplot: no global state, no display, and nothing of a
user's settings reaches a figure, so that equal input gives equal bytes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

from isocenter.view import png
from isocenter.view.text import clean

__all__ = [
    "ACCENT",
    "GROUND",
    "INK",
    "LIGHT",
    "MARK",
    "MUTED",
    "PALE",
    "PAPER",
    "QUIET",
    "area",
    "blank",
    "distinct",
    "finish",
    "label",
    "legible",
]

DPI = 100

# Pictures stand on a near-black ground, plots on paper.
GROUND = "#121212"
LIGHT = "#e8edf1"
MARK = "#ffdf8c"
QUIET = "#93a1ad"
PAPER = "#ffffff"
INK = "#1b2733"
MUTED = "#5a6875"
PALE = "#d9e0e6"
ACCENT = "#0b6e75"

_SPARE = ((250, 190, 40), (80, 200, 255), (255, 105, 180), (120, 230, 120), (255, 140, 60), (190, 150, 255))


@lru_cache(maxsize=4)
def _font(bold: bool) -> tuple[FontProperties, frozenset[int]]:
    """Return the font that matplotlib ships (the same on every machine) and the characters it has."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return FontProperties(fname=str(path)), frozenset(FT2Font(str(path)).get_charmap())


def legible(text: Any, limit: int = 120, bold: bool = False) -> str:
    """Return one cleaned line of text; characters that the font lacks become a hollow square."""
    known = _font(bold)[1]
    line = " ".join(clean(text, limit).split())
    return "".join(c if ord(c) in known else "\u25a1" for c in line)


def blank(width: float, height: float, ground: str = PAPER) -> Figure:
    """Return an empty figure of a size in pixels."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=ground, edgecolor="none")
    FigureCanvasAgg(figure)
    return figure


def area(figure: Figure, left: float, top: float, width: float, height: float, ground: str = PAPER) -> Axes:
    """Return axes at a place given in pixels from the top left corner."""
    across, down = figure.get_size_inches() * DPI
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down), facecolor=ground)
    return axes


def label(
    figure: Figure,
    x: float,
    y: float,
    text: Any,
    *,
    size: float = 13,
    color: Any = INK,
    bold: bool = False,
    across: str = "left",
    along: str = "top",
    limit: int = 120,
    halo: bool = False,
) -> None:
    """Write one line at a place in pixels from the top left corner; `size` in pixels."""
    wide, down = figure.get_size_inches() * DPI
    from matplotlib.patheffects import withStroke

    effects = [withStroke(linewidth=2.4, foreground=(0, 0, 0, 0.75))] if halo else None
    figure.text(
        x / wide,
        1 - y / down,
        legible(text, limit, bold),
        fontproperties=_font(bold)[0],
        fontsize=size * 72 / DPI,
        color=color,
        horizontalalignment=across,
        verticalalignment=along,
        parse_math=False,
        path_effects=effects,
    )


def font(bold: bool = False) -> FontProperties:
    """Return the font of figures, for ticks and axis titles."""
    return _font(bold)[0].copy()


def finish(figure: Figure) -> bytes:
    """Return a figure as PNG bytes, without time or software entries."""
    return png.encode(pixels(figure))


def pixels(figure: Figure) -> npt.NDArray[np.uint8]:
    """Return a drawn figure as uint8 RGB, shape (rows, columns, 3)."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)  # blank() made it
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def distinct(colours: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return the colours, each one that repeats an earlier one replaced by another that is easy to tell apart."""
    chosen: list[tuple[int, int, int]] = []
    spare = list(_SPARE) if len(colours) <= 24 else []  # more cannot be told apart anyway
    for colour in colours:
        own = colour
        while spare and any(max(abs(a - b) for a, b in zip(own, c, strict=True)) < 24 for c in chosen):
            own = spare.pop(0)
        chosen.append(own)
    return chosen
