"""How sharp an image is, without a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.core.families import Measure
from isocenter.core.operation import Context
from isocenter.core.results import Score

__all__ = ["Sharpness"]

#: Samples of the mean filter whose effect on the image is seen.
_WIDTH = 11


class Sharpness(Measure):
    """Sharpness without a reference: how much of its local change an image loses when it is blurred once more.

    0 is blurred beyond what another blur changes, 1 is perfectly sharp; the blurriest axis counts. Noise looks sharp:
    read it beside `evaluate.noise`. It is in samples, so only images of one sampling compare.

    References
    ----------
    Crete, Dolmiere, Ladret, Nicolas. The blur effect: perception and estimation with a new no-reference perceptual blur
    metric. Proc. SPIE 6492 (2007) 64920I.
    """

    ns_per_sample: ClassVar[float] = 150.0
    bytes_per_sample: ClassVar[float] = 40.0

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the score."""
        blocks = array.reshape(-1, *context.geometry.shape)
        if not np.isfinite(blocks).all():
            raise ContentError(f"{self.name} found samples that are not finite: fill them first.")
        values = [1.0 - _blur(block.astype(np.float64)) for block in blocks]
        return {"sharpness": Score(float(np.median(values)), n=len(values))}


def _blur(block: Any) -> float:
    """Return the share of local change that another blur takes, of the blurriest axis; 1 where nothing changes at all."""
    worst = []
    inner = tuple(slice(2, -1) if n > 3 else slice(None) for n in block.shape)
    for axis in (k for k, n in enumerate(block.shape) if n > 1):
        blurred = ndimage.uniform_filter1d(block, _WIDTH, axis=axis)
        sharp = np.abs(_edges(block, axis))[inner]
        change = np.maximum(0.0, sharp - np.abs(_edges(blurred, axis))[inner])
        total = float(sharp.sum())
        if total > 0:
            worst.append(1.0 - float(change.sum()) / total)
    return max(worst, default=1.0)


def _edges(block: Any, axis: int) -> Any:
    """Return Sobel's derivative along an axis, of unit gain."""
    for other in (k for k in range(block.ndim) if k != axis and block.shape[k] > 1):
        block = ndimage.correlate1d(block, [0.25, 0.5, 0.25], axis=other, mode="reflect")
    return ndimage.correlate1d(block, [-0.5, 0.0, 0.5], axis=axis, mode="reflect")
