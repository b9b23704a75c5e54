"""Before, after and their difference side by side: what a step changed, and where."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.view import slices
from isocenter.view.focus import focus
from isocenter.view.panels import draw
from isocenter.view.slices import Panel, Volume, interpolate
from isocenter.view.style import GROUND, LIGHT, QUIET, area, blank, finish, label
from isocenter.view.text import clean, number
from isocenter.view.windows import Window, choose

__all__ = ["difference", "diverging"]

_SIDE, _GAP, _TOP = 280.0, 8.0, 30.0


def difference(before: Image, after: Image, *, window: Window | str | None = None, title: str | None = None) -> bytes:
    """Return one slice before, after and their difference, as PNG.

    Parameters
    ----------
    before, after
        Images of one world; `after` is sampled at the places of `before`, so its grid may be another.
    window
        What becomes black and white in the first two; default: chosen for `before`.
    title
        A line above.

    Returns
    -------
    bytes
        PNG; equal for equal input. Blue is lower than before, red higher; the range is stated. Where the quantities
        differ there is no difference to show, which is said in its place.
    """
    before, after = (i.at(t=i.shape[i.dims.index("t")] // 2) if "t" in i.dims else i for i in (before, after))
    first, second = Volume.of(before), Volume.of(after)
    one_grid = before.geometry.with_frame(None).matches(after.geometry.with_frame(None))
    if first.anatomy != second.anatomy or (not first.anatomy and not one_grid):
        raise ContentError(
            f"Images on {before.geometry} and {after.geometry} cannot be laid over each other: expected grids of one world."
        )
    shown = choose(before, slices.sampled(first), wanted=window)
    plane = first.plane(first.planes[0], focus(before, first, ()))
    values, inside = first.sample(plane)
    index = np.round(second.geometry.to_index(first.world(plane.points())), 6)
    if second.geometry.shape == first.geometry.shape and second.geometry.matches(
        first.geometry.with_frame(second.geometry.frame)
    ):
        index = second.index(plane.points())
    other, within = interpolate(second.array, index)
    same = before.quantity == after.quantity and first.colour == second.colour
    later = shown if same else choose(after, slices.sampled(second))
    panels = [(_grey(first, values, inside, shown, plane), "Before"), (_grey(second, other, within, later, plane), "After")]
    words = [shown.words] if later == shown else [f"before: {shown.words}", f"after: {later.words}"]
    note = ""
    if same:
        change = np.where(inside & within, _plain(other) - _plain(values), 0.0)
        size = np.nan_to_num(np.abs(change))
        # A few samples that jump must not hide what happened to all others; they are shown at the end of the scale.
        most = float(size.max())
        reach = float(np.percentile(size[size > 0], 99.0)) if most else 0.0
        unit = f" {clean(before.quantity, 30)}" if before.quantity else ""
        rgb = diverging(np.clip(np.nan_to_num(change) / (reach or 1.0), -1.0, 1.0))
        rgb[~(inside & within)] = 0
        panels.append((Panel(rgb, plane, inside), "Difference"))
        scale = f"Difference: blue -{number(reach, 3)}{unit}, white 0, red +{number(reach, 3)}{unit}"
        note = f"{scale} and beyond (largest change {number(most, 3)}{unit})" if reach else "No sample of this slice differs"
    else:
        note = f"No difference: before is {clean(before.quantity or 'of unknown quantity', 40)}, after {clean(after.quantity or 'of unknown quantity', 40)}"
    return _side_by_side(first, panels, [*words, note], title)


def _grey(
    volume: Volume, values: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_], window: Window, plane: slices.Plane
) -> Panel:
    if volume.colour:
        rgb = np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
    else:
        rgb = np.repeat(window.apply(values)[..., None], 3, axis=-1)
    rgb[~inside] = 0
    return Panel(rgb, plane, inside)


def _plain(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return colours as their mean, so that a difference has a sign."""
    result: npt.NDArray[np.float64] = values.mean(axis=-1) if values.ndim == 3 else values
    return result


def diverging(share: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return colours of shares -1 to 1: blue, white at zero, red; equally light on both sides."""
    ends = np.array([[33, 84, 156], [247, 247, 247], [170, 32, 40]], dtype=np.float64)
    size = np.abs(share)[..., None] ** 0.8  # small changes stay visible
    target = np.where(share[..., None] < 0, ends[0], ends[2])
    return np.floor(ends[1] * (1 - size) + target * size + 0.5).astype(np.uint8)


def _side_by_side(volume: Volume, panels: list[tuple[Panel, str]], words: list[str], title: str | None) -> bytes:
    rows, columns = panels[0][0].plane.shape
    scale = min(_SIDE / columns, 420.0 / rows)
    wide, high = columns * scale, rows * scale
    cell = max(wide, 200.0)
    top = _TOP + (28.0 if title else 0.0)
    figure = blank(
        round(20 + len(panels) * cell + (len(panels) - 1) * _GAP), round(top + high + 18 + 20 * len(words) + 8), GROUND
    )
    if title:
        label(figure, 10, 8, title, size=16, bold=True, color=LIGHT)
    for k, (one, word) in enumerate(panels):
        left = 10 + k * (cell + _GAP) + (cell - wide) / 2
        label(figure, left, top - 8, word, size=13, color=LIGHT, along="bottom")
        draw(figure, (left, top, wide, high), volume, one, bar=k == 0, letters=k == 0)
    for k, line in enumerate(words):
        label(figure, 10, top + high + 12 + 20 * k, line, size=12, color=QUIET, limit=160)
    if len(panels) == 3:
        left = 10 + 2 * (cell + _GAP) + (cell - wide) / 2
        axes = area(figure, left, top + high + 4, wide, 6)
        axes.set_axis_off()
        axes.imshow(diverging(np.linspace(-1, 1, 128)[None]), aspect="auto", interpolation="nearest")
    return finish(figure)
