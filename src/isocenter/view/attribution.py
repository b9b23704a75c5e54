"""An attribution laid over its image: the image beside it, the map in colour, its range in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.view import slices
from isocenter.view.contours import Layer, layers, named
from isocenter.view.panels import draw
from isocenter.view.slices import Panel, Volume
from isocenter.view.style import GROUND, LIGHT, QUIET, area, blank, finish, label
from isocenter.view.text import clean, number
from isocenter.view.windows import Window, choose

__all__ = ["attribution_picture", "signed_colours"]

_SIDE, _TALL, _GAP, _MARGIN = 300.0, 300.0, 8.0, 10.0


def signed_colours(share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return colours (0 to 255) of shares -1 to 1: blue speaks against, orange to yellow for; lighter is more."""
    size = np.abs(share)[..., None]
    warm = np.array([230.0, 90.0, 10.0]) * (1.0 - size) + np.array([255.0, 235.0, 90.0]) * size
    cold = np.array([30.0, 90.0, 220.0]) * (1.0 - size) + np.array([120.0, 210.0, 255.0]) * size
    return np.where(share[..., None] < 0, cold, warm)


def attribution_picture(
    image: Image,
    attribution: Image,
    labels: LabelMap | MaskStack | None = None,
    *,
    window: Window | str | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> bytes:
    """Return an image and its attribution as PNG.

    A volume is shown in three planes through the largest attribution, a picture as it is; above without, below (of a
    picture: beside) with the map.

    Parameters
    ----------
    image
        Without time axis.
    attribution
        On the image's grid; positive speaks for the class.
    labels
        Segments to outline.
    window
        What becomes black and white of the image.
    title, notes
        A line above, and sentences below: the warnings of an explanation belong here.

    Raises
    ------
    GridMismatchError
        If the map is not on the grid of the image.
    ContentError
        If the map has a time or channel axis.
    """
    image.geometry.require_match(attribution.geometry, ("image", "attribution"))
    if len(attribution.dims) != attribution.geometry.ndim:
        raise ContentError(f"An attribution with axes {' '.join(attribution.dims)}: expected spatial axes only.")
    view, over = Volume.of(image), Volume.of(attribution.replace(modality=image.modality))
    drawn = layers(image, labels)
    shown = choose(image, slices.sampled(view), [d.segment.name for d in drawn], window)
    values = np.nan_to_num(over.array.astype(np.float64))
    reach = float(np.abs(values).max())
    peak = np.unravel_index(int(values.argmax()), values.shape)
    point = over.point([float(k) for k in peak]) if reach else np.zeros(3)
    pairs = []
    for name in view.planes:
        plane = view.plane(name, point)
        base = slices.panel(view, plane, shown)
        pairs.append((base, _laid(base, over, reach)))
    unit = clean(attribution.quantity or "attribution", 40)
    words = [shown.words] if not view.colour else []
    words.append(
        f"{unit}: orange to yellow speaks for, up to {number(reach, 3)}; blue against"
        if reach
        else f"{unit}: empty map, nothing to show"
    )
    words += [f"Outlined: {', '.join(name for name, _ in named(drawn))}"] if drawn else []
    return finish(_figure(view, pairs, drawn, point, words, list(notes), title, reach))


def _laid(base: Panel, over: Volume, reach: float) -> Panel:
    values, inside = over.sample(base.plane)
    share = np.clip(values / (reach or 1.0), -1.0, 1.0)
    # What is below a twentieth of the largest value stays clear: a faint veil over everything says nothing.
    alpha = np.where(inside & base.inside, np.clip((np.abs(share) - 0.05) / 0.45, 0.0, 1.0) * 0.7, 0.0)[..., None]
    mixed = base.rgb * (1.0 - alpha) + signed_colours(share) * alpha
    return Panel(np.floor(mixed + 0.5).astype(np.uint8), base.plane, base.inside)


def _figure(
    view: Volume,
    pairs: list[tuple[Panel, Panel]],
    drawn: tuple[Layer, ...],
    point: slices.Vector,
    words: list[str],
    notes: list[str],
    title: str | None,
    reach: float,
) -> Figure:
    # Planes side by side, the map below the image; a single picture has its map beside it.
    grid = [list(row) for row in zip(*pairs, strict=True)] if len(pairs) > 1 else [list(pairs[0])]
    size = [_fitted(p) for p in grid[0]]
    top = _MARGIN + (28.0 if title else 0.0)
    wide = sum(w for w, _ in size) + _GAP * (len(size) - 1)
    high = max(h for _, h in size)
    inner = max(wide, 420.0)
    lines = [(part, QUIET) for text in words for part in _wrapped(text, inner)]
    lines += [(part, LIGHT) for text in notes for part in _wrapped(text, inner)]
    bottom = top + len(grid) * (high + _GAP)
    figure = blank(round(inner + 2 * _MARGIN), round(bottom + 42 + 18 * len(lines) + _MARGIN), GROUND)
    if title:
        label(figure, _MARGIN, 8, title, size=16, bold=True, color=LIGHT)
    for r, row in enumerate(grid):
        left = _MARGIN
        for k, (one, (w, h)) in enumerate(zip(row, size, strict=True)):
            box = (left, top + r * (high + _GAP) + (high - h) / 2.0, w, h)
            through = point if len(pairs) > 1 else None
            draw(figure, box, view, one, drawn, through=through, bar=r == 0 and k == 0)
            left += w + _GAP
    wide_bar = min(220.0, inner)
    bar = area(figure, _MARGIN, bottom + 4, wide_bar, 8)
    bar.set_axis_off()
    bar.imshow(signed_colours(np.linspace(-1, 1, 128)[None]).astype(np.uint8), aspect="auto", interpolation="nearest")
    ends: tuple[tuple[float, float, str], ...] = ((0.0, -reach, "left"), (0.5, 0.0, "center"), (1.0, reach, "right"))
    for share, value, across in ends if reach else ():
        label(figure, _MARGIN + share * wide_bar, bottom + 14, number(value, 3), size=11, color=QUIET, across=across)
    for k, (line, colour) in enumerate(lines):
        label(figure, _MARGIN, bottom + 34 + 18 * k, line, size=12, color=colour, limit=200)
    return figure


def _fitted(shown: Panel) -> tuple[float, float]:
    rows, columns = shown.plane.shape
    scale = min(_SIDE / columns, _TALL / rows)
    return columns * scale, rows * scale


def _wrapped(text: str, width: float) -> list[str]:
    """Return text in lines that fit a width in pixels (the mean character is 0.57 of its size of 12 wide)."""
    most, lines = max(20, int(width / (0.57 * 12.0))), [""]
    for word in clean(text, 600).split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
