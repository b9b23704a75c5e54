"""Cut a box out of an image."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.families import Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context, Spec
from isocenter.core.provenance import Provenance
from isocenter.kernels.labels import bounding_box
from isocenter.ops.resample._sampling import per_axis

__all__ = ["Crop"]


class Crop(Resampler):
    """Cut a box out of an image: the one given in samples, or the one around a region.

    Samples keep their positions and type. The region may lie on another grid in the same world.

    Parameters
    ----------
    start
        First sample to keep: one number for all spatial axes, or one per axis in array order.
    shape
        Number of samples to keep along each axis, likewise; None goes to the end.
    margin
        Distance in mm that is kept around the region on every side, as far as the image goes.

    References
    ----------
    DICOM PS3.3 C.7.6.2.1.1 (positions of samples).
    """

    ns_per_sample: ClassVar[float] = 1.0

    start: int | tuple[int, ...] = 0
    shape: int | tuple[int, ...] | None = None
    margin: float = Field(0.0, ge=0)

    @field_validator("start", "shape")
    @classmethod
    def _not_negative(cls, value: int | tuple[int, ...] | None) -> int | tuple[int, ...] | None:
        if value is not None and any(v < 0 for v in (value if isinstance(value, tuple) else (value,))):
            raise ValueError("expected 0 samples or more; add samples with resample.pad")
        return value

    @classmethod
    def examples(cls) -> tuple[Crop, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(start=1), cls(margin=2.0))

    def __call__(  # type: ignore[override]  # its ports are an image and a region
        self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None
    ) -> Image:
        """Return the box.

        Parameters
        ----------
        image
            An image or a label map (which stays one).
        region
            What to keep: all samples with a label, and `margin` around them.
        """
        if region is None:
            return super().__call__(image, seed=seed, threads=threads)
        self.check_image(Spec.of(image))
        if self.start != 0 or self.shape is not None:
            raise ParameterError(f"{self.name} was given a box and a region: expected one of them; leave start and shape out.")
        if not isinstance(region, LabelMap):
            raise ContentError(f"{self.name} was given {type(region).__name__} as region: expected a label map.")
        start, shape = self._box_around(image.geometry, region)
        where: list[Any] = [slice(None)] * len(image.dims)
        for axis, first, count in zip(image.spatial_axes, start, shape, strict=True):
            where[axis] = slice(first, first + count)
        past = Provenance.merged([image.provenance, region.provenance])
        record = self.record((image.digest, region.digest), seed)
        array = np.ascontiguousarray(np.asarray(image.array)[tuple(where)])
        return image.replace(array=array, geometry=image.geometry.crop(start, shape), provenance=past.then(record))

    def _box_around(self, geometry: Geometry, region: LabelMap) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return first sample and shape of the box around a region, in the image's grid."""
        if geometry.frame and region.geometry.frame and geometry.frame != region.geometry.frame:
            raise ContentError(
                f"{self.name} was given an image and a region of different frames of reference: expected one world."
            )
        looped = tuple(k for k, d in enumerate(region.dims) if d in ("t", "c"))
        box = bounding_box(np.asarray(region.mask().any(axis=looped)) if looped else region.mask())
        if box is None:
            raise ContentError(f"{self.name} was given a region without a labelled sample: expected something to cut out.")
        # Edge to edge, so that on another grid every sample that the region touches is kept.
        ends = [(s.start - 0.5, s.stop - 0.5) for s in box]
        corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, region.geometry.ndim)
        index = geometry.to_index(region.geometry.to_world(corners))
        reach = self.margin / np.asarray(geometry.spacing)
        first = np.maximum(np.floor(index.min(axis=0) - reach + 0.5 + 1e-6), 0).astype(int)
        last = np.minimum(np.ceil(index.max(axis=0) + reach + 0.5 - 1e-6), geometry.shape).astype(int)
        if (last <= first).any():
            raise ContentError(f"The region lies outside the image ({geometry}): expected one that overlaps it.")
        return tuple(int(v) for v in first), tuple(int(v) for v in last - first)

    def _bounds(self, geometry: Geometry) -> tuple[tuple[int, ...], tuple[int, ...]]:
        start = per_axis(self.start, geometry.ndim, "start", self.name)
        rest = tuple(n - a for n, a in zip(geometry.shape, start, strict=True))
        shape = rest if self.shape is None else per_axis(self.shape, geometry.ndim, "shape", self.name)
        if any(not 1 <= count <= left for count, left in zip(shape, rest, strict=True)):
            raise ParameterError(
                f"{self.name} would keep {shape} samples from {start} of an image of {geometry.shape}: "
                "expected a box of one sample or more inside the image; use resample.pad to make it larger."
            )
        return start, shape

    def check_image(self, spec: Spec) -> None:
        """Raise the error that says why an image is refused."""
        super().check_image(spec)
        if self.margin and spec.geometry is not None:
            spec.geometry.require_mm(self.name)

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        """Return the grid of the box."""
        return geometry.crop(*self._bounds(geometry))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the box of one block."""
        start, shape = self._bounds(context.geometry)
        return np.ascontiguousarray(array[tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))])

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the box; around a region only its voxels decide the grid."""
        if len(specs) > 1:
            self.check_image(specs[0])
            return specs[0].replace(geometry=None)
        return super().resolve(*specs)
