"""Drawing one slice into a figure: picture, outlines, letters, scale bar, marks of the other planes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from isocenter.view.contours import Layer, burn, cut
from isocenter.view.slices import Panel, Vector, Volume, interpolate
from isocenter.view.style import MARK, area, label

__all__ = ["Overlay", "draw", "hot", "scale_bar"]


_MANY = 40  # segments that are drawn as smooth lines; of more (cells) the pixels at their edges are coloured


@dataclass(frozen=True, eq=False)
class Overlay:
    """A second image shown in colour over the first.

    Attributes
    ----------
    volume
        Its samples.
    low, high
        Values shown transparent and strongest.
    """

    volume: Volume
    low: float
    high: float

    def over(self, view: Volume, base: Panel) -> npt.NDArray[np.uint8]:
        """Return the base picture with this image laid over it, sampled at the same places in the world."""
        points = view.world(base.plane.points())
        index = np.round(self.volume.geometry.to_index(points), 6)
        values, inside = interpolate(self.volume.array, index)
        share = np.clip((np.nan_to_num(values, nan=self.low) - self.low) / (self.high - self.low), 0.0, 1.0)
        # Faint uptake lets the anatomy through; what is hot stays readable as hot.
        alpha = np.where(inside & base.inside, np.minimum(1.0, share * 4.0) * 0.62, 0.0)[..., None]
        mixed = base.rgb * (1.0 - alpha) + hot(share) * alpha
        return np.floor(mixed + 0.5).astype(np.uint8)


def hot(share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the colours (0 to 255) of shares 0 to 1: black, red, yellow, white, rising in lightness throughout."""
    red = np.clip(share / 0.40, 0, 1)
    green = np.clip((share - 0.36) / 0.40, 0, 1)
    blue = np.clip((share - 0.76) / 0.24, 0, 1)
    return np.stack([red, green, blue], axis=-1) * 255.0


def draw(
    figure: Figure,
    box: tuple[float, float, float, float],
    view: Volume,
    shown: Panel,
    layers: tuple[Layer, ...] = (),
    *,
    through: Vector | None = None,
    bar: bool = True,
    letters: bool = True,
) -> Axes:
    """Draw a slice into a box (left, top, width, height in pixels of the figure).

    Parameters
    ----------
    figure, box
        Where to draw.
    view, shown
        The volume and its slice.
    layers
        Segments to outline.
    through
        Point of the display frame where the other planes cut this one; small marks at the edges show it.
    bar, letters
        Whether to draw the scale bar and the orientation letters.
    """
    left, top, width, height = box
    rows, columns = shown.plane.shape
    axes = area(figure, left, top, width, height, "#000000")
    axes.set_axis_off()
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_aspect("auto")
    lines = len(layers) <= _MANY
    enlarged = width >= columns
    axes.imshow(
        shown.rgb if lines else burn(shown.rgb, view, shown.plane, layers),
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
        interpolation="bilinear" if enlarged and width < 24 * columns else "nearest" if enlarged else "hanning",
        origin="upper",
        aspect="auto",
        resample=True,
        interpolation_stage="rgba",
    )
    for layer in cut(layers, view, shown.plane) if lines else ():
        _outline(axes, layer, view, shown)
    if through is not None:
        _marks(axes, shown, through, width, height)
    if letters and any(shown.plane.letters):
        _letters(figure, box, shown.plane.letters)
    if bar:
        _bar(figure, box, shown.plane.pitch * columns / width, view.geometry.unit)
    return axes


def _outline(axes: Axes, layer: Layer, view: Volume, shown: Panel) -> None:
    share = layer.shares(view, shown.plane)
    if share.max() < 0.5:
        return
    # A border of zeros closes outlines that reach the edge of the picture.
    padded = np.pad(np.minimum(share, 1.0), 1)
    rows, columns = padded.shape
    lines = axes.contour(
        np.arange(columns) - 1.0,
        np.arange(rows) - 1.0,
        padded,
        levels=[0.5],
        colors=[tuple(v / 255 for v in layer.color)],
        linewidths=1.5,
        linestyles="solid",
        antialiased=True,
        corner_mask=False,
        algorithm="serial",
    )
    lines.set_path_effects([withStroke(linewidth=2.9, foreground=(0, 0, 0, 0.65))])


def _marks(axes: Axes, shown: Panel, through: Vector, width: float, height: float) -> None:
    """Short ticks at the edges where the other two planes cut this one."""
    rows, columns = shown.plane.shape
    x, y = shown.plane.column_row(through)
    long_x, long_y = 9 * columns / width, 9 * rows / height
    ends = [((x, x), (-0.5, -0.5 + long_y)), ((x, x), (rows - 0.5, rows - 0.5 - long_y))]
    ends += [((-0.5, -0.5 + long_x), (y, y)), ((columns - 0.5, columns - 0.5 - long_x), (y, y))]
    for across, along in ends:
        axes.plot(across, along, color="#4fc3c9", linewidth=1.4, solid_capstyle="butt", scalex=False, scaley=False)


def _letters(figure: Figure, box: tuple[float, float, float, float], letters: tuple[str, str, str, str]) -> None:
    left, top, width, height = box
    middle, centre = top + height / 2, left + width / 2
    # Off centre, so that they stand beside the marks of the other planes and the body.
    places = [(left + 7, middle, "left", "center"), (left + width - 7, middle, "right", "center")]
    places += [(centre, top + 6, "center", "top"), (centre, top + height - 6, "center", "bottom")]
    size = 16 if min(width, height) >= 240 else 12
    for letter, (x, y, across, along) in zip(letters, places, strict=True):
        if height < 48 and across == "center":
            continue
        label(figure, x, y, letter, size=size, bold=True, color=MARK, across=across, along=along, halo=True)


def scale_bar(per_pixel: float, width: float, unit: str) -> tuple[float, str]:
    """Return the length of a scale bar in pixels, and its label: a round number near a fifth of the width."""
    wanted = per_pixel * width / 5
    power = 10.0 ** np.floor(np.log10(wanted))
    length = float(power * max(m for m in (1, 2, 5) if m * power <= wanted * (1 + 1e-9)))
    return length / per_pixel, f"{length:g} {unit}"


def _bar(figure: Figure, box: tuple[float, float, float, float], per_pixel: float, unit: str) -> None:
    left, top, width, height = box
    if height < 48:
        return
    length, text = scale_bar(per_pixel, width, unit)
    x, y = left + 10, top + height - 12
    wide, down = figure.get_size_inches() * figure.dpi
    for grow, colour in ((1.5, (0, 0, 0, 0.6)), (0.0, MARK)):
        figure.add_artist(
            Rectangle(
                ((x - grow) / wide, 1 - (y + 3 + grow) / down),
                (length + 2 * grow) / wide,
                (3 + 2 * grow) / down,
                transform=figure.transFigure,
                facecolor=colour,
                edgecolor="none",
            )
        )
    label(figure, x, y - 3, text, size=11.5, color=MARK, along="bottom", halo=True)
