"""Photographs of the retina: the round field of view, and the optic disc in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.kernels.labels import closing, fill_holes, keep_largest, opening
from isocenter.kernels.otsu import otsu

__all__ = ["field_of_view", "optic_disc"]

Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def field_of_view(picture: npt.NDArray[Any]) -> Mask:
    """Return where the retina is seen: the largest thing that is brighter than the black surround.

    Parameters
    ----------
    picture
        Shape (channels, y, x) or (y, x).
    """
    grey = np.asarray(picture, dtype=np.float64)
    grey = grey.max(axis=0) if grey.ndim == 3 else grey
    smooth = ndimage.median_filter(grey, size=5, mode="nearest") if min(grey.shape) >= 5 else grey
    low, high = float(smooth.min()), float(np.percentile(smooth, 90))
    if not high > low:
        return np.zeros(grey.shape, np.bool_)
    # Otsu on the root: the step from black to the darkest retina counts more than steps within the retina.
    root = np.sqrt(np.clip((smooth - low) / (high - low), 0.0, 1.0))
    seen = root > min(otsu(root), 0.5)
    seen = fill_holes(keep_largest(seen, 1, 4))
    return np.asarray(ndimage.binary_opening(np.pad(seen, 2), iterations=2)[2:-2, 2:-2])


def optic_disc(picture: npt.NDArray[Any], field: Mask) -> tuple[Mask, float]:
    """Return the optic disc, and how far it stands out in standard deviations of the retina.

    A disc of a seventh of the field's diameter answers best to the brightness left when vessels are closed.

    Parameters
    ----------
    picture
        Shape (channels, y, x) (red, green, blue) or (y, x).
    field
        The field of view.
    """
    data = np.asarray(picture, dtype=np.float64)
    grey = data[:2].mean(axis=0) if data.ndim == 3 and len(data) >= 2 else data.reshape(data.shape[-2:])
    area = int(field.sum())
    if area < 400:
        return np.zeros(field.shape, np.bool_), 0.0
    diameter = 2.0 * float(np.sqrt(area / np.pi))
    radius = diameter / 14.0
    closed = ndimage.grey_closing(grey, size=(max(3, round(0.5 * radius)) | 1,) * 2, mode="nearest")
    inside = ndimage.binary_erosion(field, iterations=max(1, round(0.3 * radius)))
    share = ndimage.gaussian_filter(field.astype(np.float64), 2.5 * radius)
    ground = ndimage.gaussian_filter(np.where(field, closed, 0.0), 2.5 * radius) / np.maximum(share, 1e-6)
    raised = np.where(field, closed - ground, 0.0)
    answer = ndimage.gaussian_filter(raised, 0.6 * radius) - ndimage.gaussian_filter(raised, 1.2 * radius)
    answer[~inside] = -np.inf
    if not inside.any():
        return np.zeros(field.shape, np.bool_), 0.0
    row, column = np.unravel_index(int(np.argmax(answer)), answer.shape)
    y, x = np.ogrid[: field.shape[0], : field.shape[1]]
    far = np.hypot(y - row, x - column)
    near, ring = (far < 0.4 * radius) & field, (far > 1.8 * radius) & (far < 3.0 * radius) & field
    if not near.any() or not ring.any():
        return np.zeros(field.shape, np.bool_), 0.0
    top, base = float(np.median(closed[near])), float(np.median(closed[ring]))
    spread = float(np.median(np.abs(closed[ring] - base))) * 1.4826 + 1e-9
    smooth = ndimage.gaussian_filter(closed, 0.12 * radius)
    disc = (smooth > base + 0.25 * (top - base)) & (far < 2.0 * radius) & field
    labels, _ = ndimage.label(disc)
    disc = labels == labels[row, column] if labels[row, column] else far < 0.2 * radius
    disc = closing(fill_holes(disc), 0.4 * radius, (1.0, 1.0))
    return fill_holes(keep_largest(opening(disc, 0.5 * radius, (1.0, 1.0)))), (top - base) / spread
