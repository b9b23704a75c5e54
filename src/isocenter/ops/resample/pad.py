"""Add samples around an image."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import field_validator

from isocenter.core.families import Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.ops.resample._sampling import Fill, fitting_fill, per_axis

__all__ = ["Pad"]


class Pad(Resampler):
    """Add samples around an image; those that it had keep their positions and type.

    Parameters
    ----------
    before
        Samples added before the first one: one number for all spatial axes, or one per axis in array order.
    after
        Samples added after the last one, likewise.
    fill
        Value of the new samples, in the image's unit; ``edge`` repeats the edge samples; None takes air (-1000) for HU
        and 0 for all else. Labels are 0 there unless it is ``edge``.

    References
    ----------
    Gonzalez, Woods. Digital Image Processing, 4th ed. (2018), section 3.4 (padding).
    """

    ns_per_sample: ClassVar[float] = 2.0

    before: int | tuple[int, ...] = 1
    after: int | tuple[int, ...] = 1
    fill: Fill = "edge"

    @field_validator("before", "after")
    @classmethod
    def _not_negative(cls, value: int | tuple[int, ...]) -> int | tuple[int, ...]:
        if any(v < 0 for v in (value if isinstance(value, tuple) else (value,))):
            raise ValueError("expected 0 samples or more; take samples away with resample.crop")
        return value

    @classmethod
    def examples(cls) -> tuple[Pad, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(before=0, after=3, fill=None), cls(before=2, after=0, fill=7.0))

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:  # type: ignore[override]  # its one port
        """Return the padded image."""
        return super().__call__(image, seed=seed, threads=threads)

    def _widths(self, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return per_axis(self.before, count, "before", self.name), per_axis(self.after, count, "after", self.name)

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        """Return the wider grid."""
        return geometry.pad(*self._widths(geometry.ndim))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the block with samples added."""
        data = np.asarray(array)
        width = list(zip(*self._widths(data.ndim), strict=True))
        mode: Literal["edge", "constant"] = "edge" if self.fill == "edge" else "constant"
        if mode == "edge":
            return np.pad(data, width, mode=mode)
        value = 0.0 if context.labels else fitting_fill(self.fill, context.quantity, data.dtype, self.name)
        return np.pad(data, width, mode=mode, constant_values=data.dtype.type(value))
