"""Bars that say what features did: shares of a prediction, or what each is worth with its interval, as PNG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter.core.errors import ParameterError
from isocenter.view.style import ACCENT, INK, MUTED, area, blank, finish, font, label
from isocenter.view.text import clean, number

__all__ = ["feature_bars"]

#: Against, as in the colours of an attribution.
_AGAINST, _FOR = "#1e5adc", "#e65a0a"
_WIDE, _ROW = 420.0, 24.0

Bar = tuple[str, float, float | None, float | None]


def feature_bars(rows: Sequence[Bar], title: str, across: str, *, signed: bool = True, most: int = 15) -> bytes:
    """Return horizontal bars as PNG, in the order given.

    Parameters
    ----------
    rows
        (feature, value, low, high); the ends of an interval are None where there is none.
    title, across
        Above, and along the axis.
    signed
        Orange speaks for, blue against; else one colour.
    most
        Rows shown; what is left out is told.
    """
    if not rows or most < 1:
        raise ParameterError(f"{len(rows)} bars, {most} of them to be shown: expected 1 or more.")
    shown = list(rows[:most])
    high = _ROW * len(shown)
    figure = blank(_WIDE + 330, high + 120)
    label(figure, 16, 10, title, size=15, bold=True)
    axes = area(figure, 220, 44, _WIDE, high)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    at = np.arange(len(shown))[::-1]
    values = np.array([row[1] for row in shown])
    colours = [(_FOR if v >= 0 else _AGAINST) if signed else ACCENT for v in values]
    axes.barh(at, values, height=0.66, color=colours)
    for place, (_, _, low, up) in zip(at, shown, strict=True):
        if low is not None and up is not None:
            axes.plot([low, up], [place, place], color=INK, linewidth=1.2)
    axes.axvline(0.0, color=MUTED, linewidth=1)
    axes.set_yticks(at, [clean(row[0], 34) for row in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.margins(x=0.02)
    axes.set_xlabel(across, fontproperties=font(), color=MUTED)
    axes.tick_params(colors=MUTED, length=0)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_fontproperties(font())
    for k, value in enumerate(values):
        label(figure, 220 + _WIDE + 12, 44 + _ROW * k + 5, number(float(value), 3), size=12, color=INK)
    if len(rows) > most:
        label(figure, 16, high + 94, f"{len(rows) - most} more stand in the table.", size=12, color=MUTED)
    return finish(figure)
