"""Snakes: a closed curve in the plane between its own stiffness and the edges of an image.

References
----------
Kass, Witkin, Terzopoulos. Snakes: active contour models. IJCV 1 (1988) 321-331.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["snake"]

FloatArray = npt.NDArray[np.float64]


def snake(
    force: npt.NDArray[Any],
    curve: FloatArray,
    spacing: Sequence[float],
    tension: float,
    stiffness: float,
    balloon: float = 0.0,
    iterations: int = 500,
    step: float = 0.5,
) -> tuple[FloatArray, int]:
    """Return the curve at rest, and the passes it took.

    Parameters
    ----------
    force
        Edge strength, two axes, about 0 to 1: the curve is drawn to where it is large.
    curve
        Shape (n, 2): points in mm from the first sample, in array order.
    spacing
        mm, array order.
    tension, stiffness
        Weight of length and of bending, with the distance of neighbouring points as unit.
    balloon
        Push outwards (above 0) or inwards, relative to the largest pull of an edge.
    iterations
        Most passes.
    step
        Largest move in samples of one pass.
    """
    count = len(curve)
    unit = float(min(spacing))
    slopes = [np.gradient(np.asarray(force, dtype=np.float64), s, axis=k) for k, s in enumerate(spacing)]
    strongest = max(float(np.abs(g).max()) for g in slopes) or 1.0
    eye = np.eye(count)
    second = np.roll(eye, 1, axis=0) + np.roll(eye, -1, axis=0) - 2.0 * eye
    inverse = np.linalg.inv(eye - tension * second + stiffness * (second @ second))
    points, passes, best = curve.copy(), 0, np.inf
    for passes in range(1, iterations + 1):  # noqa: B007 - it is reported below
        index = (points / np.asarray(spacing)).T
        pull = np.stack([ndimage.map_coordinates(g, index, order=1, mode="nearest") for g in slopes], axis=1) / strongest
        along = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
        outward = np.stack([-along[:, 1], along[:, 0]], axis=1)
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-12)
        if _area(points) > 0:
            outward = -outward
        moved = inverse @ (points + step * unit * (pull + balloon * outward))
        length = np.linalg.norm(moved - points, axis=1, keepdims=True)
        moved = points + (moved - points) * np.minimum(1.0, step * unit / np.maximum(length, 1e-12))
        shift = float(np.abs(moved - points).max())
        points = moved
        best = min(best, shift)
        if shift < 0.01 * unit:
            break
    return points, passes


def _area(points: FloatArray) -> float:
    """Return twice the signed area of a polygon."""
    after = np.roll(points, -1, axis=0)
    return float((points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]).sum())
