"""Cut an object out along the cheapest outline between seeds."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.errors import BudgetError
from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.cut import least_cut
from isocenter.kernels.labels import bounding_box
from isocenter.ops.segment._values import blobs, check_seeds, finite, judge_growth, seed_marks

__all__ = ["GraphCut"]

#: Samples that are cut in reasonable time: some ten seconds.
_MOST = 600_000


class GraphCut(Segmenter):
    """Label the side of the cheapest outline that holds the object seeds; the optimum is found exactly.

    Cutting between like neighbours is dear and along edges cheap; `region_weight` adds how well a value fits those around
    the seeds of either side. Without background seeds the edge of the image (or of the region) is background. Larger
    images than 600 000 samples are refused: crop, or give a region, whose box is cut out. With few seeds and without
    `region_weight` it prefers small objects, since a short outline is a cheap one.

    Parameters
    ----------
    seeds
        Points (L, P, S) in mm inside the object.
    background
        Points (L, P, S) in mm outside it.
    radius
        Radius in mm of the ball around every point that is taken as seed.
    contrast
        Step of the values that counts as an edge, as a factor of their standard deviation.
    region_weight
        Weight of how well values fit the two sides, against the outline; 0 looks at the outline alone.

    References
    ----------
    Boykov, Jolly. Interactive graph cuts for optimal boundary and region segmentation of objects in N-D images. ICCV
    (2001) 105-112.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 20000.0
    bytes_per_sample: ClassVar[float] = 250.0

    seeds: tuple[tuple[float, float, float], ...] = ()
    background: tuple[tuple[float, float, float], ...] = ()
    radius: float = Field(0.0, ge=0)
    contrast: float = Field(0.3, gt=0)
    region_weight: float = Field(0.3, ge=0)

    @classmethod
    def examples(cls) -> tuple[GraphCut, ...]:
        """Return the variants that the contract suite runs."""
        seed = ((8.0, 10.0, 12.0),)
        return (cls(seeds=seed, radius=2.5), cls(seeds=seed, background=((15.0, 2.0, 3.0),), radius=3.0, region_weight=0.0))

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a volume with a ball at the seed."""
        return ((blobs(),),)

    def check_image(self, spec: Spec) -> None:
        """Refuse seeds in mm where there is no pixel size."""
        super().check_image(spec)
        check_seeds(self.name, spec, self.seeds, self.background)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the object."""
        data = finite(self.name, array).astype(np.float64)
        found = np.zeros(data.shape, np.bool_)
        marks = self._marks(data.shape, context)
        box = bounding_box(marks != 3)
        if box is None:
            context.note(f"{self.name}: the region is empty, and so is the result.")
            return found
        if data[box].size > _MOST:
            raise BudgetError(
                f"{self.name} was given {data[box].size} samples: expected at most {_MOST}; crop the image, give a region around the "
                "object, or resample to a coarser grid."
            )
        part, seeds = data[box], np.where(marks[box] == 3, 2, marks[box])
        if not (seeds == 1).any():
            context.note(f"{self.name}: no seed lies in the region, and so nothing is labelled.")
            return found
        spread = float(part.std()) or 1.0
        unit = min(context.spacing)
        links = []
        for axis, step in enumerate(context.spacing):
            jump = np.diff(part, axis=axis) / (self.contrast * spread)
            links.append(np.exp(-0.5 * jump**2) * unit / step + 1e-3)
        source, sink = self._fit(part, seeds, spread)
        found[box] = least_cut(links, source, sink, seeds)
        judge_growth(self.name, found, context)
        return found

    def _marks(self, shape: tuple[int, ...], context: Context) -> npt.NDArray[np.uint8]:
        """Return 1 on object seeds, 2 on background seeds, 3 outside the region, else 0."""
        marks = seed_marks(self.name, shape, context, self.seeds, self.background, self.radius)
        if context.region is not None:
            marks[~context.region] = 3
        return marks

    def _fit(
        self, part: npt.NDArray[np.float64], seeds: npt.NDArray[Any], spread: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return what it costs to call each sample background, and object."""
        if not self.region_weight:
            return np.zeros(part.shape), np.zeros(part.shape)
        costs = []
        for side in (1, 2):
            own = part[seeds == side] if (seeds == side).any() else part
            width = max(float(own.std()), 0.1 * spread)
            costs.append(0.5 * ((part - float(np.median(own))) / width) ** 2 + np.log(width))
        floor = np.minimum(costs[0], costs[1])
        # Beyond some deviations a value says no more: without a limit one outlier would outweigh the outline.
        return (
            self.region_weight * np.minimum(costs[1] - floor, 10.0),
            self.region_weight * np.minimum(costs[0] - floor, 10.0),
        )
