"""Lines of text drawn into a picture: rows of small, bright, high-contrast pieces of one height."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["text_lines"]

#: Share of the range above which a sample is a stroke; sizes in samples of a letter; letters that make a line.
STROKE, HEIGHTS, WIDTHS, LETTERS = 0.7, (5, 60), (1, 60), 5
#: Share of its box that a letter fills, and of the picture that strokes may cover before it is no text at all.
FILL, COVER = (0.12, 0.9), 0.3


def text_lines(plane: npt.NDArray[Any]) -> int:
    """Return how many lines of text a picture seems to show.

    Letters are pieces of samples near the maximum, darkness around them; at least five of nearly one height, on one
    base line and close to each other make a line. It is a hint for a person to look, not a proof of absence.

    Parameters
    ----------
    plane
        Shape (y, x); real values.
    """
    values = np.asarray(plane, np.float32)
    if values.ndim != 2 or min(values.shape) < 16:
        return 0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if not np.isfinite([low, high]).all() or high <= low:
        return 0
    strokes = values > low + STROKE * (high - low)
    if strokes.mean() > COVER:
        return 0
    labels, _ = ndimage.label(strokes, np.ones((3, 3)))
    letters = []
    for k, box in enumerate(ndimage.find_objects(labels), 1):
        rows, columns = box
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if not (HEIGHTS[0] <= height <= HEIGHTS[1] and WIDTHS[0] <= width <= WIDTHS[1] and width <= 3 * height):
            continue
        inside = labels[box] == k
        if inside.mean() <= FILL[1] and (FILL[0] <= inside.mean()) and _framed(values, box, low, high):
            letters.append((rows.stop, columns.start, columns.stop, height))
    return _lines(letters)


def _framed(values: npt.NDArray[np.float32], box: tuple[slice, ...], low: float, high: float) -> bool:
    """Return whether a piece stands out sharply: the frame of samples around its box is dark."""
    rows, columns = box
    outer = values[max(rows.start - 2, 0) : rows.stop + 2, max(columns.start - 1, 0) : columns.stop + 1]
    edge = np.concatenate([outer[0], outer[-1]])
    return bool(np.median(edge) < low + 0.4 * (high - low))


def _lines(letters: list[tuple[int, int, int, int]]) -> int:
    """Return how many runs of letters share a base line and a height."""
    left = sorted(letters)
    found = 0
    while left:
        base, _, _, height = left[0]
        row = [one for one in left if abs(one[0] - base) <= max(1, height // 6) and abs(one[3] - height) <= max(1, height // 3)]
        row.sort(key=lambda one: one[1])
        run, best = 1, 1
        for a, b in itertools.pairwise(row):
            run = run + 1 if 0 < b[1] - a[2] + 1 <= 2 * height else 1
            best = max(best, run)
        found += best >= LETTERS
        chosen = set(row)
        left = [one for one in left if one not in chosen]
    return found
