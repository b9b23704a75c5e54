"""Lesions over time: the axes that RECIST measures, and whether a change is more than measurement error.

References
----------
Eisenhauer et al., New response evaluation criteria in solid tumours: RECIST 1.1, Eur. J. Cancer 45 (2009) 228-247.
Raunig et al., Quantitative imaging biomarkers: a review of statistical methods for technical performance assessment,
Stat. Methods Med. Res. 24 (2015) 27-67.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from isocenter.kernels.surface import largest_distance, outlines

__all__ = ["Size", "change", "recist", "size"]

#: Half width of a 95 % interval in standard deviations.
_Z95 = 1.959964


@dataclass(frozen=True)
class Size:
    """What a lesion measures at one time, with standard deviations of the measurement; 0 of an empty one.

    Attributes
    ----------
    volume, volume_error
        In mm^3 (area in mm^2 in a plane).
    long_axis, long_axis_error
        Largest diameter within a slice, mm.
    short_axis
        Its largest extent across that, in the same slice, mm.
    """

    volume: float = 0.0
    volume_error: float = 0.0
    long_axis: float = 0.0
    long_axis_error: float = 0.0
    short_axis: float = 0.0


def size(
    mask: npt.NDArray[np.bool_],
    spacing: Sequence[float],
    contour_error: float = 0.5,
    planes: Sequence[tuple[int, int]] = ((-2, -1),),
) -> Size:
    """Return the size of a lesion.

    Parameters
    ----------
    mask
        Bool, two or three axes.
    spacing
        mm per sample along every axis.
    contour_error
        Standard deviation in mm of where the outline is drawn, the same all around (another reader, another day).
    planes
        Pairs of axes: diameters are measured in every slice of these planes.

    Notes
    -----
    The error of an axis has two ends, each with the outline's error and that of rounding to samples. The error of the
    volume is that of a shell of the outline's error over the faces of the samples, of which two thirds (in a plane, pi / 4)
    are the surface of a round body.
    """
    if not mask.any():
        return Size()
    best, points, steps = 0.0, np.zeros((1, 2)), np.zeros(2)
    for rows, columns in planes:
        pair = np.array([spacing[rows], spacing[columns]])
        stack = np.moveaxis(mask, (rows, columns), (-2, -1))
        for part in stack.reshape(-1, *stack.shape[-2:]):
            if part.any():
                every = np.vstack([np.asarray(line) for line in outlines(part)]) * pair
                length = largest_distance(every)
                if length > best:
                    best, points, steps = length, every, pair
    rounding = float(np.mean(steps)) / math.sqrt(12.0)
    sample = float(np.prod(spacing))
    faces = sum(
        float(np.count_nonzero(np.diff(np.pad(mask.astype(np.int8), 1), axis=axis))) * sample / step
        for axis, step in enumerate(spacing)
    )
    shell = faces * (2.0 / 3.0 if mask.ndim == 3 else math.pi / 4.0) * contour_error
    axis_error = math.sqrt(2.0) * math.hypot(contour_error, rounding)
    return Size(float(mask.sum()) * sample, shell, best, axis_error, _across(points, best))


def _across(points: npt.NDArray[np.float64], longest: float) -> float:
    """Return the extent across the longest axis."""
    try:
        corners = points[ConvexHull(points).vertices]
    except QhullError:  # fewer than three points, or all on one line
        corners = np.unique(points, axis=0)
    apart = np.linalg.norm(corners[:, None] - corners[None], axis=2)
    one, other = np.unravel_index(int(apart.argmax()), apart.shape)
    if apart[one, other] == 0.0:
        return longest
    along = (corners[other] - corners[one]) / apart[one, other]
    return float(np.ptp(corners @ np.array([-along[1], along[0]])))


def change(before: float, after: float, before_error: float, after_error: float) -> tuple[float, float, float]:
    """Return a change in percent and its 95 % interval; NaN where there was nothing before.

    Parameters
    ----------
    before, after
        Sizes.
    before_error, after_error
        Their standard deviations; independent of one another.
    """
    if not before > 0.0:
        return math.nan, math.nan, math.nan
    value = 100.0 * (after - before) / before
    spread = 100.0 * math.hypot(after_error / before, after * before_error / before**2)
    return value, value - _Z95 * spread, value + _Z95 * spread


def recist(baseline: float, nadir: float, now: float) -> str:
    """Return the RECIST 1.1 response of a (sum of) long axis in mm: against the baseline, and the nadir for progression."""
    if now == 0.0 and baseline > 0.0:
        return "complete response"
    if now >= 1.2 * nadir and now - nadir >= 5.0:
        return "progressive disease"
    if baseline > 0.0 and now <= 0.7 * baseline:
        return "partial response"
    return "stable disease"
