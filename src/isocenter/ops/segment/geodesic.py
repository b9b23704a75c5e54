"""Let an outline flow onto edges (geodesic level set)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.errors import ParameterError
from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.levelset import geodesic_flow
from isocenter.kernels.slope import squared_slope
from isocenter.kernels.smooth import gaussian
from isocenter.ops.segment._values import blobs, check_seeds, finite, judge_growth, seed_samples

__all__ = ["Geodesic"]


class Geodesic(Segmenter):
    """Grow (or shrink) an outline until it rests on edges, kept smooth by its curvature.

    Begins with balls around the seeds, or with the region. Edges are where the smoothed image is steep; `attraction` pulls
    the outline onto them from both sides. It comes to rest about `sigma` inside of a blurred edge. It fails where an edge
    has a gap wider than the outline's curvature can hold: a note says when the label touches the edge of the image.

    Parameters
    ----------
    seeds
        Points (L, P, S) in mm inside the object.
    radius
        Radius in mm of the ball around each seed.
    balloon
        Factor: speed outwards (above 0) or inwards where there is no edge.
    smoothness
        Length in mm: how much the curvature counts.
    attraction
        Length in mm: how far the pull onto edges counts.
    sigma
        Standard deviation in mm of the smoothing before edges are looked for; 0 for none.
    iterations
        Most iterations.

    References
    ----------
    Caselles, Kimmel, Sapiro. Geodesic active contours. IJCV 22 (1997) 61-79.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 40000.0
    bytes_per_sample: ClassVar[float] = 250.0

    seeds: tuple[tuple[float, float, float], ...] = ()
    radius: float = Field(3.0, gt=0)
    balloon: float = 1.0
    smoothness: float = Field(0.2, ge=0)
    attraction: float = Field(2.0, ge=0)
    sigma: float = Field(1.0, ge=0)
    iterations: int = Field(400, ge=1, le=100_000)

    @classmethod
    def examples(cls) -> tuple[Geodesic, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(seeds=((8.0, 10.0, 12.0),), iterations=40),)

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a volume with a ball at the seed."""
        return ((blobs(),),)

    def check_image(self, spec: Spec) -> None:
        """Refuse seeds in mm where there is no pixel size."""
        super().check_image(spec)
        check_seeds(self.name, spec, self.seeds)

    def compute(self, array: Any, context: Context) -> Any:
        """Return what the outline encloses."""
        data = finite(self.name, array).astype(np.float64)
        places = seed_samples(self.name, context, self.seeds, ())
        start = np.zeros(data.shape, np.bool_)
        mesh = np.ogrid[tuple(slice(0, n) for n in data.shape)]
        for place in places:
            far = sum(((m - p) * s) ** 2 for m, p, s in zip(mesh, place, context.spacing, strict=True))
            start |= np.asarray(far) <= self.radius**2 * (1 + 1e-9)
        if not len(places):
            if context.region is None:
                raise ParameterError(
                    f"{self.name} was given neither seeds nor a region: expected points in 'seeds' (mm) or a region."
                )
            start = context.region
        if not start.any():
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return start
        if self.sigma:
            data = gaussian(data, [self.sigma / s for s in context.spacing], threads=context.threads)
        steep = squared_slope(data, context.spacing)
        scale = float(np.percentile(steep, 90)) or 1.0
        found, passes = geodesic_flow(
            1.0 / (1.0 + 9.0 * steep / scale), start, context.spacing, self.balloon, self.smoothness, self.attraction,
            self.iterations, context.threads,
        )  # fmt: skip
        if passes >= self.iterations:
            context.note(f"{self.name}: the outline had not come to rest after {passes} iterations.")
        if context.region is not None:
            found = found & context.region
        judge_growth(self.name, found, context)
        return found
