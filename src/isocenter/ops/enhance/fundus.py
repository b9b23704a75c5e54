"""Bring out vessels and lesions of fundus photographs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from scipy import ndimage

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.smooth import gaussian

__all__ = ["Fundus"]


class Fundus(Filter):
    """Bring out vessels and lesions of fundus photographs: four times what a wide blur leaves, around a middle grey.

    Photographs of different cameras and exposures become alike, which helps grading of retinopathy. The disc of the retina is
    found, and what lies outside a slightly smaller circle becomes 0. Colours lose their meaning. Samples are those of
    8-bit photographs: 0 to 255 come out. Crop to the disc with `resample.crop` afterwards.

    Parameters
    ----------
    blur
        Standard deviation of the blur as a fraction of the disc's radius.
    gain
        Factor of what the blur leaves.
    keep
        Radius of what is kept as a fraction of the disc's radius.

    References
    ----------
    Graham. Kaggle diabetic retinopathy detection competition report. University of Warwick (2015).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "cyx")
    gives_quantity: ClassVar[str | None] = "intensity fraction of 255"
    ns_per_sample: ClassVar[float] = 60.0
    bytes_per_sample: ClassVar[float] = 24.0

    blur: float = Field(1.0 / 30.0, gt=0, le=1)
    gain: float = Field(4.0, gt=0, le=50)
    keep: float = Field(0.95, gt=0, le=1)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the enhanced photograph."""
        require_finite(array, self.name)
        channels = array if "c" in context.dims else array[None]
        center, radius = _disc(channels.mean(axis=0, dtype=np.float64))
        rows, columns = np.ogrid[: array.shape[-2], : array.shape[-1]]
        inside = (rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= (self.keep * radius) ** 2
        # Blurred within the disc alone: the black around it would darken the rim.
        disc = ((rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= radius**2).astype(np.float64)
        widths = [max(self.blur * radius, 0.3)] * 2
        share = np.maximum(gaussian(disc, widths, 3.0, context.threads), 1e-6)
        out = np.zeros(channels.shape, array.dtype)
        for k, channel in enumerate(channels):
            local = gaussian(channel * disc, widths, 3.0, context.threads) / share
            out[k] = np.where(inside, np.clip(self.gain * (channel - local) + 128.0, 0.0, 255.0), 0.0)
        return out.reshape(array.shape)


def _disc(grey: Any) -> tuple[tuple[float, float], float]:
    """Return centre and radius, in samples, of the bright disc; of the whole picture where none stands out."""
    whole = ((grey.shape[0] - 1) / 2, (grey.shape[1] - 1) / 2), float(np.hypot(*grey.shape) / 2)
    smooth = ndimage.uniform_filter(grey, 5, mode="nearest")
    low, high = (float(v) for v in np.percentile(smooth, (1, 90)))
    seen = smooth > low + 0.12 * (high - low)
    if high <= low or seen.mean() < 0.05 or seen.mean() > 0.95:
        return whole
    rows, columns = np.flatnonzero(seen.mean(axis=1) > 0.02), np.flatnonzero(seen.mean(axis=0) > 0.02)
    if not rows.size or not columns.size:
        return whole
    # The disc may be cut above and below: the wider side is its diameter.
    size = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    return (float(rows[0] + rows[-1]) / 2, float(columns[0] + columns[-1]) / 2), size / 2
