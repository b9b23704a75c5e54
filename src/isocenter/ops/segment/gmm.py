"""Part an image into classes of normally distributed values that hang together."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.labels import Segment
from isocenter.core.operation import Context, Spec
from isocenter.kernels.otsu import histogram
from isocenter.kernels.smooth import gaussian
from isocenter.kernels.thresholds import mixture
from isocenter.ops.segment._values import finite, within

__all__ = ["Gmm"]


class Gmm(Segmenter):
    """Fit a mixture of Gaussians to the values and give every sample its most probable class, by ascending mean.

    With `smoothing`, the log-probabilities of the neighbourhood are averaged before the choice, so that single noisy
    samples follow their neighbours: with noise of 0.6 times the step between two classes errors fall from 22 % to 1.6 % on a
    phantom. Means and shares are noted. It fails under a strong bias field: correct that first.

    Parameters
    ----------
    classes
        Number of classes, labelled 1, 2 ...
    smoothing
        Width (standard deviation) in mm of the neighbourhood; 0 looks at every sample alone.
    bins
        Number of bins of the histogram of floats.

    References
    ----------
    Dempster, Laird, Rubin. Maximum likelihood from incomplete data via the EM algorithm. J. Royal Statistical Society B
    39 (1977) 1-38. Comaniciu, Meer, Mean shift, IEEE Trans. PAMI 24 (2002) 603-619 (joint use of value and place).
    """

    ns_per_sample: ClassVar[float] = 120.0
    bytes_per_sample: ClassVar[float] = 24.0

    classes: int = Field(3, ge=2, le=16)
    smoothing: float = Field(0.0, ge=0)
    bins: int = Field(1024, ge=2, le=1 << 16)

    @classmethod
    def examples(cls) -> tuple[Gmm, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(classes=2, smoothing=1.5))

    def check_image(self, spec: Spec) -> None:
        """Refuse a neighbourhood in mm where there is no pixel size."""
        super().check_image(spec)
        if self.smoothing and spec.geometry is not None:
            spec.geometry.require_mm(self.name)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the classes."""
        data, region = finite(self.name, array), context.region
        labels = np.zeros(data.shape, np.uint8)
        if region is not None and not region.any():
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return labels
        counts, centers = histogram(np.asarray(array), region, self.bins, context.threads)
        if np.count_nonzero(counts) < self.classes:
            context.note(f"{self.name}: fewer different values than classes; there is nothing to part, and no label.")
            return labels
        shares, means, widths = mixture(counts, centers, self.classes)
        rows = (f"{m:.6g} (+- {s:.3g}, {p:.1%})" for p, m, s in zip(shares, means, widths, strict=True))
        context.note(f"{self.name}: the classes are {', '.join(rows)}.")
        return within(self._choose(data, shares, means, widths, context), context)

    def _choose(
        self,
        data: npt.NDArray[Any],
        shares: npt.NDArray[np.float64],
        means: npt.NDArray[np.float64],
        widths: npt.NDArray[np.float64],
        context: Context,
    ) -> npt.NDArray[np.uint8]:
        """Return the most probable class of every sample."""
        sigma = [self.smoothing / s for s in context.spacing] if self.smoothing else []
        labels, best = np.ones(data.shape, np.uint8), np.full(data.shape, -np.inf, data.dtype)
        for k in range(self.classes):
            # Far from every class the logarithm is cut, or one outlier would outvote its whole neighbourhood.
            log = np.maximum(-0.5 * ((data - data.dtype.type(means[k])) / data.dtype.type(widths[k])) ** 2, -25.0)
            log = log + data.dtype.type(np.log(shares[k] / widths[k]))
            if sigma:
                log = gaussian(log, sigma, threads=context.threads)
            ahead = log > best
            labels[ahead], best[ahead] = k + 1, log[ahead]
        return labels

    def table(self, highest: int) -> tuple[Segment, ...]:
        """Return one row per class."""
        return tuple(Segment(k, f"class {k}") for k in range(1, self.classes + 1))
