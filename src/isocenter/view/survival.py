"""Survival by group as PNG: Kaplan-Meier curves with their intervals and the numbers still at risk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.view.style import ACCENT, INK, MUTED, area, blank, finish, font, label

__all__ = ["survival_picture"]

FloatArray = npt.NDArray[np.float64]
#: Name; times of events, share without the event, its interval; number at risk at a time, as (time, number); the last time observed.
Curve = tuple[str, FloatArray, FloatArray, FloatArray, FloatArray, Sequence[tuple[float, int]], float]

_TONES = (ACCENT, "#c2571a", "#5b4b9a", "#8795a1")


def survival_picture(curves: Sequence[Curve], title: str, across: str = "time", words: str = "") -> bytes:
    """Return survival curves as PNG.

    Parameters
    ----------
    curves
        One to four groups: name, event times, share without the event from each on, lower and upper bound, (time, number at risk), and
        the time of the last case, where the curve ends.
    title, across
        Above, and at the axis of time.
    words
        A line below the title, for instance the result of a test.
    """
    if not 1 <= len(curves) <= len(_TONES):
        raise ParameterError(f"{len(curves)} survival curves: expected 1 to {len(_TONES)}.")
    wide, high, left, top = 600.0, 320.0, 120.0, 66.0
    figure = blank(left + wide + 30, top + high + 76 + 22 * len(curves))
    label(figure, 16, 10, title, size=15, bold=True)
    if words:
        label(figure, 16, 36, words, size=12, color=MUTED, limit=110)
    axes = area(figure, left, top, wide, high)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    last = max(max((m for m, _ in c[5]), default=1.0) for c in curves)
    for (name, times, share, low, upper, _, watched), tone in zip(curves, _TONES, strict=False):
        end = max(watched, float(times[-1]) if times.size else 0.0)
        t = np.concatenate([[0.0], times, [end]])
        held = [np.concatenate([[1.0], v, v[-1:] if v.size else [1.0]]) for v in (share, low, upper)]
        axes.fill_between(t, held[1], held[2], step="post", color=tone, alpha=0.15, linewidth=0)
        axes.step(t, held[0], where="post", color=tone, linewidth=2, label=name)
    axes.set_xlim(0, last)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(across, fontproperties=font(), color=MUTED)
    axes.set_ylabel("share without the event", fontproperties=font(), color=MUTED)
    axes.tick_params(colors=MUTED)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_fontproperties(font())
    axes.legend(loc="lower left", frameon=False, prop=font())
    below = top + high + 46
    label(figure, 16, below, "at risk", size=12, color=MUTED)
    for k, ((name, *_, numbers, _), tone) in enumerate(zip(curves, _TONES, strict=False)):
        label(figure, 16, below + 20 + 22 * k, name, size=12, color=tone, limit=16)
        for moment, number in numbers:
            x = left + wide * moment / last - 3.5 * len(str(number))
            label(figure, x, below + 20 + 22 * k, str(number), size=12, color=INK)
    return finish(figure)
