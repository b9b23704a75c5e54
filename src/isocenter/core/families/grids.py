"""Families that give or relate grids: Resampler, Registrar, Reconstructor."""

from __future__ import annotations

from typing import ClassVar, overload

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.families.base import OnImages, dims_of
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Context, Operation, Spec, default_threads
from isocenter.core.provenance import Provenance
from isocenter.core.raw import Raw
from isocenter.core.transform import Transform

__all__ = ["Reconstructor", "Registrar", "Resampler"]


class Resampler(OnImages):
    """Image[, Transform][, grid] -> the same kind of image on the requested grid.

    `compute` samples ``array`` (on ``context.geometry``) at the points ``context.transform`` maps the centres
    of ``context.target`` to; for labels (``context.labels``) it must return values that occur in the array.
    """

    family: ClassVar[str] = "Resampler"

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        """Return the grid that an image on `geometry` is resampled to."""
        raise TypeError(f"{type(self).__name__} has no target: a resampler must define it.")

    @overload
    def __call__(
        self,
        image: Image,
        transform: Transform | None = ...,
        grid: Geometry | Image | None = ...,
        /,
        *,
        seed: int = ...,
        threads: int | None = ...,
    ) -> Image: ...
    @overload
    def __call__(
        self,
        image: MaskStack,
        transform: Transform | None = ...,
        grid: Geometry | Image | None = ...,
        /,
        *,
        seed: int = ...,
        threads: int | None = ...,
    ) -> MaskStack: ...
    def __call__(
        self,
        image: Image | MaskStack,
        transform: Transform | None = None,
        grid: Geometry | Image | None = None,
        /,
        *,
        seed: int = 0,
        threads: int | None = None,
    ) -> Image | MaskStack:
        """Return the image on the requested grid.

        Parameters
        ----------
        image
            An image, a label map (which stays one) or a stack of masks (each resampled as a label map).
        transform
            Maps points of the requested grid to points of the image; None leaves them where they are.
        grid
            The requested grid, or an image that lies on it.
        """
        if isinstance(image, MaskStack):
            return self._masks(image, transform, grid, seed, threads)
        core = self._core(image)
        wanted = grid.geometry if isinstance(grid, Image) else grid
        target = self.target(image.geometry, wanted)
        notes: list[str] = []
        labels = isinstance(image, LabelMap)
        context = self._context(image, core, seed, threads, notes, target=target, transform=transform, labels=labels)
        array = self._map(image, core, lambda b: np.asarray(self.compute(b, context)))
        if labels and array.dtype.kind not in "iub":
            raise ContentError(f"{self.name} returned labels of type {array.dtype}: label maps stay integral.")
        past = Provenance.merged([image.provenance] + ([transform.provenance] if transform is not None else []))
        inputs = [image.digest] + ([transform.digest] if transform is not None else [])
        if wanted is not None:
            from isocenter.core.provenance import digest_json

            inputs.append(digest_json(wanted.to_dict()))
        provenance = past.then(self.record(tuple(inputs), seed, notes))
        dims = dims_of(image.dims, target.ndim)
        return image.replace(array=array, dims=dims, geometry=target, provenance=provenance)

    def _masks(
        self, stack: MaskStack, transform: Transform | None, grid: Geometry | Image | None, seed: int, threads: int | None
    ) -> MaskStack:
        """Return every mask of a stack on the requested grid; masks may overlap, so each is resampled on its own."""
        if not len(stack):
            raise ContentError(f"{self.name} was given a stack without masks: expected at least one.")
        parts = [self(one, transform, grid, seed=seed, threads=threads) for one in stack]
        first = parts[0]
        notes = list(dict.fromkeys(n for part in parts for n in part.provenance.steps[-1].notes))
        record = self.record((stack.digest, *first.provenance.steps[-1].inputs[1:]), seed, notes)
        masks = np.stack([np.asarray(part.array) > 0 for part in parts])
        return MaskStack(masks, first.dims, first.geometry, stack.segments, stack.provenance.then(record))

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec on the requested grid (a later spec that has a geometry is the grid)."""
        spec = specs[0]
        self.check_image(spec)
        if spec.geometry is None:  # an earlier step's voxels decide on its grid
            return spec
        grid = next((s.geometry for s in specs[1:] if s.geometry is not None), None)
        target = self.target(spec.geometry, grid)
        samples = spec.samples // spec.geometry.size * target.size
        return spec.replace(geometry=target, samples=samples)


class Registrar(OnImages):
    """fixed, moving -> Transform that maps fixed points to moving points."""

    family: ClassVar[str] = "Registrar"

    def __call__(self, fixed: Image, moving: Image, /, *, seed: int = 0, threads: int | None = None) -> Transform:
        """Return the transform; `align` computes it."""
        self._core(fixed)
        self._core(moving)
        notes: list[str] = []
        context = self._context(fixed, fixed.dims, seed, threads, notes)
        transform = self.align(fixed, moving, context)
        object.__setattr__(transform, "provenance", self.traced((fixed, moving), seed, notes))
        return transform

    def align(self, fixed: Image, moving: Image, context: Context) -> Transform:
        """Return the transform from fixed to moving points."""
        raise TypeError(f"{type(self).__name__} has no align: a registrar must define it.")

    def resolve(self, *specs: Spec) -> Spec:
        """Return that a transform comes out."""
        for spec in specs:
            self.check_image(spec)
        return Spec("Transform")


class Reconstructor(Operation):
    """Raw -> Image."""

    family: ClassVar[str] = "Reconstructor"

    def __call__(self, raw: Raw, /, *, seed: int = 0, threads: int | None = None) -> Image:
        """Return the image; `compute(array, context)` returns an `Image` (``context.reference`` is None)."""
        notes: list[str] = []
        geometry = raw.geometry or Geometry.pixels((1,))
        context = Context(
            geometry=geometry, dims=raw.axes, seed=seed, threads=threads or default_threads(), name=self.name, notes=notes
        )
        image: Image = self.reconstruct(raw, context)
        return image.replace(provenance=self.traced((raw,), seed, notes))

    def reconstruct(self, raw: Raw, context: Context) -> Image:
        """Return the image of raw data."""
        raise TypeError(f"{type(self).__name__} has no reconstruct: a reconstructor must define it.")

    def resolve(self, *specs: Spec) -> Spec:
        """Return that an image comes out (its grid is known once the raw data are read)."""
        return Spec("Image", geometry=specs[0].geometry)
