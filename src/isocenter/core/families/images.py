"""Families that make images on the grid of their input: Filter, ReferenceFilter, Fuser."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from isocenter.core.dtype import working_dtype
from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.families.base import Array, OnImages, refuse_labels
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Spec

__all__ = ["Filter", "Fuser", "ReferenceFilter"]


class Filter(OnImages):
    """Image -> Image on the same grid.

    ``keeps_dtype`` is set by rank filters; all others are handed and return the working dtype.
    ``gives_quantity`` declares a new quantity; None keeps the image's.
    """

    family: ClassVar[str] = "Filter"
    keeps_dtype: ClassVar[bool] = False
    gives_quantity: ClassVar[str | None] = None
    #: Whether `compute` takes integers of one or two bytes as they are (and gives floats): a table does for them.
    takes_integers: ClassVar[bool] = False

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        """Return the filtered image: same grid and dims."""
        refuse_labels(self.name, image)
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, seed, threads, notes)
        dtype = image.dtype if self.keeps_dtype else working_dtype(image.dtype)

        def one(block: Array) -> Array:
            own = self.takes_integers and block.dtype.kind in "iu" and block.dtype.itemsize <= 2
            result = np.asarray(self.compute(block if own else block.astype(dtype, copy=False), context))
            if result.shape != block.shape:
                raise ContentError(
                    f"{self.name} returned samples of shape {result.shape} for {block.shape}: a filter keeps the grid."
                )
            return result.astype(dtype, copy=False)

        array = self._map(image, core, one)
        provenance = self.traced((image,), seed, notes)
        return image.replace(array=array, quantity=self.gives_quantity or image.quantity, provenance=provenance)

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the filtered image."""
        (spec,) = specs
        if spec.kind == "LabelMap":
            raise ContentError(f"{self.name} filters intensities, but would be given a label map: expected an image.")
        self.check_image(spec)
        dtype = spec.dtype if self.keeps_dtype or spec.dtype is None else working_dtype(spec.dtype).str
        return spec.replace(dtype=dtype, quantity=self.gives_quantity or spec.quantity)


class ReferenceFilter(OnImages):
    """Image, reference Image -> Image on the first one's grid; identity when both are the same image."""

    family: ClassVar[str] = "ReferenceFilter"
    same_grid: ClassVar[bool] = False

    def __call__(self, image: Image, reference: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        """Return the image changed after the reference (handed to `compute` as ``context.reference``)."""
        refuse_labels(self.name, image)
        core = self._core(image)
        if self.same_grid:
            image.geometry.require_match(reference.geometry, ("the image", "the reference"))
        notes: list[str] = []
        dtype = working_dtype(image.dtype)
        other = np.asarray(reference.array).astype(dtype, copy=False)
        context = self._context(image, core, seed, threads, notes, reference=other)
        array = self._map(
            image, core, lambda b: np.asarray(self.compute(b.astype(dtype, copy=False), context)).astype(dtype, copy=False)
        )
        return image.replace(array=array, provenance=self.traced((image, reference), seed, notes))

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the result."""
        refuse_labels(self.name, specs[0])
        self.check_image(specs[0])
        return specs[0].replace(dtype=None if specs[0].dtype is None else working_dtype(specs[0].dtype).str)


class Fuser(OnImages):
    """Images on one grid -> Image."""

    family: ClassVar[str] = "Fuser"

    def __call__(self, *images: Image, seed: int = 0, threads: int | None = None) -> Image:
        """Return the fused image; `compute` is handed the images stacked along a new first axis."""
        if len(images) < 2:
            raise ParameterError(f"{self.name} was given {len(images)} images: expected two or more.")
        first = images[0]
        core = self._core(first)
        for k, other in enumerate(images[1:], start=2):
            self._core(other)
            first.geometry.require_match(other.geometry, ("image 1", f"image {k}"))
        notes: list[str] = []
        context = self._context(first, core, seed, threads, notes)
        stack = np.stack([self._samples(i) for i in images])
        array = np.asarray(self.compute(stack, context))
        return self.assemble(images, array).replace(provenance=self.traced(images, seed, notes))

    @staticmethod
    def _samples(image: Image) -> Array:
        """Return samples as they are fused: labels as they are, all else in the working type."""
        array = np.asarray(image.array)
        return array if isinstance(image, LabelMap) else array.astype(working_dtype(image.dtype), copy=False)

    def assemble(self, images: tuple[Image, ...], array: Array) -> Image:
        """Return the fused samples as an image (its lineage is added afterwards)."""
        return images[0].replace(array=array, quantity=None)

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the fused image."""
        for spec in specs:
            self.check_image(spec)
        for other in specs[1:]:
            if specs[0].geometry is not None and other.geometry is not None:
                specs[0].geometry.require_match(other.geometry, ("the first image", "another image"))
        kinds = [working_dtype(s.dtype) for s in specs if s.dtype is not None]
        return specs[0].replace(quantity=None, dtype=max(kinds, key=lambda k: k.itemsize).str if kinds else None)
