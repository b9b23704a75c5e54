"""Raise local contrast, and noise only so far."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from isocenter.kernels.clahe import clahe
from isocenter.kernels.finite import require_finite
from isocenter.kernels.tone import extremes

__all__ = ["Clahe"]


class Clahe(Filter):
    """Raise local contrast with limited noise (CLAHE), 0 to 1: in true 3D, or slice by slice.

    For looking and for segmentation of X-rays, fundus and mammograms whose brightness varies. Values lose their meaning:
    never before measuring intensities. In volumes tiles are boxes and blend along all axes, so slices do not flicker;
    slice by slice is for thick slices.

    Parameters
    ----------
    tiles
        Number of tiles along every axis (at most the samples there).
    clip
        Most that one bin may hold, as a fraction of a tile's samples: 1 does not limit, small values limit strongly.
    bins
        Number of bins.
    over
        ``volume``: tiles in all spatial axes; ``slices``: each slice of the first axis on its own, over one range of values.

    References
    ----------
    Zuiderveld. Contrast limited adaptive histogram equalization. Graphics Gems IV, Academic Press (1994) 474-485.
    """

    gives_quantity: ClassVar[str | None] = "intensity fraction"
    ns_per_sample: ClassVar[float] = 20.0

    tiles: int = Field(8, ge=1, le=256)
    clip: float = Field(0.01, gt=0, le=1)
    bins: int = Field(256, ge=2, le=65536)
    over: Literal["volume", "slices"] = "volume"

    @classmethod
    def examples(cls) -> tuple[Clahe, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(tiles=2, clip=0.05, over="slices", bins=64))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the equalised block."""
        require_finite(array, self.name)
        low, high = extremes(array)
        tiles = [self.tiles] * array.ndim
        if self.over == "volume" or array.ndim < 3:
            return clahe(array, tiles, self.clip, self.bins, low, high, context.threads)
        return np.stack([clahe(part, tiles[1:], self.clip, self.bins, low, high, context.threads) for part in array])
