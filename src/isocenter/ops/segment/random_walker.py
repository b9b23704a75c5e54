"""Part object and background from a few seeds of each by random walks."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.smooth import gaussian
from isocenter.kernels.walker import random_walker
from isocenter.ops.segment._values import blobs, check_seeds, finite, judge_growth, seed_marks

__all__ = ["RandomWalker"]


class RandomWalker(Segmenter):
    """Label the samples from which a random walk, that avoids edges, meets an object seed before a background seed.

    Weak edges are completed along the shortest bridge. Without background seeds the edge of the image (or of the region) is
    background, so that one click may do. It fails on thin structures, since walks prefer compact ones, and with very small
    seeds in much noise: the label then shrinks towards the seed; give a radius, or smooth first.

    Tried on public CT and MR cases from one click a piece; figures are in the concepts page on segmentation.

    Parameters
    ----------
    seeds
        Points (L, P, S) in mm inside the object.
    background
        Points (L, P, S) in mm outside it.
    radius
        Radius in mm of the ball around every point that is taken as seed.
    beta
        Weight of edges (dimensionless): a step of one standard deviation of the image is crossed with probability
        ``exp(-beta / 10)``.
    sigma
        Standard deviation in mm of the smoothing beforehand; 0 for none.

    References
    ----------
    Grady. Random walks for image segmentation. IEEE Trans. PAMI 28 (2006) 1768-1783.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 1000.0
    bytes_per_sample: ClassVar[float] = 60.0

    seeds: tuple[tuple[float, float, float], ...] = ()
    background: tuple[tuple[float, float, float], ...] = ()
    radius: float = Field(0.0, ge=0)
    beta: float = Field(130.0, ge=0)
    sigma: float = Field(0.0, ge=0)

    @classmethod
    def examples(cls) -> tuple[RandomWalker, ...]:
        """Return the variants that the contract suite runs."""
        seed = ((8.0, 10.0, 12.0),)
        return (cls(seeds=seed), cls(seeds=seed, background=((15.0, 2.0, 3.0),), radius=2.0, sigma=1.0))

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a volume with a ball at the seed."""
        return ((blobs(),),)

    def check_image(self, spec: Spec) -> None:
        """Refuse seeds in mm where there is no pixel size."""
        super().check_image(spec)
        check_seeds(self.name, spec, self.seeds, self.background)

    def compute(self, array: Any, context: Context) -> Any:
        """Return the object."""
        data = finite(self.name, array)
        if self.sigma:
            data = gaussian(data, [self.sigma / s for s in context.spacing], threads=context.threads)
        marks = seed_marks(self.name, data.shape, context, self.seeds, self.background, self.radius).astype(np.int32)
        if context.region is not None:
            marks[~context.region] = 2
        spread = float(data.std(dtype=np.float64))
        stiffness = self.beta / (10.0 * spread**2) if spread > 0 else 0.0
        found = random_walker(data, marks, context.spacing, stiffness) == 1
        if context.region is not None:
            found &= context.region
        judge_growth(self.name, found, context)
        return found
