"""Boxes and points drawn on an image: what is there, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from isocenter.core.image import Image
from isocenter.view import slices
from isocenter.view.panels import draw
from isocenter.view.slices import Panel, Volume
from isocenter.view.style import GROUND, QUIET, blank, finish, font, label
from isocenter.view.text import clean
from isocenter.view.windows import choose

__all__ = ["FOUND", "TRUE", "Marks", "marked"]

#: Colours of what is there, and of what was found.
TRUE, FOUND = "#ffdf8c", "#4fd0ff"

_WIDTH = 560.0
_MOST_PANELS = 3
_SHADE = [withStroke(linewidth=3.2, foreground=(0, 0, 0, 0.7))]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Marks:
    """Places of one kind, in samples of the image.

    Attributes
    ----------
    samples
        Points of shape (n, axes), or boxes (n, 2 * axes), low sides before high ones.
    words
        A text beside each; empty ones are left out.
    title
        What they are, for the legend.
    color
        Of the lines.
    """

    samples: FloatArray
    words: tuple[str, ...]
    title: str
    color: str = FOUND


def marked(image: Image, marks: Sequence[Marks], title: str = "") -> bytes:
    """Return a picture of an image with places on it, as PNG.

    A picture is shown as it is; of a volume up to three slices, through the first places.

    Parameters
    ----------
    image
        Without time axis.
    marks
        The first in the list is drawn first.
    title
        A line underneath.
    """
    volume = Volume.of(image)
    window = choose(image, slices.sampled(volume))
    panels = [slices.panel(volume, volume.plane(volume.planes[0], at), window) for at in _levels(volume, image, marks)]
    rows, columns = panels[0].plane.shape
    wide = _WIDTH if len(panels) == 1 else 320.0
    scale = min(wide / columns, 560.0 / rows)
    across, high = columns * scale, rows * scale
    lines = [(m.title, m.color) for m in marks] + [(clean(t, 110), QUIET) for t in ([title] if title else [])]
    figure = blank(
        round(max(len(panels) * (across + 8) + 12, 380)), round(high + 20 + 20 * len(lines) + 6), GROUND
    )  # fmt: skip
    for k, shown in enumerate(panels):
        box = (10 + k * (across + 8), 10, across, high)
        axes = draw(figure, box, volume, shown, bar=k == 0)
        for one in marks:
            _draw(axes, volume, image, shown, one)
    for k, (text, color) in enumerate(lines):
        label(figure, 12, high + 16 + 20 * k, text, size=14, color=color)
    return finish(figure)


def _levels(volume: Volume, image: Image, marks: Sequence[Marks]) -> list[FloatArray | None]:
    """Return a point of each slice that is shown."""
    if image.geometry.ndim == 2:
        return [None]
    found: list[FloatArray] = []
    for one in marks:
        for place in _local(volume, image, _centres(one.samples, 3)) if one.words else ():
            normal = volume.plane(volume.planes[0], place).offset
            if all(abs(volume.plane(volume.planes[0], f).offset - normal) > 4 * min(image.geometry.spacing) for f in found):
                found.append(place)
    return list(found[:_MOST_PANELS]) or [None]


def _centres(samples: FloatArray, axes: int) -> FloatArray:
    return samples if samples.shape[-1] == axes else (samples[:, :axes] + samples[:, axes:]) / 2.0


def _local(volume: Volume, image: Image, index: FloatArray) -> FloatArray:
    """Return where samples of the image lie in the display frame of its volume."""
    if volume.anatomy:
        return volume.local(image.geometry.to_world(index))
    lifted = index if index.shape[-1] == 3 else np.concatenate([np.zeros((len(index), 1)), index], axis=1)
    return np.stack([volume.point(p) for p in lifted]) if len(lifted) else np.zeros((0, 3))


def _draw(axes: Axes, volume: Volume, image: Image, shown: Panel, marks: Marks) -> None:
    n = image.geometry.ndim
    if not len(marks.words):
        return
    samples = np.asarray(marks.samples, np.float64).reshape(len(marks.words), -1)
    boxes = samples.shape[1] == 2 * n
    low = _local(volume, image, samples[:, :n])
    high = _local(volume, image, samples[:, n:]) if boxes else low
    normal, level, thick = shown.plane.normal, shown.plane.offset, max(image.geometry.spacing)
    for a, b, text in zip(low, high, marks.words, strict=True):
        near, far = sorted((float(a @ normal), float(b @ normal)))
        if n == 3 and not near - thick <= level <= far + thick:
            continue
        (x0, y0), (x1, y1) = shown.plane.column_row(a), shown.plane.column_row(b)
        if boxes:
            corner, size = (min(x0, x1), min(y0, y1)), (abs(x1 - x0), abs(y1 - y0))
            frame = Rectangle(corner, *size, fill=False, edgecolor=marks.color, linewidth=1.6, path_effects=_SHADE)
            axes.add_patch(frame)
        else:
            axes.plot(
                [x0], [y0], "+", color=marks.color, markersize=11, markeredgewidth=1.8, path_effects=_SHADE,
                scalex=False, scaley=False,
            )  # fmt: skip
        if text:
            _beside(axes, (max(x0, x1), min(y0, y1)), clean(text, 24), marks.color)


def _beside(axes: Axes, at: tuple[float, float], text: str, color: str) -> None:
    axes.annotate(
        text, at, (4, 2), textcoords="offset points", color=color, fontproperties=font(), parse_math=False,
        path_effects=[withStroke(linewidth=2.2, foreground=(0, 0, 0, 0.75))], annotation_clip=True,
    )  # fmt: skip
