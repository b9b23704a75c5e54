"""Histograms of images: the same bins for before and after, the quantity and its unit on the axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.view.style import ACCENT, INK, MUTED, PALE, PAPER, area, blank, finish, font, label, legible
from isocenter.view.text import number, quantity_label

__all__ = ["histogram"]

_TONES = ("#8795a1", ACCENT, "#c2571a", "#5b4b9a", "#2d7d46", "#a23b72")
_BINS = 160
_WIDTH, _ROW = 760.0, 300.0


def histogram(images: Mapping[str, Image], *, title: str | None = None) -> bytes:
    """Return the histograms of images as PNG.

    Parameters
    ----------
    images
        Name -> image, at most six, for instance ``{"before": a, "after": b}``. Images of one quantity
        share an axis and its bins; another quantity has an axis of its own.
    title
        A line above.

    Returns
    -------
    bytes
        PNG; equal for equal input. The axis leaves out the outermost 0.05 percent on either side, which is stated.
    """
    if not 1 <= len(images) <= len(_TONES):
        raise ParameterError(f"{len(images)} images in a histogram: expected 1 to {len(_TONES)}.")
    groups: dict[str, list[tuple[str, npt.NDArray[Any], str]]] = {}
    for (name, image), tone in zip(images.items(), _TONES, strict=False):
        groups.setdefault(quantity_label(image.quantity, image.modality), []).append((name, _values(image), tone))
    top = 34.0 if title else 8.0
    figure = blank(_WIDTH, top + _ROW * len(groups), PAPER)
    if title:
        label(figure, 16, 10, title, size=15, bold=True)
    for k, (what, members) in enumerate(groups.items()):
        _plot(figure, top + k * _ROW, what, members)
    return finish(figure)


def _values(image: Image) -> npt.NDArray[Any]:
    data = np.asarray(image.array)
    step = max(1, round((data.size / 8_000_000) ** (1 / max(1, data.ndim))))
    flat = data[(slice(None, None, step),) * data.ndim].reshape(-1)
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    return flat.astype(np.float64)


def _plot(figure: Figure, top: float, what: str, members: list[tuple[str, npt.NDArray[Any], str]]) -> None:
    axes = area(figure, 62, top + 12, _WIDTH - 62 - 20, _ROW - 72)
    filled = [values for _, values, _ in members if values.size]
    if not filled:
        axes.set_axis_off()
        label(figure, 62, top + 40, f"{what}: no finite values", color=MUTED)
        return
    limits = [np.percentile(v, (0.05, 99.95)) for v in filled]
    low, high = float(min(v[0] for v in limits)), float(max(v[1] for v in limits))
    if low >= high:
        low, high = low - 0.5, high + 0.5
    edges = _edges(low, high, all(np.array_equal(v, np.rint(v)) for v in filled))
    top_share = 0.0
    for order, (_, values, tone) in enumerate(members):
        counts = np.histogram(values, edges)[0] / max(1, values.size) * 100
        top_share = max(top_share, float(np.sort(counts)[-2:].mean()))
        axes.stairs(
            counts,
            edges,
            fill=order == 0 and len(members) > 1,
            color=tone,
            alpha=0.55 if order == 0 and len(members) > 1 else 1.0,
            linewidth=1.6,
        )
    # One spike (air, the zero outside a mask) must not flatten all the rest.
    body = np.concatenate([np.histogram(v, edges)[0] / max(1, v.size) * 100 for _, v, _ in members])
    usual = float(np.sort(body)[-max(2, len(body) // 25)])
    cut = body.max() > 6 * usual > 0
    axes.set_ylim(0, (3 * usual if cut else float(body.max())) * 1.05)
    axes.set_xlim(edges[0], edges[-1])
    _dress(axes, what)
    for order, (name, values, tone) in enumerate(members):
        words = f"{name}: median {number(float(np.median(values)))}" if values.size else f"{name}: no finite values"
        label(
            figure,
            _WIDTH - 24,
            top + 16 + 18 * order,
            words,
            size=12.5,
            color=tone if order else "#5f6c78",
            bold=True,
            across="right",
            limit=70,
        )
    if cut:
        label(
            figure,
            _WIDTH - 24,
            top + 16 + 18 * len(members),
            f"highest bin {float(body.max()):.0f} %, cut off",
            size=11,
            color=MUTED,
            across="right",
        )


def _edges(low: float, high: float, whole: bool) -> npt.NDArray[np.float64]:
    """Return bin edges; for whole numbers every bin holds the same count of them, else a comb would appear."""
    if not whole:
        return np.linspace(low, high, _BINS + 1)
    low, high = np.floor(low), np.ceil(high)
    width = max(1, int(np.ceil((high - low + 1) / _BINS)))
    count = int(np.ceil((high - low + 1) / width))
    edges: npt.NDArray[np.float64] = low - 0.5 + width * np.arange(count + 1, dtype=np.float64)
    return edges


def _dress(axes: Axes, what: str) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.spines["bottom"].set_linewidth(0.8)
    axes.grid(True, axis="y", color=PALE, linewidth=0.7, linestyle="solid")
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", which="both", length=0, colors=MUTED, pad=5)
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
    small = font()
    small.set_size(8.6)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_fontproperties(small)
    titled = font()
    titled.set_size(9.4)
    for setter, text in ((axes.set_xlabel, what), (axes.set_ylabel, "Share of samples (%)")):
        setter(legible(text), fontproperties=titled, color=INK, labelpad=7, parse_math=False)
