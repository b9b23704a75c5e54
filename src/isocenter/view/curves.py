"""Plots that judge a model: ROC, reliability, agreement and learning curves, as PNG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from isocenter.core.errors import ParameterError
from isocenter.view.style import ACCENT, INK, MUTED, PALE, area, blank, finish, font, label

__all__ = ["agreement", "froc", "learning", "reliability", "roc", "success"]

FloatArray = npt.NDArray[np.float64]

_SIDE = 420.0


def _axes(title: str, across: str, down: str, width: float = _SIDE) -> tuple[object, Axes]:
    figure = blank(width + 110, _SIDE + 110)
    label(figure, 16, 10, title, size=15, bold=True)
    axes = area(figure, 80, 44, width, _SIDE)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(across, fontproperties=font(), color=MUTED)
    axes.set_ylabel(down, fontproperties=font(), color=MUTED)
    axes.tick_params(colors=MUTED)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_fontproperties(font())
    return figure, axes


def roc(curves: Sequence[tuple[str, FloatArray, FloatArray]]) -> bytes:
    """Return ROC curves as PNG.

    Parameters
    ----------
    curves
        (name, false-positive rate, sensitivity), the most important first, four at most.
    """
    if not 1 <= len(curves) <= 4:
        raise ParameterError(f"{len(curves)} ROC curves: expected 1 to 4.")
    figure, axes = _axes("ROC: sensitivity against false alarms", "1 \u2212 specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1)
    for (name, rate, sensitivity), tone in zip(curves, (ACCENT, "#c2571a", "#5b4b9a", "#8795a1"), strict=False):
        axes.plot(rate, sensitivity, color=tone, linewidth=2, label=name)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.legend(loc="lower right", frameon=False, prop=font())
    return finish(figure)  # type: ignore[arg-type]  # blank() made it


def reliability(bins: Sequence[tuple[float, float, float, float, int]]) -> bytes:
    """Return a reliability diagram as PNG: how often what was predicted was so.

    Parameters
    ----------
    bins
        (predicted, observed, low, high, cases) of each bin that holds cases, as shares.
    """
    figure, axes = _axes("Calibration: predicted against observed", "predicted probability", "observed share")
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1)
    x = np.array([b[0] for b in bins])
    y = np.array([b[1] for b in bins])
    spread = np.array([[max(0.0, b[1] - b[2]) for b in bins], [max(0.0, b[3] - b[1]) for b in bins]])
    axes.errorbar(x, y, yerr=spread, fmt="o", color=ACCENT, ecolor=ACCENT, elinewidth=1, capsize=3)
    for predicted, observed, _, _, n in bins:
        axes.annotate(str(n), (predicted, observed), (6, 6), textcoords="offset points", color=MUTED, fontproperties=font())
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    return finish(figure)  # type: ignore[arg-type]  # blank() made it


def agreement(truth: FloatArray, predicted: FloatArray, bias: float, lower: float, upper: float, unit: str) -> bytes:
    """Return a Bland-Altman plot as PNG: the difference over the mean of both.

    Parameters
    ----------
    truth, predicted
        In `unit`.
    bias, lower, upper
        Mean difference and limits of agreement.
    unit
        Shown at the axes.
    """
    words = f" ({unit})" if unit not in ("", "1") else ""
    figure, axes = _axes("Agreement: prediction less truth", f"mean of both{words}", f"difference{words}", 600.0)
    axes.plot((truth + predicted) / 2, predicted - truth, "o", color=ACCENT, markersize=3, alpha=0.6)
    for value, style in ((bias, "-"), (lower, "--"), (upper, "--")):
        axes.axhline(value, color=INK, linewidth=1, linestyle=style)
    return finish(figure)  # type: ignore[arg-type]  # blank() made it


def learning(points: Sequence[tuple[int, float, float, float]], score: str) -> bytes:
    """Return a learning curve as PNG.

    Parameters
    ----------
    points
        (training cases, score, low, high), rising.
    score
        What it is called.
    """
    figure, axes = _axes("Learning curve: what more cases gave", "training cases", score, 600.0)
    x = [p[0] for p in points]
    axes.fill_between(x, [p[2] for p in points], [p[3] for p in points], color=ACCENT, alpha=0.15, linewidth=0)
    axes.plot(x, [p[1] for p in points], "o-", color=ACCENT, linewidth=2)
    axes.set_xlim(0, max(x) * 1.05)
    return finish(figure)  # type: ignore[arg-type]  # blank() made it


_TONES = (ACCENT, "#c2571a", "#5b4b9a", "#8795a1")


def froc(curves: Sequence[tuple[str, FloatArray, FloatArray]]) -> bytes:
    """Return FROC curves as PNG.

    Parameters
    ----------
    curves
        (name, false positives an image, sensitivity), the most important first, four at most.
    """
    figure, axes = _stairs("FROC: objects found against false alarms", "false positives an image", "sensitivity", curves)
    axes.set_xlim(0, 8)
    return finish(figure)  # type: ignore[arg-type]  # blank() made it


def success(curves: Sequence[tuple[str, FloatArray, FloatArray]], unit: str) -> bytes:
    """Return success curves of landmarks as PNG.

    Parameters
    ----------
    curves
        (name, distances, share of landmarks within each), the most important first, four at most.
    unit
        Of the distances.
    """
    figure, axes = _stairs("Landmarks within a distance of the truth", f"distance ({unit})", "share of landmarks", curves)
    axes.set_xlim(0, max(float(distances[-1]) for _, distances, _ in curves))
    return finish(figure)  # type: ignore[arg-type]  # blank() made it


def _stairs(title: str, across: str, down: str, curves: Sequence[tuple[str, FloatArray, FloatArray]]) -> tuple[object, Axes]:
    if not 1 <= len(curves) <= len(_TONES):
        raise ParameterError(f"{len(curves)} curves: expected 1 to {len(_TONES)}.")
    figure, axes = _axes(title, across, down, 600.0)
    for (name, x, y), tone in zip(curves, _TONES, strict=False):
        axes.step(x, y, where="post", color=tone, linewidth=2, label=name)
    axes.set_ylim(-0.01, 1.01)
    axes.legend(loc="lower right", frameon=False, prop=font())
    return figure, axes
