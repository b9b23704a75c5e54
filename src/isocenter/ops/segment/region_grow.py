"""Grow a region from seeds."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.errors import ParameterError
from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.labels import components
from isocenter.ops.segment._values import blobs, check_seeds, finite, judge_growth, seed_samples, within

__all__ = ["RegionGrow"]


class RegionGrow(Segmenter):
    """Label what is joined to seeds and has similar values.

    ``range`` takes values between two bounds; ``confidence`` takes those within `multiplier` standard deviations of the
    mean around the seeds, and repeats that with the region it found; ``neighbourhood`` takes values between two bounds
    whose neighbours within `radius` all lie between them too, which closes thin leaks. The bounds used are noted, and so is
    a label that touches the edge of the image or covers most of it. It fails where an object is joined to one of equal
    value.

    Parameters
    ----------
    seeds
        Points (L, P, S) in mm inside the object.
    seeds_samples
        The same as sample indices in array order.
    method
        ``range``, ``confidence`` or ``neighbourhood``.
    lower
        Smallest value that is taken, in the image's unit (not for ``confidence``); None sets no lower bound.
    upper
        Largest value that is taken, in the image's unit (not for ``confidence``); None sets no upper bound.
    multiplier
        Factor: how many standard deviations from the mean are taken (``confidence``).
    iterations
        Number of times that mean and deviation are taken anew (``confidence``).
    radius
        Number of samples in each direction around a seed that give the first mean (``confidence``), or that must be alike
        (``neighbourhood``).
    connectivity
        Neighbours that count as joined: 6, 18 or 26 samples (4, 8 and 8 in the plane).

    References
    ----------
    Adams, Bischof. Seeded region growing. IEEE Trans. PAMI 16 (1994) 641-647. Ibanez et al. The ITK software guide (2003),
    section 9.1 (confidence connected).
    """

    ns_per_sample: ClassVar[float] = 30.0
    bytes_per_sample: ClassVar[float] = 14.0

    seeds: tuple[tuple[float, float, float], ...] = ()
    seeds_samples: tuple[tuple[int, ...], ...] = ()
    method: Literal["range", "confidence", "neighbourhood"] = "confidence"
    lower: float | None = None
    upper: float | None = None
    multiplier: float = Field(2.5, gt=0)
    iterations: int = Field(4, ge=0, le=1000)
    radius: int = Field(1, ge=0, le=100)
    connectivity: Literal[6, 18, 26] = 6

    @classmethod
    def examples(cls) -> tuple[RegionGrow, ...]:
        """Return the variants that the contract suite runs."""
        seed = ((8.0, 10.0, 12.0),)
        return (
            cls(seeds=seed),
            cls(seeds=seed, method="range", lower=50.0, connectivity=26),
            cls(seeds_samples=((6, 8, 8),), method="neighbourhood", lower=50.0, upper=150.0),
        )

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a volume with a ball at the seed."""
        return ((blobs(),),)

    def check_image(self, spec: Spec) -> None:
        """Refuse seeds in mm where there is no pixel size."""
        super().check_image(spec)
        check_seeds(self.name, spec, self.seeds)

    def compute(self, array: Any, context: Context) -> Any:
        """Return what has grown."""
        data = finite(self.name, array)
        seeds = seed_samples(self.name, context, self.seeds, self.seeds_samples)
        if not len(seeds):
            raise ParameterError(
                f"{self.name} was given no seed: expected one or more points in 'seeds' (mm) or 'seeds_samples'."
            )
        if self.method == "confidence":
            found = self._confident(data, seeds, context)
        else:
            if self.lower is None and self.upper is None:
                raise ParameterError(
                    f"{self.name} with method '{self.method}' needs 'lower' or 'upper': expected at least one bound."
                )
            low, high = -np.inf if self.lower is None else self.lower, np.inf if self.upper is None else self.upper
            found = self._joined(self._alike(data, low, high), seeds, context)
        judge_growth(self.name, found, context)
        return found

    def _alike(self, data: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.bool_]:
        """Return which values may be taken."""
        fit: npt.NDArray[np.bool_] = (data >= np.float64(low)) & (data <= np.float64(high))
        if self.method == "neighbourhood":
            for axis in range(data.ndim):
                fit = _all_near(fit, axis, self.radius)
        return fit

    def _joined(self, fit: npt.NDArray[np.bool_], seeds: npt.NDArray[np.int64], context: Context) -> npt.NDArray[np.bool_]:
        """Return the parts that hold a seed."""
        labels, count = components(within(fit, context), self.connectivity)
        keep = np.zeros(count + 1, np.bool_)
        keep[labels[tuple(seeds.T)]] = True
        keep[0] = False
        grown: npt.NDArray[np.bool_] = keep[labels]
        return grown

    def _confident(self, data: npt.NDArray[Any], seeds: npt.NDArray[np.int64], context: Context) -> npt.NDArray[np.bool_]:
        """Return what lies within the confidence interval of its own values."""
        around = np.zeros(data.shape, np.bool_)
        for seed in seeds:
            around[tuple(slice(max(0, k - self.radius), k + self.radius + 1) for k in seed)] = True
        grown, values = around, data[around].astype(np.float64)
        low = high = 0.0
        for _ in range(self.iterations + 1):
            mean = float(values.mean())
            # At least what the seeds themselves need, or a seed on noise would grow nothing.
            spread = self.multiplier * float(values.std(ddof=1) if values.size > 1 else 0.0)
            own = data[tuple(seeds.T)].astype(np.float64)
            low, high = min(mean - spread, float(own.min())), max(mean + spread, float(own.max()))
            grown = self._joined(self._alike(data, low, high), seeds, context)
            if not grown.any():
                break
            values = data[grown].astype(np.float64)
        context.note(f"{self.name}: values from {low:.6g} to {high:.6g} were taken.")
        return grown


def _all_near(fit: npt.NDArray[np.bool_], axis: int, radius: int) -> npt.NDArray[np.bool_]:
    """Return where all samples within `radius` along an axis fit (what lies outside the image does)."""
    result = fit.copy()
    for step in range(1, min(radius, fit.shape[axis] - 1) + 1):
        ahead: list[slice] = [slice(None)] * fit.ndim
        back: list[slice] = [slice(None)] * fit.ndim
        ahead[axis], back[axis] = slice(step, None), slice(None, -step)
        result[tuple(back)] &= fit[tuple(ahead)]
        result[tuple(ahead)] &= fit[tuple(back)]
    return result
