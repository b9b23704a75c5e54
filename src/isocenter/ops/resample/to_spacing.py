"""Sample an image at another spacing."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import field_validator

from isocenter.core.errors import ParameterError
from isocenter.core.families import Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.ops.resample._sampling import Interpolation, LabelRule, interpolated_dtype, resample

__all__ = ["ToSpacing"]


class ToSpacing(Resampler):
    """Sample an image at another spacing, over the same volume and centre.

    Parameters
    ----------
    spacing
        mm per sample: one number for all spatial axes, or one per axis in array order (0 keeps an axis as it is).
    interpolation
        ``linear``, ``nearest`` (keeps the sample type) or ``cubic`` (B-spline, may overshoot at edges).
    labels
        ``nearest`` takes the nearest sample's label, ``linear`` the one with the largest linear weight (smoother outlines).

    References
    ----------
    Zwanenburg et al. The Image Biomarker Standardisation Initiative. Radiology 295 (2020): the grids' centres coincide.
    """

    needs_mm: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 10.0

    spacing: float | tuple[float, ...] = 1.0
    interpolation: Interpolation = "linear"
    labels: LabelRule = "nearest"

    @field_validator("spacing")
    @classmethod
    def _positive(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        each = value if isinstance(value, tuple) else (value,)
        if not each or any(v < 0 for v in each) or not any(each):
            raise ValueError("expected mm per sample, more than 0")
        return value

    @classmethod
    def examples(cls) -> tuple[ToSpacing, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(spacing=2.0, interpolation="cubic"), cls(spacing=0.8, interpolation="nearest", labels="linear"))

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:  # type: ignore[override]  # its one port
        """Return the image at the new spacing."""
        return super().__call__(image, seed=seed, threads=threads)

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        """Return the grid at the new spacing over the volume of the old one."""
        wanted = self.spacing if isinstance(self.spacing, tuple) else (self.spacing,) * geometry.ndim
        if len(wanted) != geometry.ndim:
            raise ParameterError(
                f"Parameter 'spacing' of {self.name} has {len(wanted)} values for {geometry.ndim} spatial axes: "
                "expected one per axis in array order, or one number for all."
            )
        return geometry.with_spacing([new or old for new, old in zip(wanted, geometry.spacing, strict=True)])

    def compute(self, array: Any, context: Context) -> Any:
        """Return the samples at the centres of the new grid."""
        # The new volume may reach half a sample farther than the old one: the edge samples go on there.
        return resample(array, context, self.interpolation, self.labels, "edge")

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec at the new spacing."""
        return super().resolve(*specs).replace(dtype=interpolated_dtype(specs[0], self.interpolation))
