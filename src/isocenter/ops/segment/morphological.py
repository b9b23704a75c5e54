"""Morphological active contours: without edges, and geodesic."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.operation import Context, Spec
from isocenter.kernels.morphsnakes import chan_vese, checkerboard, geodesic
from isocenter.kernels.otsu import otsu
from isocenter.kernels.slope import squared_slope
from isocenter.kernels.smooth import gaussian
from isocenter.ops.segment._values import finite, judge_growth, seed_samples

__all__ = ["Morphological"]


class Morphological(Segmenter):
    """Evolve an outline by morphology alone: fast, without step sizes, and the same on every machine.

    ``chan_vese`` parts the image into two regions of similar values (no edge needed; the brighter one is labelled),
    beginning at Otsu's threshold or with a checkerboard; ``geodesic`` grows from seeds (or shrinks from the region) until it meets edges. A region
    is where either begins and what bounds it. Sample by sample equal to the widely used reference implementation. The
    first fails where shading outweighs contrast, the second leaks where an edge has a gap wider than about
    ``2 * smoothing + 1`` samples: notes say when the label touches the edge of the image or covers most of it.

    Parameters
    ----------
    method
        ``chan_vese`` or ``geodesic``.
    iterations
        Number of iterations.
    smoothing
        Number of times the outline is smoothed after each iteration.
    balloon
        Direction of ``geodesic`` where nothing holds it: a factor of 1 grows, of -1 shrinks, 0 does neither.
    sigma
        Standard deviation in mm of the smoothing before edges are looked for (``geodesic``).
    threshold
        Share of the samples, as a percentile (percent), that count as edges for the balloon.
    start
        Where ``chan_vese`` begins without a region: ``otsu``, or ``checkerboard``, which takes no guess but is smoothed away
        where `smoothing` outweighs the contrast.
    seeds
        Points (L, P, S) in mm around which ``geodesic`` begins.
    radius
        Radius in mm of the ball around each seed.

    References
    ----------
    Marquez-Neila, Baumela, Alvarez. A morphological approach to curvature-based evolution of curves and surfaces. IEEE
    Trans. PAMI 36 (2014) 2-17.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 60.0
    bytes_per_sample: ClassVar[float] = 24.0

    method: Literal["chan_vese", "geodesic"] = "chan_vese"
    iterations: int = Field(50, ge=1, le=100_000)
    smoothing: int = Field(1, ge=0, le=20)
    balloon: float = 1.0
    sigma: float = Field(0.0, ge=0)
    threshold: float = Field(40.0, ge=0, le=100)
    start: Literal["otsu", "checkerboard"] = "otsu"
    seeds: tuple[tuple[float, float, float], ...] = ()
    radius: float = Field(0.0, ge=0)

    @classmethod
    def examples(cls) -> tuple[Morphological, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(iterations=10), cls(method="geodesic", iterations=2, smoothing=0, sigma=1.0, balloon=-1.0))

    def check_image(self, spec: Spec) -> None:
        """Refuse lengths in mm where there is no pixel size."""
        super().check_image(spec)
        if (self.sigma or self.seeds) and spec.geometry is not None:
            spec.geometry.require_mm(self.name)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the region inside the outline."""
        data = finite(self.name, array)
        if context.region is not None and not context.region.any():
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return np.zeros(data.shape, np.bool_)
        found = self._regions(data, context) if self.method == "chan_vese" else self._edges(data, context)
        if context.region is not None:
            found = found & context.region
        judge_growth(self.name, found, context)
        return found

    def _regions(self, data: npt.NDArray[Any], context: Context) -> npt.NDArray[np.bool_]:
        """Return the brighter of two regions of similar values."""
        if context.region is not None:
            start = context.region
        else:
            start = checkerboard(data.shape) if self.start == "checkerboard" else data > otsu(data, threads=context.threads)
        found = chan_vese(data, start, self.iterations, self.smoothing)
        if found.any() and not found.all() and data[found].mean(dtype=np.float64) < data[~found].mean(dtype=np.float64):
            return ~found
        return found

    def _edges(self, data: npt.NDArray[Any], context: Context) -> npt.NDArray[np.bool_]:
        """Return where an outline comes to rest on edges."""
        smooth = data.astype(np.float64)
        if self.sigma:
            smooth = gaussian(smooth, [self.sigma / s for s in context.spacing], threads=context.threads)
        steep = np.sqrt(squared_slope(smooth, context.spacing))
        scale = float(np.percentile(steep, 90)) or 1.0
        edges = 1.0 / np.sqrt(1.0 + (3.0 * steep / scale) ** 2)
        start = self._start(data.shape, context)
        return geodesic(edges, start, self.iterations, self.smoothing, self.balloon, float(np.percentile(edges, self.threshold)))

    def _start(self, shape: tuple[int, ...], context: Context) -> npt.NDArray[np.bool_]:
        """Return balls around the seeds; without seeds the region, or all but the outermost samples."""
        if not self.seeds:
            if context.region is not None:
                return context.region
            start = np.zeros(shape, np.bool_)
            start[tuple(slice(1, -1) if n > 2 else slice(None) for n in shape)] = True
            return start
        start = np.zeros(shape, np.bool_)
        radius = max(self.radius, max(context.spacing))
        for place in seed_samples(self.name, context, self.seeds, ()):
            far = sum(
                (((np.arange(n) - p) * s) ** 2).reshape([-1 if k == axis else 1 for k in range(len(shape))])
                for axis, (n, p, s) in enumerate(zip(shape, place, context.spacing, strict=True))
            )
            start |= np.asarray(far) <= radius**2 * (1 + 1e-9)
        return start
