"""The lung fields on a frontal chest X-ray: a pair of rounded shapes, fitted to the picture and then snapped to its edges.

Nothing is trained, and no reference mask went into the shape: it is a superellipse, the same for both lungs, that
narrows towards the apex. Five numbers place each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import polygon as polygon_samples
from skimage.draw import polygon2mask

__all__ = ["LungFields", "find_lung_fields"]

FloatArray = npt.NDArray[np.float64]

#: Samples along each side of the square that the search works on.
_SIZE = 256

#: How round the outline is: exponents of a superellipse above and below its middle (2 an ellipse, more is squarer).
_ROUND_ABOVE, _ROUND_BELOW = 2.5, 3.0
#: Width at the apex as a share of that at the base: the wall leans inwards as it rises, the middle stays upright.
_APEX = 0.65
#: Where the base of a lung begins, as a share of its height: its outer half lies beside the heart and above the diaphragm.
_BASE = 0.75


def _outline(count: int = 40) -> FloatArray:
    """Return the one outline of both lungs, from the wall (0) to the middle (1) and from the apex (0) to the base (1)."""
    turn = 2.0 * np.pi * np.arange(count) / count
    across, down = np.cos(turn), np.sin(turn)
    power = 2.0 / np.where(down < 0, _ROUND_ABOVE, _ROUND_BELOW)
    from_wall, from_apex = (0.5 + 0.5 * np.sign(v) * np.abs(v) ** power for v in (across, down))
    return np.column_stack([1.0 - (1.0 - from_wall) * (_APEX + (1.0 - _APEX) * from_apex), from_apex])


#: Width of the picture that heart and great vessels may take between the two lungs' straight inner edges.
_MEDIASTINUM = 0.25

#: Distance from the outline at which the picture is compared, inside and outside (share of the image's side).
_STEP = 0.012


@dataclass(frozen=True)
class LungFields:
    """What `find_lung_fields` found.

    Attributes
    ----------
    labels
        1 on the image's left, 2 on its right.
    contrast
        How much darker than their surroundings they are, -1 to 1: below about 0.2 nothing lung-like was there.
    """

    labels: npt.NDArray[np.uint8]
    contrast: float


@dataclass(frozen=True)
class _Template:
    """One outline: `side` is -1 on the image's left, 1 on its right; points as (n, 2) in its own frame."""

    side: int
    outline: FloatArray
    inner: FloatArray
    base: FloatArray
    upper: FloatArray

    def place(self, points: FloatArray, where: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return x and y, shape (candidates, n), of points for rows (x of the middle edge, top, width, height, slant)."""
        middle, top, width, height, slant = (where[:, k, None] for k in range(5))
        along = (1.0 - points[None, :, 0]) * width - slant * (points[None, :, 1] - 0.5) * width
        return middle + self.side * along, top + points[None, :, 1] * height


def _even(corners: Any, count: int) -> FloatArray:
    """Return `count` points at equal distances along a closed polygon."""
    closed = np.vstack([corners, corners[:1]])
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.linspace(0.0, run[-1], count, endpoint=False)
    return np.column_stack([np.interp(at, run, closed[:, 0]), np.interp(at, run, closed[:, 1])])


def _template(corners: Any, side: int, count: int) -> _Template:
    grid = (np.stack(np.meshgrid(np.arange(16), np.arange(16)), axis=-1).reshape(-1, 2) + 0.5) / 16.0
    inside = polygon2mask((160, 160), np.asarray(corners) * 160.0)[tuple((grid * 160.0).astype(int).T)]
    inner = grid[inside]
    base, upper = (inner[:, 0] < 0.5) & (inner[:, 1] > _BASE), inner[:, 1] < 0.5
    return _Template(side, _even(np.asarray(corners), count), inner, inner[base], inner[upper])


def _normals(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the outward unit normals of closed outlines, shape (candidates, n)."""
    along_x, along_y = np.roll(x, -1, 1) - np.roll(x, 1, 1), np.roll(y, -1, 1) - np.roll(y, 1, 1)
    length = np.hypot(along_x, along_y) + 1e-9
    out_x, out_y = along_y / length, -along_x / length
    away = (out_x * (x - x.mean(1, keepdims=True)) + out_y * (y - y.mean(1, keepdims=True))).sum(1, keepdims=True)
    return out_x * np.sign(away), out_y * np.sign(away)


def _look(picture: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    rows = np.clip((y * _SIZE).astype(np.int64), 0, _SIZE - 1)
    return picture[rows, np.clip((x * _SIZE).astype(np.int64), 0, _SIZE - 1)]


def _score(picture: FloatArray, where: FloatArray, template: _Template) -> FloatArray:
    """Return how well each placing fits: dark inside, brighter just outside, of a lung's size and form."""
    x, y = template.place(template.outline, where)
    out_x, out_y = (_STEP * n for n in _normals(x, y))
    edge = np.tanh(1.5 * (_look(picture, x + out_x, y + out_y) - _look(picture, x - out_x, y - out_y))).mean(1)
    dark = np.tanh(-_look(picture, *template.place(template.inner, where))).mean(1)
    # Dark on the whole is not enough: an outline drawn over lung and liver is. The base must be as dark as the upper half, beside the heart.
    base, upper = (np.tanh(_look(picture, *template.place(part, where))).mean(1) for part in (template.base, template.upper))
    pale = np.clip(base - upper, 0.0, None)
    beyond = ((x < 0.005) | (x > 0.995) | (y < 0.0) | (y > 1.0)).mean(1)
    width, height = where[:, 2], where[:, 3]
    form = np.log(height / width / 1.9) ** 2
    area = np.clip(np.log(width * height / 0.12), -1.0, 0.6)
    result: FloatArray = edge + 0.6 * dark - 1.0 * pale - 2.0 * beyond - 0.15 * form + 0.6 * area
    return result


def _search(picture: FloatArray, template: _Template) -> tuple[FloatArray, FloatArray]:
    """Return the 24 best placings, refined one number at a time, and their scores."""
    middles = np.linspace(0.34, 0.5, 6) if template.side < 0 else np.linspace(0.5, 0.66, 6)
    axes = (middles, np.linspace(0.0, 0.34, 9), np.linspace(0.2, 0.42, 6), np.linspace(0.3, 0.85, 8), (0.0, -0.15, 0.15))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 5)
    scores = _score(picture, grid, template)
    order = np.argsort(-scores, kind="stable")[:24]
    best, scores = grid[order], scores[order]
    step = np.array([0.03, 0.04, 0.04, 0.07, 0.1])
    for _ in range(7):
        for k in range(5):
            for sign in (1.0, -1.0):
                trial = best.copy()
                trial[:, k] += sign * step[k]
                trial[:, 2:4] = np.maximum(trial[:, 2:4], 0.05)
                found = _score(picture, trial, template)
                better = found > scores
                best[better], scores[better] = trial[better], found[better]
        step *= 0.7
    return best, scores


def _pair(first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return the placings of both sides that fit well and fit each other."""
    (a, a_score), (b, b_score) = first, second
    apart = np.abs(a[:, None] - b[None])
    parted = np.clip(b[None, :, 0] - a[:, None, 0] - _MEDIASTINUM, 0.0, None)
    overlap = np.clip(a[:, None, 0] - b[None, :, 0] + 0.04, 0.0, None)
    total = (
        a_score[:, None]
        + b_score[None]
        - 3.0 * apart[..., 1]
        - 1.5 * apart[..., 3]
        - 1.5 * apart[..., 2]
        - 10.0 * (overlap + parted)
    )
    i, j = np.unravel_index(int(total.argmax()), total.shape)
    return a[i], b[j]


def _snap(picture: FloatArray, template: _Template, where: FloatArray) -> FloatArray:
    """Return the outline (n, 2) as y, x after moving each point along its normal to the best edge, smoothly.

    Dynamic programming around the closed outline, passed twice so that its ends meet.
    """
    x, y = template.place(template.outline, where[None])
    out_x, out_y = (n[0][:, None] for n in _normals(x, y))
    offsets = np.linspace(-0.03, 0.06, 19)
    at_x, at_y = x[0][:, None] + out_x * offsets, y[0][:, None] + out_y * offsets

    def value(step: float) -> FloatArray:
        place = [(at_y + step * out_y) * _SIZE - 0.5, (at_x + step * out_x) * _SIZE - 0.5]
        return np.asarray(ndimage.map_coordinates(picture, place, order=1, mode="nearest"))

    cost = np.tile(-np.tanh(1.5 * (value(0.01) - value(-0.01))), (2, 1))
    steps = np.arange(len(offsets))
    rough = 0.1 * (steps[:, None] - steps[None]) ** 2
    total, back = cost[0], []
    for row in cost[1:]:
        through = total[:, None] + rough
        choice = through.argmin(axis=0)
        back.append(choice)
        total = through[choice, steps] + row
    path = [int(total.argmin())]
    for choice in reversed(back):
        path.append(int(choice[path[-1]]))
    count = len(template.outline)
    middle = np.roll(np.asarray(path[::-1])[count // 2 : count // 2 + count], count // 2)
    move = ndimage.gaussian_filter1d(offsets[middle], 1.0, mode="wrap")[:, None]
    return np.column_stack([y[0][:, None] + out_y * move, x[0][:, None] + out_x * move])


def _exposed(image: npt.NDArray[Any]) -> tuple[slice, slice]:
    """Return the rows and columns that were exposed: of which a twelfth is brighter than a collimated border."""
    low, high = (float(v) for v in np.percentile(image, (1, 99)))
    bright = image > low + 0.05 * (high - low)
    found = []
    for axis in (0, 1):
        where = np.flatnonzero(bright.mean(axis=1 - axis) > 1.0 / 12.0)
        # Less than half a picture would be no chest: then the border is something else.
        usable = where.size and where[-1] + 1 - where[0] >= 0.4 * image.shape[axis]
        found.append(slice(int(where[0]), int(where[-1]) + 1) if usable else slice(0, image.shape[axis]))
    return found[0], found[1]


def _room(picture: FloatArray) -> npt.NDArray[np.bool_]:
    """Return room air and collimated border: dark from the edge of the picture inwards, values 0 to 1.

    The darkness up to which this is followed rises until the region leaps, because it broke through the chest wall
    into the lungs, or reaches deep into the middle.
    """
    room = np.zeros(picture.shape, dtype=np.bool_)
    frame = np.ones(picture.shape, dtype=np.bool_)
    frame[1:-1, 1:-1] = False
    middle = (slice(_SIZE // 5, _SIZE * 3 // 5), slice(_SIZE * 7 // 25, _SIZE * 18 // 25))
    for level in np.arange(0.02, 0.6, 0.02):
        dark = ndimage.binary_opening(picture < level, iterations=2) | ((picture < level) & frame)
        labels, count = ndimage.label(dark)
        if not count:
            continue
        outer = np.zeros(count + 1, dtype=np.bool_)
        outer[np.unique(labels[frame | ndimage.binary_dilation(room, iterations=5)])] = True  # over a thin bright frame
        outer[0] = False
        found = outer[labels]
        grown = found & ~room
        if grown[middle].mean() > 0.03 or (grown.mean() > 0.08 and room.any()):
            break
        room = found
    return ndimage.binary_dilation(room, iterations=2) if room.any() else room


def _evened(image: npt.NDArray[Any]) -> FloatArray | None:
    """Return the picture on the search square with local brightness and contrast evened out; None if it is flat."""
    small = np.asarray(image, dtype=np.float64)
    for axis in (0, 1):  # average down before interpolating, so that nothing aliases
        width = small.shape[axis] / _SIZE
        small = ndimage.uniform_filter1d(small, int(width), axis=axis, mode="nearest") if width >= 2.0 else small
    rows, columns = ((np.arange(_SIZE) + 0.5) * n / _SIZE - 0.5 for n in small.shape)
    small = ndimage.map_coordinates(small, np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest")
    low, high = np.percentile(small, (1, 99))
    if not high > low:
        return None
    small = ndimage.gaussian_filter(np.clip((small - low) / (high - low), 0.0, 1.0), 1.5)
    room = _room(small)
    seen = (~room).astype(np.float64)  # what is not the patient says nothing of the chest's brightness

    def local(values: FloatArray, sigma: float) -> FloatArray:
        weight = ndimage.gaussian_filter(seen, sigma * _SIZE) + 1e-3
        return np.asarray(ndimage.gaussian_filter(values * seen, sigma * _SIZE) / weight)

    mean = local(small, 0.15)
    spread = np.sqrt(np.maximum(local((small - mean) ** 2, 0.2), 0.0)) + 0.03
    # Room air is as dark as lung: it counts as tissue, lest an outline settle there.
    return np.where(room, 1.5, (small - mean) / spread)


def find_lung_fields(image: npt.NDArray[Any]) -> LungFields:
    """Return the lung fields of a frontal chest X-ray, bones bright.

    Parameters
    ----------
    image
        Samples (y, x), any range.

    References
    ----------
    Cootes, Taylor, Cooper, Graham. Active shape models: their training and application. Computer Vision and Image
    Understanding 61 (1995) 38-59 (search along normals); Amini, Weymouth, Jain. Using dynamic programming for solving
    variational problems in vision. IEEE Trans. Pattern Anal. Mach. Intell. 12 (1990) 855-867.
    """
    whole = np.zeros(image.shape, dtype=np.uint8)
    window = _exposed(image)
    labels, image = whole[window], image[window]
    picture = _evened(image)
    if picture is None:
        return LungFields(whole, 0.0)
    sides, outline = ((1, -1), (2, 1)), _outline()
    coarse = [_template(outline, side, 72) for _, side in sides]
    placed = _pair(_search(picture, coarse[0]), _search(picture, coarse[1]))
    contrast = []
    for (label, side), where in zip(sides, placed, strict=True):
        line = _snap(picture, _template(outline, side, 110), where)
        rows, columns = polygon_samples(line[:, 0] * image.shape[0] - 0.5, line[:, 1] * image.shape[1] - 0.5, image.shape)
        free = labels[rows, columns] == 0
        labels[rows[free], columns[free]] = label
        out_x, out_y = _normals(line[None, :, 1], line[None, :, 0])
        beside = [_look(picture, line[None, :, 1] + s * out_x, line[None, :, 0] + s * out_y) for s in (_STEP, -_STEP)]
        contrast.append(float(np.tanh(1.5 * (beside[0] - beside[1])).mean()))
    return LungFields(whole, min(contrast))
