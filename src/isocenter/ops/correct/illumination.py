"""Even out the light of a photograph or micrograph."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.smooth import gaussian

__all__ = ["Illumination"]


class Illumination(Filter):
    """Even out the light of a photograph or micrograph: divide by, or take off, a smooth estimate of it.

    For vignetting and uneven lamps over small things (cells, vessels). What is as large as the estimate is smooth goes with it: an
    organ that fills the picture would be flattened. The mean stays. On a field of cells under a lamp that falls to a
    half, it lowers the variation of the background to less than a third.

    Parameters
    ----------
    estimate
        ``polynomial`` of the given degree, fitted without what stands out; ``gaussian``, a wide blur.
    model
        ``multiply``: the light multiplies, the usual; ``add``: it adds (stray light).
    degree
        Highest power of the polynomial.
    width
        Standard deviation of the blur as a fraction of the image's longest side.

    References
    ----------
    Likar, Maintz, Viergever, Pernus. Retrospective shading correction based on entropy minimization. J. Microscopy 197
    (2000) 285-295.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 150.0
    bytes_per_sample: ClassVar[float] = 120.0

    estimate: Literal["polynomial", "gaussian"] = "polynomial"
    model: Literal["multiply", "add"] = "multiply"
    degree: int = Field(2, ge=1, le=6)
    width: float = Field(0.15, gt=0, le=1)

    @classmethod
    def examples(cls) -> tuple[Illumination, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(estimate="gaussian", model="add"), cls(degree=1, model="add"))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the block in even light."""
        require_finite(array, self.name)
        values = array.astype(np.float64)
        if self.estimate == "gaussian":
            widths = [self.width * max(array.shape) if n > 1 else 0.0 for n in array.shape]
            light = gaussian(values, widths, 3.0, context.threads)
        else:
            light = _surface(values, self.degree)
        mean = float(values.mean())
        if self.model == "add":
            return (values - light + float(light.mean())).astype(array.dtype)
        # Light is never less than a small part of the usual: dividing by nothing would invent it.
        least = max(0.05 * float(np.abs(light).mean()), 1e-12)
        result = values / np.maximum(light, least)
        found = float(result.mean())
        return (result * (mean / found) if abs(found) > 1e-12 else values).astype(array.dtype)


def _surface(values: Any, degree: int) -> Any:
    """Return the polynomial through most samples: those far from it are left out, three times over."""
    axes = [np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1) for n in values.shape]
    powers = [p for p in np.ndindex(*(degree + 1,) * values.ndim) if sum(p) <= degree]
    stride = tuple(slice(None, None, max(1, n // 128)) for n in values.shape)

    def terms(grid: list[Any]) -> Any:
        mesh = np.meshgrid(*grid, indexing="ij")
        return np.stack([np.prod([m**p for m, p in zip(mesh, power, strict=True)], axis=0) for power in powers], axis=-1)

    few = terms([a[s] for a, s in zip(axes, stride, strict=True)]).reshape(-1, len(powers))
    seen = values[stride].reshape(-1)
    kept = np.ones(seen.size, dtype=bool)
    for _ in range(4):
        weights = np.linalg.lstsq(few[kept], seen[kept], rcond=None)[0]
        apart = seen - few @ weights
        limit = 2.0 * 1.4826 * float(np.median(np.abs(apart[kept])))
        near = np.abs(apart) <= max(limit, 1e-9)
        if near.sum() < 4 * len(powers):
            break
        kept = near
    return terms(axes) @ weights
