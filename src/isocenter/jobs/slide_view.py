"""A whole slide seen at one size of a sample: regions are read from the level that fits, and averaged down to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Spec
from isocenter.core.pyramid import Pyramid, Region

__all__ = ["SlideView"]

#: Samples along a side of the largest piece of a level that is held at once.
_PIECE = 4096


@dataclass(frozen=True)
class SlideView:
    """A slide at about `mpp` micrometres per sample, never coarser.

    Parameters
    ----------
    pyramid
        The slide.
    mpp
        Micrometres per sample. The coarsest level at least that fine is read; where it is finer by a whole number of samples,
        those are averaged.

    Raises
    ------
    GeometryError
        If the slide does not say how large its pixels are.
    """

    pyramid: Pyramid
    mpp: float

    @cached_property
    def level(self) -> int:
        """Index of the level that is read."""
        return self.pyramid.level_for(self.mpp)

    @cached_property
    def factor(self) -> int:
        """How many samples of the level, along each side, become one."""
        shape = self.pyramid.levels[self.level].geometry.shape
        return max(1, min(math.floor(self.mpp / self.pyramid.mpp[self.level] + 1e-3), *shape))

    @cached_property
    def geometry(self) -> Geometry:
        """The grid; a rim of less than one sample at the end is left out."""
        fine, k = self.pyramid.levels[self.level].geometry, self.factor
        if k == 1:
            return fine
        affine = fine.affine.copy()
        affine[:3, fine.ndim] = fine.to_world(np.full(fine.ndim, (k - 1) / 2))
        affine[:3, : fine.ndim] *= k
        return Geometry(tuple(n // k for n in fine.shape), affine, fine.frame, fine.unit)

    def spec(self, shape: tuple[int, int] | None = None) -> Spec:
        """Return what reading a region of `shape` (default: all of it) will give."""
        grid = self.geometry if shape is None else self.geometry.crop((0, 0), shape)
        corner = self._samples(((0, 1), (0, 1)))
        channels = corner.size
        return Spec(
            "Image", self.pyramid.dims, corner.dtype.str, grid, self.pyramid.modality, self.pyramid.quantity, channels * grid.size
        )

    def read(self, box: Region) -> Image:
        """Return a region, given in samples of this view, as an image."""
        grid = self.geometry.crop([a for a, _ in box], [b - a for a, b in box])
        return Image(
            self._samples(box),
            self.pyramid.dims,
            grid,
            modality=self.pyramid.modality,
            quantity=self.pyramid.quantity,
            channels=self.pyramid.channels,
            provenance=self.pyramid.provenance,
        )

    def whole(self) -> Image:
        """Return all of it as an image."""
        height, width = self.geometry.shape
        return self.read(((0, height), (0, width)))

    def _samples(self, box: Region) -> npt.NDArray[Any]:
        """Return the samples of a region; finer ones are read and averaged piece by piece."""
        k = self.factor
        read = self.pyramid.levels[self.level].read
        (top, bottom), (left, right) = box
        if k == 1:
            return np.asarray(read(box))
        step = max(1, _PIECE // k)
        rows = []
        for a in range(top, bottom, step):
            b = min(a + step, bottom)
            parts = []
            for c in range(left, right, step):
                d = min(c + step, right)
                parts.append(_averaged(np.asarray(read(((a * k, b * k), (c * k, d * k)))), k))
            rows.append(np.concatenate(parts, axis=-1))
        return np.concatenate(rows, axis=-2)


def _averaged(samples: npt.NDArray[Any], k: int) -> npt.NDArray[Any]:
    """Return the mean of blocks of `k` by `k` samples, in the type of the samples."""
    *lead, height, width = samples.shape
    mean = samples.reshape(*lead, height // k, k, width // k, k).mean(axis=(-3, -1), dtype=np.float64)
    return (np.rint(mean) if samples.dtype.kind in "iu" else mean).astype(samples.dtype)
