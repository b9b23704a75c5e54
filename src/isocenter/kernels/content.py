"""What a picture shows, judged coarsely: enough to choose a study by content where the header says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["coarse", "fundus_like", "lung_share", "nucleus_like", "stained_like", "xray_chest_like"]


def coarse(array: npt.NDArray[Any], spacing: Sequence[float], step: float = 4.0) -> tuple[npt.NDArray[Any], tuple[float, ...]]:
    """Return every n-th sample, so that steps come near `step` mm, and the spacing that this gives."""
    strides = [max(1, round(step / s)) for s in spacing]
    return array[tuple(slice(None, None, k) for k in strides)], tuple(s * k for s, k in zip(spacing, strides, strict=True))


def lung_share(array: npt.NDArray[Any], spacing: Sequence[float]) -> tuple[float, float]:
    """Return how much of a CT is aerated lung.

    Parameters
    ----------
    array
        HU, shape (z, y, x).
    spacing
        mm, array order.

    Returns
    -------
    share
        Volume of aerated lung over the volume of soft tissue and lung, 0 to 1.
    volume
        Volume of aerated lung in ml.

    Notes
    -----
    Lung parenchyma lies between about -950 and -500 HU; bowel gas and room air lie lower. What else lies there
    (mattress foam, clothes, the partial volume of skin) has the patient on one side only. So a component counts
    if it is at least 50 ml and most of it has thick tissue (12 mm, thin shells opened away) in two or more of the
    four in-plane directions; a lung that a cropped field of view cuts open still does.
    """
    data, steps = coarse(array, spacing)
    tissue = ndimage.binary_opening(data > -200, iterations=2)
    if not tissue.any():
        return 0.0, 0.0
    sides = np.zeros(data.shape, np.uint8)
    for axis in (1, 2):
        before = np.cumsum(tissue, axis=axis, dtype=np.int32) * steps[axis]
        total = before.take([-1], axis=axis)
        sides += (before >= 12.0).astype(np.uint8) + (total - before >= 12.0).astype(np.uint8)
    voxel = float(np.prod(steps)) / 1000.0
    labels, count = ndimage.label(ndimage.binary_opening((data > -950) & (data < -500)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    enclosed = np.bincount(labels.ravel(), weights=(sides >= 2).ravel(), minlength=count + 1)
    counted = (sizes * voxel >= 50.0) & (enclosed > 0.5 * sizes)
    counted[0] = False
    volume = float(sizes[counted].sum()) * voxel
    return volume / (volume + float((data > -200).sum()) * voxel), volume


def nucleus_like(array: npt.NDArray[Any]) -> int:
    """Return how many compact objects of similar size a 2D picture holds, 0 where it does not look like cells.

    Parameters
    ----------
    array
        Shape (y, x), or (channels, y, x).
    """
    grey = np.asarray(array, dtype=np.float32)
    if grey.ndim == 3:
        grey = np.abs(grey - np.median(grey, axis=(1, 2), keepdims=True)).max(axis=0)
    smooth = ndimage.gaussian_filter(grey, 2.0)
    low, high = np.percentile(smooth, (50, 99.5))
    if high - low <= 0:
        return 0
    best = 0
    for mask in (smooth > low + 0.4 * (high - low), smooth < low - 0.4 * (low - np.percentile(smooth, 0.5))):
        labels, count = ndimage.label(mask)
        if count < 5:
            continue
        sizes = np.bincount(labels.ravel())[1:]
        typical = np.median(sizes[sizes > 20]) if (sizes > 20).any() else 0
        if not 20 < typical < grey.size / 50:
            continue
        similar = int(((sizes > typical / 4) & (sizes < typical * 4)).sum())
        if similar >= 5:
            best = max(best, similar)
    return best


def xray_chest_like(array: npt.NDArray[Any]) -> float:
    """Return how much a 2D picture looks like a frontal chest X-ray, 0 to 1.

    Two large dark fields left and right of a brighter middle, roughly mirror images of one another; the polarity
    may be either.

    Parameters
    ----------
    array
        Shape (y, x).
    """
    data = np.asarray(array, dtype=np.float32)
    small = ndimage.zoom(data, [64 / n for n in data.shape], order=1)
    spread = float(small.std())
    if spread <= 0:
        return 0.0
    small = (small - small.mean()) / spread
    best = 0.0
    for picture in (small, -small):
        fields = picture[16:48]
        columns = fields.mean(axis=0)
        middle = columns[28:36].mean()
        left, right = columns[12:24].min(), columns[40:52].min()
        depth = float(min(middle - left, middle - right))
        mirrored = float(
            np.corrcoef(ndimage.gaussian_filter(picture, 3).ravel(), ndimage.gaussian_filter(picture[:, ::-1], 3).ravel())[0, 1]
        )
        best = max(best, min(1.0, max(0.0, depth)) * max(0.0, mirrored))
    return best


def fundus_like(array: npt.NDArray[Any]) -> bool:
    """Return whether a colour picture (red, green, blue first) shows a reddish disc on black."""
    data = np.asarray(array, dtype=np.float32)
    grey = data.mean(axis=0)
    height, width = grey.shape
    if min(height, width) < 64:
        return False
    middle = data[:, height // 3 : -(height // 3), width // 3 : -(width // 3)].mean(axis=(1, 2))
    edge = max(4, min(height, width) // 30)
    corners = [grey[:edge, :edge], grey[:edge, -edge:], grey[-edge:, :edge], grey[-edge:, -edge:]]
    dark = max(float(c.mean()) for c in corners) < 0.2 * float(middle.mean())
    seen = float((grey > 0.2 * float(middle.mean())).mean())
    return dark and 0.4 < seen < 0.95 and float(middle[0]) > 1.2 * float(middle[2])


def stained_like(array: npt.NDArray[Any]) -> bool:
    """Return whether a colour picture (red, green, blue first) shows purple and pink on white: haematoxylin and eosin."""
    data = np.asarray(array, dtype=np.float32)
    top = float(np.percentile(data, 99.5))
    if top <= 0 or min(data.shape[1:]) < 64:
        return False
    red, green, blue = data / top
    tissue = np.minimum(red, blue) - green > 0.08  # both stains let red and blue pass more than green
    return float(np.percentile(green, 95)) > 0.6 and float(tissue.mean()) > 0.1
