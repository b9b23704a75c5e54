"""What the families that take images share: checks, the loop over time and channels, notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError
from isocenter.core.image import DIMS, SPATIAL, Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Context, Operation, Spec, default_threads

__all__ = ["Array", "OnImages", "blocks", "dims_of", "refuse_labels", "spatial_mask"]

Array = npt.NDArray[Any]


def blocks(image: Image, core: tuple[str, ...]) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Yield (index over the looped axes, block with the core axes) of an image."""
    data = np.asarray(image.array)
    looped = [k for k, d in enumerate(image.dims) if d not in core]
    for index in np.ndindex(*[data.shape[k] for k in looped]):
        where: list[Any] = [slice(None)] * data.ndim
        for axis, value in zip(looped, index, strict=True):
            where[axis] = value
        yield index, data[tuple(where)]


def spatial_mask(region: LabelMap | None, image: Image) -> npt.NDArray[np.bool_] | None:
    """Return a region as a bool array on the image's spatial grid."""
    if region is None:
        return None
    image.geometry.require_match(region.geometry, ("the image", "the region"))
    if "t" in region.dims or "c" in region.dims:
        raise ContentError(f"A region with axes {' '.join(region.dims)}: expected spatial axes only; take one time point.")
    return region.mask()


class OnImages(Operation):
    """Shared by the families that take an image first: checks, loops, notes."""

    def _context(
        self, image: Image, core: tuple[str, ...], seed: int, threads: int | None, notes: list[str], **more: Any
    ) -> Context:
        return Context(
            geometry=image.geometry,
            dims=core,
            seed=seed,
            threads=threads or default_threads(),
            modality=image.modality,
            quantity=image.quantity,
            times=image.times,
            name=self.name,
            notes=notes,
            **more,
        )

    def _core(self, image: Image) -> tuple[str, ...]:
        self.check_image(Spec.of(image))
        core = self.core_dims(image.dims)
        assert core is not None  # check_image raised otherwise
        return core

    def _map(self, image: Image, core: tuple[str, ...], function: Callable[[Array], Array]) -> Array:
        """Apply `function` to every block and put the results back along the looped axes, in the image's order."""
        looped = [d for d in image.dims if d not in core]
        if not looped:
            return np.asarray(function(np.asarray(image.array)))
        result: Array | None = None
        dims: tuple[str, ...] = ()
        for index, block in blocks(image, core):
            part = np.asarray(function(block))
            if result is None:
                sizes = {d: n for d, n in zip(image.dims, image.shape, strict=True) if d in looped}
                inner = tuple(d for d in image.dims if d in core)
                if part.ndim != len(inner):  # a resampler may be asked for fewer axes than the image has
                    inner = dims_of(inner, part.ndim - sum(d not in SPATIAL for d in inner))
                sizes.update(zip(inner, part.shape, strict=True))
                dims = tuple(d for d in DIMS if d in sizes)
                result = np.empty([sizes[d] for d in dims], part.dtype)
            where: list[Any] = [slice(None)] * result.ndim
            for name, value in zip(looped, index, strict=True):
                where[dims.index(name)] = value
            result[tuple(where)] = part
        if result is None:
            raise ContentError(f"{self.name} was given an image without samples: expected at least one.")
        return result


def refuse_labels(who: str, image: Image | Spec) -> None:
    """Raise `ContentError` for a label map where intensities are meant."""
    kind = image.kind if isinstance(image, Spec) else type(image).__name__
    if kind == "LabelMap":
        raise ContentError(f"{who} filters intensities, but was given a label map: expected an image; use an editor for labels.")


def dims_of(dims: tuple[str, ...], spatial: int) -> tuple[str, ...]:
    """Return dims with the number of spatial axes that the new grid has."""
    others = tuple(d for d in dims if d not in SPATIAL)
    current = tuple(d for d in dims if d in SPATIAL)
    return others + (current if len(current) == spatial else SPATIAL[3 - spatial :])
