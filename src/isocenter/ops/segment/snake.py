"""Let a closed curve settle on the edges around an object in the plane."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isocenter.core.errors import ParameterError
from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.rasterise import fill_polygons
from isocenter.kernels.smooth import gaussian
from isocenter.kernels.snake import snake
from isocenter.ops.segment._examples import spots
from isocenter.ops.segment._values import check_seeds, finite, judge_growth, seed_samples, within

__all__ = ["Snake"]


class Snake(Segmenter):
    """Label the inside of a closed curve that began as a circle and settled on nearby edges.

    The curve balances tension and stiffness against the pull of edges, which reaches about `sigma` mm: begin close to the
    object, or set `balloon`. A note says when it did not come to rest. It fails on objects with deep dents, and on edges
    nearer to the start than the right one.

    Parameters
    ----------
    center
        Point (L, P, S) in mm in the middle of the object; None takes the middle of the image.
    radius
        Radius in mm of the circle at the beginning.
    sigma
        Standard deviation in mm of the smoothing before edges are looked for.
    tension
        Weight of the curve's length.
    stiffness
        Weight of the curve's bending.
    balloon
        Factor: push outwards (above 0) or inwards against the strongest pull of an edge.
    iterations
        Most iterations.

    References
    ----------
    Kass, Witkin, Terzopoulos. Snakes: active contour models. IJCV 1 (1988) 321-331. Cohen. On active contour models and
    balloons. CVGIP Image Understanding 53 (1991) 211-218.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx",)
    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 3000.0
    bytes_per_sample: ClassVar[float] = 40.0

    center: tuple[float, float, float] | None = None
    radius: float = Field(10.0, gt=0)
    sigma: float = Field(1.0, gt=0)
    tension: float = Field(0.05, ge=0)
    stiffness: float = Field(0.5, ge=0)
    balloon: float = 0.0
    iterations: int = Field(1000, ge=1, le=100_000)

    @classmethod
    def examples(cls) -> tuple[Snake, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(center=(9.0, 8.0, 0.0), radius=5.5), cls(center=(26.0, 10.0, 0.0), radius=3.5, balloon=0.3, iterations=300))

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return round things on a dark ground."""
        from isocenter.core.geometry import Geometry

        image = spots()
        return ((image.replace(geometry=Geometry.regular(image.shape, (0.5, 0.5))),),)

    def check_image(self, spec: Spec) -> None:
        """Refuse a centre in mm where there is no pixel size."""
        super().check_image(spec)
        check_seeds(self.name, spec, () if self.center is None else (self.center,))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the inside of the curve."""
        data = finite(self.name, array).astype(np.float64)
        if min(data.shape) < 3:
            raise ParameterError(f"{self.name} was given an image of {data.shape}: expected at least 3 x 3 samples.")
        spacing = np.asarray(context.spacing)
        if self.center is None:
            middle = (np.asarray(data.shape) - 1) / 2.0 * spacing
        else:
            seed_samples(self.name, context, (self.center,), ())  # refuses one outside the image
            middle = context.geometry.to_index(self.center) * spacing
        smooth = gaussian(data, [self.sigma / s for s in context.spacing], threads=context.threads)
        steep = np.hypot(*np.gradient(smooth, *context.spacing))
        steep /= float(steep.max()) or 1.0
        # A multiple of eight, so that the points are the same however the axes are stored.
        count = 8 * int(np.clip(2 * np.pi * self.radius / (6.0 * float(spacing.min())), 3, 50))
        angle = 2 * np.pi * np.arange(count) / count
        circle = middle + self.radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        curve, passes = snake(steep, circle, context.spacing, self.tension, self.stiffness, self.balloon, self.iterations)
        if passes >= self.iterations:
            context.note(f"{self.name}: the curve had not come to rest after {passes} iterations.")
        found = within(fill_polygons([curve / spacing], (data.shape[0], data.shape[1])), context)
        judge_growth(self.name, found, context)
        return found
