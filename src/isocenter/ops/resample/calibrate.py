"""Give an image its pixel size."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import field_validator

from isocenter.core.errors import ParameterError
from isocenter.core.families import Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context

__all__ = ["Calibrate"]


class Calibrate(Resampler):
    """Give an image its pixel size, known from elsewhere.

    The samples stay; the first one stays where it is. An image that carries a pixel size gets the new one, and a note.

    Parameters
    ----------
    spacing
        mm per sample: one number for all spatial axes, or one per axis in array order.

    References
    ----------
    DICOM PS3.3 C.7.6.3.1.4 and 10.7.1.3 (pixel spacing and its calibration).
    """

    keeps_positions: ClassVar[bool] = False
    ns_per_sample: ClassVar[float] = 0.1

    spacing: float | tuple[float, ...]

    @field_validator("spacing")
    @classmethod
    def _positive(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        if not all(v > 0 for v in (value if isinstance(value, tuple) else (value,))) or value == ():
            raise ValueError("expected mm per sample, more than 0")
        return value

    @classmethod
    def examples(cls) -> tuple[Calibrate, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(spacing=0.25),)

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:  # type: ignore[override]  # its one port
        """Return the image on a grid in mm."""
        return super().__call__(image, seed=seed, threads=threads)

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        """Return the grid in mm."""
        steps = self.spacing if isinstance(self.spacing, tuple) else (self.spacing,) * geometry.ndim
        if len(steps) != geometry.ndim:
            raise ParameterError(
                f"Parameter 'spacing' of {self.name} has {len(steps)} values for {geometry.ndim} spatial axes: "
                "expected one per axis in array order, or one number for all."
            )
        affine = np.array(geometry.affine)
        affine[:3, : geometry.ndim] = geometry.direction * np.asarray(steps)
        return Geometry(geometry.shape, affine, geometry.frame, "mm")

    def compute(self, array: Any, context: Context) -> Any:
        """Return the samples as they are."""
        if context.geometry.unit == "mm" and context.target is not None and not context.geometry.matches(context.target):
            old = " x ".join(f"{s:.4g}" for s in context.geometry.spacing)
            new = " x ".join(f"{s:.4g}" for s in context.target.spacing)
            context.note(f"The pixel size of {old} mm that the image carried was replaced by {new} mm.")
        return np.array(array)
