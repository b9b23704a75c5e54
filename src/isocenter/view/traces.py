"""Signals over time, one row per channel, several of them over one another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isocenter.core.errors import ParameterError
from isocenter.core.signal import Signal
from isocenter.view.style import ACCENT, INK, MUTED, PAPER, area, blank, finish, label
from isocenter.view.text import clean

__all__ = ["traces"]

_TONES = ("#b9c1c9", ACCENT, "#c2571a")
_WIDTH, _ROW, _LEFT, _TOP = 860.0, 46.0, 110.0, 40.0
#: Channels and points that a picture can show.
_MOST, _POINTS = 16, 4000


def traces(signals: Mapping[str, Signal], *, seconds: float = 10.0, title: str | None = None) -> bytes:
    """Return signals of the same channels over one another as PNG.

    Parameters
    ----------
    signals
        Name -> signal, at most three; drawn in this order, the last on top.
    seconds
        How much is shown, from the middle.
    title
        A line above.

    Raises
    ------
    ParameterError
        If there are none, more than three, or their channels differ.
    """
    members = list(signals.items())
    if not 1 <= len(members) <= len(_TONES) or any(s.channels != members[0][1].channels for _, s in members):
        raise ParameterError(f"{len(members)} signals: expected one to three of the same channels.")
    first = members[0][1]
    shown = first.channels[:_MOST]
    figure = blank(_WIDTH, _TOP + _ROW * len(shown) + 40.0)
    x = 12.0
    for (name, _), tone in zip(members, _TONES, strict=False):
        label(figure, x, 12.0, clean(name, 40), color=tone, size=11.0)
        x += 90.0
    if title:
        label(figure, x, 12.0, clean(title, 100), color=INK, size=12.0)
    count = first.array.shape[1]
    span = min(count, max(2, round(seconds * first.rate)))
    start = (count - span) // 2
    step = max(1, span // _POINTS)
    for k, channel in enumerate(shown):
        axes = area(figure, _LEFT, _TOP + k * _ROW, _WIDTH - _LEFT - 16.0, _ROW - 4.0, PAPER)
        axes.axis("off")
        for (_, signal), tone in zip(members, _TONES, strict=False):
            part = np.asarray(signal.array[k, start : start + span : step], dtype=np.float64)
            axes.plot(signal.times[start : start + span : step][: len(part)], part, color=tone, linewidth=0.8)
        axes.margins(x=0.0)
        label(figure, 12.0, _TOP + k * _ROW + _ROW / 2 - 8.0, clean(channel, 16), color=MUTED, size=9.0)
    words = f"{start / first.rate + first.start:.1f} to {(start + span) / first.rate + first.start:.1f} s"
    if len(first.channels) > len(shown):
        words += f"; the first {len(shown)} of {len(first.channels)} channels"
    label(figure, _LEFT, _TOP + _ROW * len(shown) + 10.0, words, color=MUTED, size=9.5)
    return finish(figure)
