"""A texture feature of the window around every sample."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from isocenter.core.errors import ContentError
from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context, Spec
from isocenter.kernels.texture.maps import MAPPED, NEEDS_COUNT, texture_maps
from isocenter.kernels.texture.window_maps import WINDOWED, window_map

__all__ = ["TextureMap"]

#: More levels than this make tables longer than windows are worth.
_MOST_LEVELS = 1_000_000


class TextureMap(Filter):
    """Map a texture feature: its value in the window around every sample, of a region or everywhere.

    Samples outside the region, and those that are not finite, take part in no window; the map is 0 there and where a
    window holds no pair. With `start` given the map depends on the window alone and runs in tiles of bounded memory.

    Parameters
    ----------
    feature
        IBSI name of a co-occurrence feature (``contrast``, ``joint_entr``, ``corr`` ...), or of runs (``rlm_sre`` ...),
        zones (``szm_sze`` ...), dependences (``ngl_lde`` ...) or grey-tone differences (``ngt_coarseness`` ...).
    radius
        Samples from the middle of the window to its sides.
    distance
        Samples between the two of a pair (co-occurrence alone).
    aggregation
        ``average`` of the feature over the directions (13 in space, 4 in a plane), or ``merged`` matrices; of co-occurrence
        and runs, the others have no directions.
    bin_width
        Width of a bin of intensities, in the unit of the image; null where `bins` is given.
    bins
        Number of bins between the lowest and the highest intensity; null where `bin_width` is given.
    start
        Lower edge of the first bin of `bin_width`, in the unit of the image; null takes the lowest intensity.

    References
    ----------
    Haralick, Shanmugam, Dinstein. Textural features for image classification. IEEE Trans. SMC 3 (1973) 610-621.
    IBSI reference manual, arXiv:1612.07003, sections 3.6 to 3.11.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    gives_quantity: ClassVar[str | None] = "texture feature"
    ns_per_sample: ClassVar[float] = 4000.0
    bytes_per_sample: ClassVar[float] = 12.0

    feature: str = "contrast"
    radius: int = Field(1, ge=1, le=15)
    distance: int = Field(1, ge=1, le=30)
    aggregation: Literal["average", "merged"] = "average"
    bin_width: float | None = Field(25.0, gt=0)
    bins: int | None = Field(None, ge=2, le=65_535)
    start: float | None = None

    @field_validator("feature")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in MAPPED and value not in WINDOWED:
            raise ValueError(f"expected one of {', '.join((*MAPPED, *WINDOWED))}")
        return value

    @model_validator(mode="after")
    def _one_binning(self) -> TextureMap:
        if (self.bin_width is None) == (self.bins is None):
            raise ValueError("expected either 'bin_width' or 'bins'; set the other one to null")
        if self.start is not None and self.bins is not None:
            raise ValueError("'start' goes with 'bin_width': bins are counted from the lowest intensity")
        if self.distance > 2 * self.radius:
            raise ValueError("no window holds a pair that far apart: expected a distance of at most twice the radius")
        return self

    @classmethod
    def examples(cls) -> tuple[TextureMap, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(start=0.0),
            cls(feature="joint_entr", radius=2, bin_width=100.0, start=-50.0, aggregation="merged"),
            cls(feature="inv_diff_norm", bin_width=None, bins=16),
            cls(feature="rlm_sre", bin_width=100.0, start=0.0),
            cls(feature="szm_zs_entr", bin_width=100.0, start=0.0),
            cls(feature="ngt_coarseness", bin_width=100.0, start=0.0),
        )

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return the radius, or None where the levels depend on the whole image."""
        if self.start is None or self.feature in NEEDS_COUNT:
            return None
        return (self.radius,) * geometry.ndim

    def __call__(self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None) -> Image:
        """Return the map; with a region, of its samples alone."""
        if region is None:
            return super().__call__(image, seed=seed, threads=threads)
        self.check_image(Spec.of(image))
        image.geometry.require_match(region.geometry, ("the image", "the region"))
        mask = region.mask()
        if mask.ndim != image.geometry.ndim:
            raise ContentError(f"{self.name} was given a region with axes {' '.join(region.dims)}: expected spatial axes only.")
        data = np.asarray(image.array)
        kind = data.dtype if data.dtype.kind == "f" else np.dtype(np.float32 if data.dtype.itemsize < 4 else np.float64)
        inside = image.replace(array=np.where(mask, data.astype(kind, copy=False), kind.type(np.nan)))
        done = super().__call__(inside, seed=seed, threads=threads)
        lost = int((mask & ~np.isfinite(data)).sum())
        notes = [f"{lost} samples of the region are not finite and took part in no window."] if lost else []
        result = np.asarray(done.array).astype(np.float64 if data.dtype == np.float64 else np.float32, copy=False)
        return done.replace(array=result, provenance=self.traced((image, region), seed, notes))

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the map; raises where the region lies on another grid."""
        if len(specs) > 1 and specs[0].geometry is not None and specs[1].geometry is not None:
            specs[0].geometry.require_match(specs[1].geometry, ("the image", "the region"))
        return super().resolve(specs[0])

    def compute(self, array: Any, context: Context) -> Any:
        """Return the map of one block; samples that are not finite are outside."""
        inside = np.isfinite(array)
        if not inside.any():
            return np.zeros(array.shape, array.dtype)
        if not inside.all():
            context.note(f"{int((~inside).sum())} samples are not finite and took part in no window.")
        levels = self._levels(array, inside)
        merged = self.aggregation == "merged"
        if self.feature in WINDOWED:
            return window_map(levels, self.feature, radius=self.radius, merged=merged, threads=context.threads)
        found = texture_maps(
            levels,
            int(levels.max()),
            [self.feature],
            radius=self.radius,
            distance=self.distance,
            merged=merged,
            threads=context.threads,
        )
        return found[0].reshape(array.shape)

    def _levels(self, array: Any, inside: Any) -> Any:
        """Return levels 1 to n of the samples inside, 0 elsewhere."""
        values = array[inside]
        levels = np.zeros(array.shape, np.int32)
        low, high = float(values.min()), float(values.max())
        if self.bins is not None:
            share = (values.astype(np.float64) - low) / (high - low) if high > low else np.zeros(values.shape)
            levels[inside] = np.minimum(np.floor(self.bins * share) + 1.0, self.bins)
            return levels
        assert self.bin_width is not None  # one of the two is given
        start = low if self.start is None else self.start
        if (high - start) / self.bin_width > _MOST_LEVELS:
            raise ContentError(
                f"{self.name}: intensities from {start:g} to {high:g} in bins of {self.bin_width:g} are more than "
                f"{_MOST_LEVELS} levels: expected wider bins, or intensities clipped to the range of interest first."
            )
        levels[inside] = np.maximum(np.floor((values.astype(np.float64) - start) / self.bin_width) + 1.0, 1.0)
        return levels
