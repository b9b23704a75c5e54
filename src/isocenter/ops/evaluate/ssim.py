"""Structural similarity of an image and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.errors import ContentError
from isocenter.core.families import Metric
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.fidelity import structural_similarity, value_range

__all__ = ["Ssim"]


class Ssim(Metric):
    """Structural similarity of an image and the truth: luminance, contrast and structure in small windows.

    1 is identical. Windows are Gaussian and taken in all spatial axes; those that reach over the edge do not count, unless
    the image is smaller than a window. Time points and channels are averaged. Do not compare figures taken with
    different ranges or windows.

    Parameters
    ----------
    sigma_samples
        Width of the window in samples; it ends at 3.5 times that.
    value_range
        Range of values in the unit of the image (255 for uint8); None takes what the truth spans.
    label
        Images have no labels to choose from: None.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli. Image quality assessment: from error visibility to structural similarity. IEEE
    Trans. Image Process. 13 (2004) 600-612.
    """

    compares: ClassVar[str] = "images"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"ssim": (-1.0, 1.0)}
    higher_is_better: ClassVar[Mapping[str, bool]] = {"ssim": True}
    ns_per_sample: ClassVar[float] = 250.0
    bytes_per_sample: ClassVar[float] = 90.0

    sigma_samples: float = Field(1.5, gt=0, le=20)
    value_range: float | None = Field(None, gt=0)
    label: None = None

    @classmethod
    def examples(cls) -> tuple[Ssim, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(sigma_samples=0.8, value_range=1000.0))

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the score."""
        truth = context.reference
        assert truth is not None  # the family hands it over
        if not (np.isfinite(array).all() and np.isfinite(truth).all()):
            raise ContentError(
                f"{self.name} compares windows, and found samples that are not finite: fill them first, or use evaluate.psnr."
            )
        if np.array_equal(array, truth):
            return {"ssim": Score(1.0, n=array.size)}
        span = value_range(truth, self.value_range, self.name)
        shape = (-1, *context.geometry.shape)
        total, count = 0.0, 0
        for one, two in zip(array.reshape(shape), truth.reshape(shape), strict=True):
            found, inner = structural_similarity(one, two, span, self.sigma_samples, context.threads)
            total += float(found[inner].sum())
            count += found[inner].size
        return {"ssim": Score(float(np.clip(total / count, -1.0, 1.0)), n=count)}
