"""Offsets of whole lines of an image: stripes, and rings once they are unrolled.

References
----------
Sijbers, Postnov. Reduction of ring artefacts in high resolution micro-CT reconstructions. Phys. Med. Biol. 49 (2004)
N247-N253.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["line_offsets", "ring_image"]

Array = npt.NDArray[Any]


def line_offsets(image: Array, width: int) -> npt.NDArray[np.float64]:
    """Return the offset of every column: the median, down it, of what stands out from `width` columns around.

    A thing that covers less than half of a column does not move the median, so that it stays.
    """
    values = image.astype(np.float64)
    around = ndimage.median_filter(values, (1, 2 * width + 1), mode="nearest")
    offsets: npt.NDArray[np.float64] = np.median(values - around, axis=0)
    return offsets


def ring_image(image: Array, center: tuple[float, float], width: int) -> Array:
    """Return the rings around a centre (row, column) of a two-dimensional image, to be taken off it."""
    rows, columns = np.indices(image.shape, dtype=np.float64)
    distance = np.hypot(rows - center[0], columns - center[1])
    reach = int(np.ceil(distance.max())) + 1
    angles = max(16, int(np.ceil(2 * np.pi * min(reach, max(image.shape)) / 2)))
    turn = np.arange(angles) * (2 * np.pi / angles)
    radius = np.arange(reach, dtype=np.float64)
    places = [center[0] + np.sin(turn)[:, None] * radius, center[1] + np.cos(turn)[:, None] * radius]
    inside = (places[0] >= 0) & (places[0] <= image.shape[0] - 1) & (places[1] >= 0) & (places[1] <= image.shape[1] - 1)
    polar = ndimage.map_coordinates(image.astype(np.float64), places, order=1, mode="nearest")
    around = ndimage.median_filter(polar, (1, 2 * width + 1), mode="nearest")
    apart = np.where(inside, polar - around, np.nan)
    seen = inside.sum(axis=0) >= 8
    profile = np.zeros(reach)
    profile[seen] = np.nanmedian(apart[:, seen], axis=0)
    return np.asarray(np.interp(distance, radius, profile))
