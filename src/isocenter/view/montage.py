"""Montages: a volume in three planes through the most informative position, with outlines and the window stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.view import slices
from isocenter.view.contours import Layer, layers, named
from isocenter.view.focus import focus
from isocenter.view.panels import Overlay, draw, hot
from isocenter.view.slices import Panel, Vector, Volume, anatomical
from isocenter.view.style import GROUND, LIGHT, QUIET, area, blank, finish, label
from isocenter.view.text import clean
from isocenter.view.windows import Window, choose

__all__ = ["axial_grid", "caption", "montage"]

Labels = LabelMap | MaskStack

WIDTH = 860.0  # pixels
_MARGIN = 10.0
_GAP = 8.0
_LEGEND = 250.0
_TALLEST = 900.0


@dataclass(frozen=True, eq=False)
class _Subject:
    """Everything that is decided before anything is drawn."""

    image: Image
    volume: Volume
    layers: tuple[Layer, ...]
    window: Window
    overlay: Overlay | None
    overlay_words: str
    point: Vector
    note: str
    placed: bool = True

    @property
    def lines(self) -> list[str]:
        """What the legend says, most important first."""
        found = [] if self.volume.colour else [self.window.words]
        if self.overlay_words:
            found.append(self.overlay_words)
        if self.volume.anatomy and self.placed:
            found.append(_place(self.volume, self.point))
        if self.volume.turned > 0.5:
            found.append(f"planes follow the series, turned {self.volume.turned:.0f}\u00b0")
        if self.note:
            found.append(self.note)
        return found

    def panel(self, name: str, point: Vector | None = None) -> Panel:
        """Return one slice, the overlay laid over it."""
        plane = self.volume.plane(name, self.point if point is None else point)
        shown = slices.panel(self.volume, plane, self.window)
        if self.overlay is not None:
            shown = Panel(self.overlay.over(self.volume, shown), plane, shown.inside)
        return shown


def montage(
    image: Image,
    labels: Mapping[str, Labels] | Labels | None = None,
    *,
    window: Window | str | None = None,
    title: str | None = None,
    overlay: Image | None = None,
    position: Sequence[float] | None = None,
) -> bytes:
    """Return a picture of an image as PNG.

    A volume is shown in three planes of one scale; a two-dimensional image as it is; a time series
    by a few of its frames.

    Parameters
    ----------
    image
        What to show.
    labels
        Segments to outline in their colours: one label map or mask stack, or several by name. They may lie on
        another grid of the same world.
    window
        What becomes black and white; default: chosen by modality, quantity and labels. It is stated in the picture.
    title
        A line above the legend.
    overlay
        A second image (PET over CT) laid over in colour.
    position
        A point (L, P, S) in mm that the planes go through; default: where most of the finding, the largest segment
        or the body is seen.

    Returns
    -------
    bytes
        PNG, equal for equal input.

    Raises
    ------
    GridMismatchError
        If labels or overlay lie in another frame of reference.
    """
    if "t" in image.dims:
        return _frames(image, labels, window, title)
    subject = _subject(image, labels, window, overlay, position)
    if len(subject.volume.planes) == 3:
        return finish(_three(subject, title))
    return finish(_single(subject, title))


def caption(
    image: Image,
    labels: Mapping[str, Labels] | Labels | None = None,
    *,
    window: Window | str | None = None,
    overlay: Image | None = None,
    position: Sequence[float] | None = None,
) -> str:
    """Return what `montage` with the same arguments shows, in words: planes, position, window, outlines."""
    still = image.at(t=_middle(image)) if "t" in image.dims else image
    subject = _subject(still, labels, window, overlay, position)
    what = "Axial, coronal and sagittal slices" if len(subject.volume.planes) == 3 else "One slice"
    if not subject.volume.anatomy:
        what = "The image as stored"
    if "t" in image.dims:
        what = "Frames of the series"
    names = ", ".join(name for name, _ in named(subject.layers))
    outlined = f" Outlined: {names}." if names else ""
    lines = "; ".join(subject.lines)
    return f"{what}{'. ' if lines else ''}{lines[:1].upper()}{lines[1:]}.{outlined}"


def axial_grid(
    image: Image,
    labels: Mapping[str, Labels] | Labels | None = None,
    *,
    count: int = 12,
    window: Window | str | None = None,
    title: str | None = None,
) -> bytes:
    """Return evenly spaced axial slices, from the feet upwards, as PNG.

    Parameters
    ----------
    image
        A volume without time axis.
    labels
        Segments to outline.
    count
        Slices to show, at most 30.
    window, title
        As for `montage`.
    """
    if not 1 <= count <= 30:
        raise ParameterError(f"{count} slices in a grid: expected 1 to 30.")
    subject = replace(_subject(image, labels, window, None, None), placed=False)
    if "axial" not in subject.volume.planes:
        raise ContentError("A grid of axial slices needs a volume, but the image is one slice of another plane: use montage.")
    volume = subject.volume
    depth = volume.geometry.shape[0]
    chosen = np.unique(np.rint((np.arange(count) + 0.5) * depth / count - 0.5).astype(int))
    points = [volume.point((float(k), *volume.middle[1:])) for k in chosen]
    shown = [(subject.panel("axial", p), _height(volume, p)) for p in points]
    return finish(_tiles(subject, shown, title))


def _subject(
    image: Image,
    labels: Mapping[str, Labels] | Labels | None,
    window: Window | str | None,
    overlay: Image | None,
    position: Sequence[float] | None,
) -> _Subject:
    volume = Volume.of(image)
    drawn = layers(image, labels)
    if overlay is not None and window is None and image.quantity == "HU":
        window = "soft tissue"  # the custom for PET over CT
    chosen = choose(image, slices.sampled(volume), [d.segment.name for d in drawn], window)
    over, words = (None, "") if overlay is None else _overlay(image, overlay)
    point = focus(image, volume, drawn) if position is None else volume.local(np.asarray(position, dtype=np.float64))
    note = ""
    if "c" in image.dims and not volume.colour:
        name = image.channels[0] if image.channels else "1"
        note = f"channel {clean(name, 40)} of {image.shape[image.dims.index('c')]}"
    return _Subject(image, volume, drawn, chosen, over, words, point, note)


def _overlay(image: Image, overlay: Image) -> tuple[Overlay, str]:
    first, second = image.geometry, overlay.geometry
    if first.ndim != 3 or second.ndim != 3 or not anatomical(image) or not anatomical(overlay):
        raise ContentError(f"An overlay on {second} over {first}: expected two volumes in mm that lie in a patient.")
    if first.frame and second.frame and first.frame != second.frame:
        raise GridMismatchError(
            "The overlay lies in another frame of reference than the image: expected one; register them first."
        )
    volume = Volume.of(overlay)
    found = choose(overlay, slices.sampled(volume))
    name = {"PT": "PET", "NM": "nuclear medicine"}.get(overlay.modality or "", overlay.modality or "overlay")
    return Overlay(volume, found.low, found.high), f"In colour: {name}, {found.span}"


def _three(subject: _Subject, title: str | None) -> Figure:
    """Axial above coronal (one left-right scale), sagittal beside coronal (one height), the legend in the free corner."""
    panels = {name: subject.panel(name) for name in subject.volume.planes}
    size = {n: (p.plane.shape[1] * p.plane.pitch, p.plane.shape[0] * p.plane.pitch) for n, p in panels.items()}
    free = WIDTH - 2 * _MARGIN - _GAP
    scale = min(
        free / (size["coronal"][0] + size["sagittal"][0]),
        (_TALLEST - 2 * _MARGIN - _GAP) / (size["axial"][1] + size["coronal"][1]),
    )
    if size["sagittal"][0] * scale < _LEGEND:
        scale = min(scale, (free - _LEGEND) / size["coronal"][0])
    left, right = size["coronal"][0] * scale, max(size["sagittal"][0] * scale, _LEGEND)
    legend = _legend_height(subject, title, right)
    upper, lower = max(size["axial"][1] * scale, legend), size["coronal"][1] * scale
    figure = blank(round(2 * _MARGIN + _GAP + left + right), round(2 * _MARGIN + _GAP + upper + lower), GROUND)
    places = {
        "axial": (_MARGIN, _MARGIN + upper - size["axial"][1] * scale),
        "coronal": (_MARGIN, _MARGIN + upper + _GAP),
        "sagittal": (_MARGIN + left + _GAP, _MARGIN + upper + _GAP),
    }
    for name, shown in panels.items():
        box = (*places[name], size[name][0] * scale, size[name][1] * scale)
        draw(figure, box, subject.volume, shown, subject.layers, through=subject.point, bar=name == "axial")
    _legend(figure, subject, title, _MARGIN + left + _GAP + 6, _MARGIN + 2, right - 8)
    return figure


def _single(subject: _Subject, title: str | None) -> Figure:
    shown = subject.panel(subject.volume.planes[0])
    rows, columns = shown.plane.shape
    scale = min((WIDTH - 2 * _MARGIN) / columns, 720.0 / rows, max(1.0, 420.0 / max(rows, columns)) * 2.0)
    wide = max(columns * scale, 320.0)
    legend = _legend_height(subject, title, wide)
    figure = blank(round(wide + 2 * _MARGIN), round(rows * scale + legend + 2 * _MARGIN + _GAP), GROUND)
    box = (_MARGIN + (wide - columns * scale) / 2, _MARGIN, columns * scale, rows * scale)
    draw(figure, box, subject.volume, shown, subject.layers)
    _legend(figure, subject, title, _MARGIN + 2, _MARGIN + rows * scale + _GAP, wide)
    return figure


def _frames(
    image: Image, labels: Mapping[str, Labels] | Labels | None, window: Window | str | None, title: str | None, most: int = 6
) -> bytes:
    """Return a few time points of one plane, evenly spaced, first and last included."""
    count = image.shape[image.dims.index("t")]
    chosen = [int(v) for v in np.unique(np.rint(np.linspace(0, count - 1, min(most, count))).astype(int))]
    subject = replace(_subject(image.at(t=_middle(image)), labels, window, None, None), placed=False)
    shown = []
    for t in chosen:
        volume = Volume.of(image.at(t=t))
        still = _Subject(image, volume, subject.layers, subject.window, None, "", subject.point, "")
        when = f"{image.times[t]:.4g} s" if image.times else f"frame {t + 1} of {count}"
        shown.append((still.panel(volume.planes[0]), when))
    return finish(_tiles(subject, shown, title))


def _tiles(subject: _Subject, shown: list[tuple[Panel, str]], title: str | None) -> Figure:
    """Pictures of one size in a grid, each with a word below its upper edge, the legend underneath."""
    rows, columns = shown[0][0].plane.shape
    across = 2 if len(shown) == 4 else min(len(shown), 4 if len(shown) > 6 else 3)
    down = -(-len(shown) // across)
    wide = (WIDTH - 2 * _MARGIN - (across - 1) * _GAP) / across
    high = wide * rows / columns
    if down * high > 1000.0:
        wide, high = wide * 1000.0 / (down * high), 1000.0 / down
    inner = across * wide + (across - 1) * _GAP
    top = down * high + (down - 1) * _GAP
    legend = _legend_height(subject, title, inner)
    figure = blank(round(inner + 2 * _MARGIN), round(top + legend + 2 * _MARGIN + _GAP), GROUND)
    for k, (one, word) in enumerate(shown):
        box = (_MARGIN + k % across * (wide + _GAP), _MARGIN + k // across * (high + _GAP), wide, high)
        draw(figure, box, subject.volume, one, subject.layers, bar=k == 0)
        label(figure, box[0] + 7, box[1] + 5, word, size=12, color=LIGHT, halo=True)
    _legend(figure, subject, title, _MARGIN + 2, _MARGIN + top + _GAP, inner)
    return figure


def _wrapped(text: str, width: float, size: float) -> list[str]:
    """Return text in lines that fit a width in pixels (the font's mean character is 0.57 of its size wide)."""
    most, lines = max(8, int(width / (0.57 * size))), [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [line if len(line) <= most else line[: most - 1] + "\u2026" for line in lines]


def _legend_rows(subject: _Subject, title: str | None, width: float) -> list[tuple[str, float, str, tuple[int, int, int] | None]]:
    rows: list[tuple[str, float, str, tuple[int, int, int] | None]] = []
    if title:
        rows += [(line, 18.0, LIGHT, None) for line in _wrapped(clean(title, 160), width, 20.0)[:3]]
    for line in subject.lines:
        rows += [(part, 14.0, QUIET, None) for part in _wrapped(line, width, 14.0)[:3]]
    for name, color in named(subject.layers):
        rows.append((_wrapped(name, width - 26, 16.0)[0], 16.0, LIGHT, color))
    return rows


def _legend_height(subject: _Subject, title: str | None, width: float) -> float:
    bar = 30.0 if subject.overlay is not None else 0.0
    return 6.0 + bar + sum(size * 1.5 for _, size, _, _ in _legend_rows(subject, title, width))


def _legend(figure: Figure, subject: _Subject, title: str | None, x: float, y: float, width: float) -> None:
    wide, down = figure.get_size_inches() * figure.dpi
    for text, size, color, swatch in _legend_rows(subject, title, width):
        if swatch is not None:
            at = (x / wide, 1 - (y + size * 0.8) / down)
            tone = tuple(v / 255 for v in swatch)
            figure.add_artist(Rectangle(at, 16 / wide, 5 / down, transform=figure.transFigure, facecolor=tone, edgecolor="none"))
        label(figure, x + (26 if swatch else 0), y, text, size=size, color=color, bold=size > 16)
        y += size * 1.5
    if subject.overlay is not None:
        axes = area(figure, x, y + 6, min(160.0, width * 0.6), 10)
        axes.set_axis_off()
        axes.imshow(hot(np.linspace(0, 1, 128)[None]).astype(np.uint8), aspect="auto", interpolation="nearest")
        label(
            figure,
            x + min(160.0, width * 0.6) + 8,
            y + 4,
            f"{subject.overlay.low:g} to {subject.overlay.high:g}",
            size=12,
            color=QUIET,
        )


def _place(volume: Volume, point: Vector) -> str:
    """Return a position in words: ``at L 12.4, P 30.0, S 110.5 mm``."""
    world = np.round(volume.world(point), 4)
    parts = [
        f"{'RL'[int(v >= 0)] if k == 0 else 'AP'[int(v >= 0)] if k == 1 else 'IS'[int(v >= 0)]} {abs(v):.1f}"
        for k, v in enumerate(world)
    ]
    return f"at {', '.join(parts)} mm"


def _height(volume: Volume, point: Vector) -> str:
    level = float(np.round(volume.world(point), 4)[2])
    return f"{'S' if level >= 0 else 'I'} {abs(level):.1f} mm" if volume.anatomy else ""


def _middle(image: Image) -> int:
    return image.shape[image.dims.index("t")] // 2
