"""The families of operations: what goes in, what comes out, and what is guaranteed.

=================  ======================================  =====================================================
family             in -> out                               guaranteed
=================  ======================================  =====================================================
Filter             Image -> Image                          same grid and dims; quantity kept or declared
ReferenceFilter    Image, reference Image -> Image         the same, and identity when both are one
Resampler          Image[, Transform][, grid] -> Image     the requested grid; label maps stay integral
Reconstructor      Raw -> Image                            forward then inverse on a phantom within tolerance
Registrar          fixed, moving -> Transform              identity on equal images
Fuser              Images -> Image                         grids must match, else an error that names both
Segmenter          Image[, region] -> LabelMap             labels in the declared table; grid kept
Editor             LabelMap -> LabelMap                    replays bit-equal
Surfacer           LabelMap -> Mesh                        closed where the mask is
Extractor          Image, region -> Features               unit per column; empty region defined
Measure            Image[, region] -> Scores               scale behaviour declared
Metric             prediction, truth -> Scores             bounds, empty-set convention, a miss never beats a hit
Predictor          Image or Features -> Prediction         probabilities sum to 1
Detector           Image[, region] -> Points or Boxes      positions in mm inside the image
SignalFilter       Signal -> Signal                        channels and rate kept
Fittable           fit(cohort) -> Operation                fitting never mutates
=================  ======================================  =====================================================

The contract suites in `isocenter.testing.contracts` check every member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.core.dtype import working_dtype
from isocenter.core.errors import ContentError, GeometryError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.operation import Context, Operation, Spec, default_threads
from isocenter.core.points import Boxes, Mesh, Points
from isocenter.core.provenance import Provenance
from isocenter.core.raw import Raw
from isocenter.core.results import Column, Features, Prediction, Score, Scores
from isocenter.core.signal import Signal
from isocenter.core.transform import Transform

__all__ = [
    "Detector",
    "Editor",
    "Extractor",
    "Filter",
    "Fittable",
    "Fuser",
    "Measure",
    "Metric",
    "Predictor",
    "Reconstructor",
    "ReferenceFilter",
    "Registrar",
    "Resampler",
    "Segmenter",
    "SignalFilter",
    "Surfacer",
]

Array = npt.NDArray[Any]


def _blocks(image: Image, core: tuple[str, ...]) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Yield (index over the looped axes, block with the core axes) of an image."""
    data = np.asarray(image.array)
    looped = [k for k, d in enumerate(image.dims) if d not in core]
    for index in np.ndindex(*[data.shape[k] for k in looped]):
        where: list[Any] = [slice(None)] * data.ndim
        for axis, value in zip(looped, index, strict=True):
            where[axis] = value
        yield index, data[tuple(where)]


def _spatial_mask(region: LabelMap | None, image: Image) -> npt.NDArray[np.bool_] | None:
    """Return a region as a bool array on the image's spatial grid."""
    if region is None:
        return None
    image.geometry.require_match(region.geometry, ("the image", "the region"))
    if "t" in region.dims or "c" in region.dims:
        raise ContentError(f"A region with axes {' '.join(region.dims)}: expected spatial axes only; take one time point.")
    return region.mask()


class _OnImages(Operation):
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
        for index, block in _blocks(image, core):
            part = np.asarray(function(block))
            if result is None:
                sizes = {d: n for d, n in zip(image.dims, image.shape, strict=True) if d in looped}
                inner = tuple(d for d in image.dims if d in core)
                if part.ndim != len(inner):  # a resampler may be asked for fewer axes than the image has
                    inner = _dims_of(inner, part.ndim - sum(d not in SPATIAL for d in inner))
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


def _refuse_labels(who: str, image: Image | Spec) -> None:
    kind = image.kind if isinstance(image, Spec) else type(image).__name__
    if kind == "LabelMap":
        raise ContentError(f"{who} filters intensities, but was given a label map: expected an image; use an editor for labels.")


class Filter(_OnImages):
    """Image -> Image on the same grid.

    ``keeps_dtype`` is set by rank filters; all others are handed and return the working dtype.
    ``gives_quantity`` declares a new quantity; None keeps the image's.
    """

    family: ClassVar[str] = "Filter"
    keeps_dtype: ClassVar[bool] = False
    gives_quantity: ClassVar[str | None] = None

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        """Return the filtered image: same grid and dims."""
        _refuse_labels(self.name, image)
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, seed, threads, notes)
        dtype = image.dtype if self.keeps_dtype else working_dtype(image.dtype)

        def one(block: Array) -> Array:
            result = np.asarray(self.compute(block.astype(dtype, copy=False), context))
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


class ReferenceFilter(_OnImages):
    """Image, reference Image -> Image on the first one's grid; identity when both are the same image."""

    family: ClassVar[str] = "ReferenceFilter"
    same_grid: ClassVar[bool] = False

    def __call__(self, image: Image, reference: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:
        """Return the image changed after the reference (handed to `compute` as ``context.reference``)."""
        _refuse_labels(self.name, image)
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
        _refuse_labels(self.name, specs[0])
        self.check_image(specs[0])
        return specs[0].replace(dtype=None if specs[0].dtype is None else working_dtype(specs[0].dtype).str)


class Resampler(_OnImages):
    """Image[, Transform][, grid] -> the same kind of image on the requested grid.

    `compute` samples ``array`` (on ``context.geometry``) at the points ``context.transform`` maps the centres
    of ``context.target`` to; for labels (``context.labels``) it must return values that occur in the array.
    """

    family: ClassVar[str] = "Resampler"

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        """Return the grid that an image on `geometry` is resampled to."""
        raise TypeError(f"{type(self).__name__} has no target: a resampler must define it.")

    def __call__(
        self,
        image: Image,
        transform: Transform | None = None,
        grid: Geometry | Image | None = None,
        /,
        *,
        seed: int = 0,
        threads: int | None = None,
    ) -> Image:
        """Return the image on the requested grid.

        Parameters
        ----------
        image
            An image or a label map (which stays one).
        transform
            Maps points of the requested grid to points of the image; None leaves them where they are.
        grid
            The requested grid, or an image that lies on it.
        """
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
        dims = _dims_of(image.dims, target.ndim)
        return image.replace(array=array, dims=dims, geometry=target, provenance=provenance)

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec on the requested grid (a later spec that has a geometry is the grid)."""
        spec = specs[0]
        self.check_image(spec)
        assert spec.geometry is not None
        grid = next((s.geometry for s in specs[1:] if s.geometry is not None), None)
        target = self.target(spec.geometry, grid)
        samples = spec.samples // spec.geometry.size * target.size
        return spec.replace(geometry=target, samples=samples)


def _dims_of(dims: tuple[str, ...], spatial: int) -> tuple[str, ...]:
    """Return dims with the number of spatial axes that the new grid has."""
    others = tuple(d for d in dims if d not in SPATIAL)
    current = tuple(d for d in dims if d in SPATIAL)
    return others + (current if len(current) == spatial else SPATIAL[3 - spatial :])


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


class Registrar(_OnImages):
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


class Fuser(_OnImages):
    """Images on one grid -> Image."""

    family: ClassVar[str] = "Fuser"

    def __call__(self, *images: Image, seed: int = 0, threads: int | None = None) -> Image:
        """Return the fused image; `compute` is handed the images stacked along a new first axis."""
        if len(images) < 2:
            raise ParameterError(f"{self.name} was given {len(images)} images: expected two or more.")
        for k, other in enumerate(images[1:], start=2):
            images[0].geometry.require_match(other.geometry, ("image 1", f"image {k}"))
        first = images[0]
        core = self._core(first)
        notes: list[str] = []
        context = self._context(first, core, seed, threads, notes)
        stack = np.stack([np.asarray(i.array).astype(working_dtype(i.dtype), copy=False) for i in images])
        array = np.asarray(self.compute(stack, context))
        return first.replace(array=array, quantity=None, provenance=self.traced(images, seed, notes))

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the fused image."""
        self.check_image(specs[0])
        for other in specs[1:]:
            if specs[0].geometry is not None and other.geometry is not None:
                specs[0].geometry.require_match(other.geometry, ("the first image", "another image"))
        return specs[0].replace(quantity=None)


class Segmenter(_OnImages):
    """Image[, region] -> LabelMap on the same grid.

    ``segments`` names the labels 1, 2 ... that `compute` returns. An instance segmenter sets ``instances`` to the
    name of one object and returns as many labels as it finds. `compute` sees the optional region as
    ``context.region``. Labels are stored as uint8, those of instances as uint32, so that a plan knows their size.
    """

    family: ClassVar[str] = "Segmenter"
    segments: ClassVar[tuple[str, ...]] = ("foreground",)
    instances: ClassVar[str | None] = None

    def __call__(self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None) -> LabelMap:
        """Return the labels.

        Parameters
        ----------
        image
            What to segment.
        region
            Where to look: label map on the same grid (any label); None looks everywhere.
        """
        _refuse_labels(self.name, image)
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, seed, threads, notes, region=_spatial_mask(region, image))
        spatial = tuple(d for d in core if d in SPATIAL)
        looped = [d for d in image.dims if d not in core]
        if "c" in looped:
            raise ContentError(
                f"{self.name} labels one channel, but the image has {image.shape[image.dims.index('c')]}: take one channel first."
            )
        parts = [np.asarray(self.compute(block, context)) for _, block in _blocks(image, core)]
        array = np.stack(parts) if looped else parts[0]
        dims = (*looped, *spatial)
        if array.dtype.kind not in "iub":
            raise ContentError(f"{self.name} returned labels of type {array.dtype}: expected integers or bool.")
        top = int(array.max()) if array.size else 0
        dtype = self.label_dtype
        if array.size and (int(array.min()) < 0 or top > np.iinfo(dtype).max):
            raise ContentError(
                f"{self.name} returned labels from {int(array.min())} to {top}: expected 0 to {np.iinfo(dtype).max}."
            )
        array = array.astype(dtype, copy=False)
        provenance = self.traced((image, region), seed, notes)
        return LabelMap(
            array, dims, image.geometry, self.table(top), modality=image.modality, times=image.times, provenance=provenance
        )

    @property
    def label_dtype(self) -> np.dtype[Any]:
        """Type that the labels are stored in."""
        return np.dtype(np.uint8 if self.instances is None else np.uint32)

    def table(self, highest: int) -> tuple[Segment, ...]:
        """Return the segment table for labels up to `highest`."""
        if self.instances is not None:
            return tuple(Segment(k, f"{self.instances} {k}") for k in range(1, highest + 1))
        return tuple(Segment(k, name) for k, name in enumerate(self.segments, start=1))

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the label map."""
        spec = specs[0]
        if spec.kind == "LabelMap":
            raise ContentError(f"{self.name} segments intensities, but would be given a label map: expected an image.")
        self.check_image(spec)
        dims = tuple(d for d in spec.dims if d != "c")
        channels = 1 if "c" not in spec.dims or spec.geometry is None else max(1, spec.samples // spec.geometry.size)
        return Spec("LabelMap", dims, self.label_dtype.str, spec.geometry, spec.modality, None, spec.samples // channels)


class Editor(_OnImages):
    """LabelMap -> LabelMap: corrections that replay."""

    family: ClassVar[str] = "Editor"

    def __call__(self, labels: LabelMap, /, *, seed: int = 0, threads: int | None = None) -> LabelMap:
        """Return the edited labels: same grid; values keep their meaning unless `table` says otherwise."""
        if not isinstance(labels, LabelMap):
            raise ContentError(f"{self.name} edits labels, but was given {type(labels).__name__}: expected a label map.")
        core = self._core(labels)
        notes: list[str] = []
        context = self._context(labels, core, seed, threads, notes, labels=True)
        array = self._map(labels, core, lambda b: np.asarray(self.compute(b, context)))
        table = self.table(labels.segments, int(array.max()) if array.size else 0)
        return labels.replace(array=array, segments=table, provenance=self.traced((labels,), seed, notes))

    def table(self, segments: tuple[Segment, ...], highest: int) -> tuple[Segment, ...]:
        """Return the segment table after the edit."""
        return segments

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the edited labels."""
        if specs[0].kind != "LabelMap":
            raise ContentError(f"{self.name} edits labels, but would be given {specs[0].kind}: expected a label map.")
        return specs[0]


class Surfacer(_OnImages):
    """LabelMap -> Mesh of one segment (of all of them together where none is named)."""

    family: ClassVar[str] = "Surfacer"
    label: str | int | None = None

    def __call__(self, labels: LabelMap, /, *, seed: int = 0, threads: int | None = None) -> Mesh:
        """Return the surface in mm; `compute` is handed the bool mask and returns (vertices in index units, faces)."""
        if not isinstance(labels, LabelMap):
            raise ContentError(f"{self.name} meshes labels, but was given {type(labels).__name__}: expected a label map.")
        core = self._core(labels)
        labels.geometry.require_mm(self.name)
        notes: list[str] = []
        context = self._context(labels, core, seed, threads, notes, labels=True)
        index, faces = self.compute(labels.mask(self.label), context)
        vertices = labels.geometry.to_world(index)
        if np.linalg.det(labels.geometry.affine[:3, :3]) < 0:  # a mirrored grid turns the faces inside out
            faces = np.asarray(faces)[:, ::-1]
        row = (
            labels.segment(self.label) if self.label is not None else (labels.segments[0] if len(labels.segments) == 1 else None)
        )
        return Mesh(
            vertices,
            faces,
            row.name if row else "surface",
            row.color if row else None,
            labels.geometry.frame,
            self.traced((labels,), seed, notes),
        )

    def resolve(self, *specs: Spec) -> Spec:
        """Return that a mesh comes out."""
        if specs[0].kind != "LabelMap":
            raise ContentError(f"{self.name} meshes labels, but would be given {specs[0].kind}: expected a label map.")
        self.check_image(specs[0])
        return Spec("Mesh")


class Extractor(_OnImages):
    """Image, region -> Features: one row per segment.

    ``uses_values`` is False for extractors that look at the region alone (shape).
    """

    family: ClassVar[str] = "Extractor"
    uses_values: ClassVar[bool] = True

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns, with units that may depend on the image's quantity and grid."""
        raise TypeError(f"{type(self).__name__} has no columns: an extractor must define them.")

    def __call__(self, image: Image, region: LabelMap | MaskStack, /, *, seed: int = 0, threads: int | None = None) -> Features:
        """Return the measurements of every segment of `region` in `image`.

        `compute(array, context)` is called once per segment with ``context.region`` and returns column name ->
        value; a column it leaves out is NaN. It must cope with an empty region. Time points and channels that
        it does not take itself become rows of their own, named ``lesion [t=3]`` or ``lesion [red]``.
        """
        _refuse_labels(self.name, image)
        core = self._core(image)
        image.geometry.require_match(region.geometry, ("the image", "the region"))
        notes: list[str] = []
        rows, names = [], []
        columns: tuple[Column, ...] | None = None
        for suffix, block, masks in self._frames(image, region, core):
            for name, mask in masks:
                context = self._context(image, core, seed, threads, notes, region=mask)
                columns = columns or self.columns(context)
                values: Mapping[str, Any] = self.compute(block, context)
                unknown = set(values) - {c.name for c in columns}
                if unknown:
                    raise ParameterError(f"{self.name} computed undeclared columns {sorted(unknown)}.")
                rows.append(tuple(values.get(c.name, float("nan")) for c in columns))
                names.append(name + suffix)
        if columns is None:
            columns = self.columns(self._context(image, core, seed, threads, notes))
        return Features(columns, tuple(rows), tuple(names), self.traced((image, region), seed, notes))

    def _frames(
        self, image: Image, region: LabelMap | MaskStack, core: tuple[str, ...]
    ) -> Iterator[tuple[str, Array, Iterator[tuple[str, npt.NDArray[np.bool_]]]]]:
        """Yield (row suffix, samples, named masks) of every time point and channel that is measured on its own."""
        looped = [d for d in image.dims if d not in core]
        in_time = "t" in region.dims
        if in_time and ("t" not in looped or region.array.shape[0] != image.shape[0]):
            raise ContentError(
                f"{self.name} was given a region of {region.array.shape[0]} time points for an image of axes "
                f"{' '.join(image.dims)}: expected the same time points in both."
            )
        for index, block in _blocks(image, core):
            place = dict(zip(looped, index, strict=True))
            if not self.uses_values and any(k for d, k in place.items() if d != "t" or not in_time):
                continue  # the shape of a region is the same in every channel and time point
            labels = [f"t={k}" if d == "t" else (image.channels[k] if image.channels else f"c={k}") for d, k in place.items()]
            if not self.uses_values:
                labels = [f"t={place['t']}"] if in_time else []
            part = region.at(t=place["t"]) if in_time and isinstance(region, LabelMap) else region
            yield (f" [{', '.join(labels)}]" if labels else ""), block, _masks(part)

    def resolve(self, *specs: Spec) -> Spec:
        """Return that features come out; raises where the grids differ."""
        image = specs[0]
        _refuse_labels(self.name, image)
        self.check_image(image)
        if len(specs) < 2 or specs[1].kind not in ("LabelMap", "MaskStack"):
            given = specs[1].kind if len(specs) > 1 else "nothing"
            raise ContentError(
                f"{self.name} measures an image in a region, but would be given {given} as region: expected a label map."
            )
        if image.geometry is not None and specs[1].geometry is not None:
            image.geometry.require_match(specs[1].geometry, ("the image", "the region"))
        return Spec("Features")


def _masks(region: LabelMap | MaskStack) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Yield (name, bool mask) of every segment."""
    if isinstance(region, MaskStack):
        for row, mask in zip(region.segments, region.array, strict=True):
            yield row.name, mask
    else:
        data = np.asarray(region.array)
        for row in region.segments:
            yield row.name, data == row.value


class Measure(_OnImages):
    """Image[, region] -> Scores that describe the image."""

    family: ClassVar[str] = "Measure"
    #: How scores change when intensities are multiplied by k: ``invariant``, ``linear`` or ``quadratic``.
    scaling: ClassVar[str] = "invariant"

    def __call__(self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None) -> Scores:
        """Return the scores; `compute` returns name -> `Score`."""
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, seed, threads, notes, region=_spatial_mask(region, image))
        scores: Mapping[str, Score] = self.compute(
            np.asarray(image.array).astype(working_dtype(image.dtype), copy=False), context
        )
        return Scores(scores, self.traced((image, region), seed, notes))

    def resolve(self, *specs: Spec) -> Spec:
        """Return that scores come out."""
        self.check_image(specs[0])
        return Spec("Scores")


class Metric(_OnImages):
    """prediction, truth -> Scores.

    ``compares`` is ``labels`` (masks) or ``images`` (intensities). Without ``label`` the union of all labels is
    compared. `compute` is handed the prediction, and the truth as ``context.reference``.
    """

    family: ClassVar[str] = "Metric"
    compares: ClassVar[str] = "labels"
    label: str | int | None = None

    def __call__(self, prediction: Image, truth: Image, /, *, seed: int = 0, threads: int | None = None) -> Scores:
        """Return the scores of a prediction against the truth, on one grid."""
        core = self._core(prediction)
        if self.compares == "labels" and not (isinstance(prediction, LabelMap) and isinstance(truth, LabelMap)):
            kinds = f"{type(prediction).__name__} and {type(truth).__name__}"
            raise ContentError(f"{self.name} compares label maps, but was given {kinds}: expected two label maps.")
        prediction.geometry.require_match(truth.geometry, ("the prediction", "the truth"))
        if prediction.shape != truth.shape:
            raise GeometryError(f"Prediction of shape {prediction.shape} and truth of {truth.shape}: expected the same.")
        notes: list[str] = []
        if isinstance(prediction, LabelMap) and isinstance(truth, LabelMap):
            first, second = self._mask(prediction), self._mask(truth)
        else:
            dtype = np.promote_types(working_dtype(prediction.dtype), working_dtype(truth.dtype))
            first, second = np.asarray(prediction.array).astype(dtype), np.asarray(truth.array).astype(dtype)
        context = self._context(prediction, core, seed, threads, notes, reference=second)
        scores: Mapping[str, Score] = self.compute(first, context)
        return Scores(scores, self.traced((prediction, truth), seed, notes))

    def _mask(self, labels: LabelMap) -> npt.NDArray[np.bool_]:
        """Return the compared mask; a label without a row in this table was simply not found (an empty mask)."""
        if self.label is None:
            return labels.mask()
        if any(self.label in (s.name, s.value) for s in labels.segments):
            return labels.mask(self.label)
        return np.zeros(labels.shape, dtype=bool)

    def resolve(self, *specs: Spec) -> Spec:
        """Return that scores come out; raises where the grids differ."""
        self.check_image(specs[0])
        if len(specs) > 1 and specs[0].geometry is not None and specs[1].geometry is not None:
            specs[0].geometry.require_match(specs[1].geometry, ("the prediction", "the truth"))
        return Spec("Scores")


class Predictor(Operation):
    """Image or Features -> Prediction."""

    family: ClassVar[str] = "Predictor"

    def __call__(self, value: Image | Features, /, *, seed: int = 0, threads: int | None = None) -> Prediction:
        """Return the prediction; `predict` computes it."""
        notes: list[str] = []
        result = self.predict(value, seed, notes)
        return Prediction(result.classes, result.probabilities, result.value, result.unit, self.traced((value,), seed, notes))

    def predict(self, value: Image | Features, seed: int, notes: list[str]) -> Prediction:
        """Return what the model says of one case."""
        raise TypeError(f"{type(self).__name__} has no predict: a predictor must define it.")

    def resolve(self, *specs: Spec) -> Spec:
        """Return that a prediction comes out."""
        return Spec("Prediction")


class Detector(_OnImages):
    """Image[, region] -> Points or Boxes in mm."""

    family: ClassVar[str] = "Detector"

    def __call__(
        self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None
    ) -> Points | Boxes:
        """Return what was found; `compute` returns `Points` or `Boxes`."""
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, seed, threads, notes, region=_spatial_mask(region, image))
        found: Points | Boxes = self.compute(np.asarray(image.array), context)
        object.__setattr__(found, "provenance", self.traced((image, region), seed, notes))
        return found

    def resolve(self, *specs: Spec) -> Spec:
        """Return that points come out."""
        self.check_image(specs[0])
        return Spec("Points")


class SignalFilter(Operation):
    """Signal -> Signal with the same channels and rate."""

    family: ClassVar[str] = "SignalFilter"

    def __call__(self, signal: Signal, /, *, seed: int = 0, threads: int | None = None) -> Signal:
        """Return the filtered signal; `compute` is handed (channels, samples) and ``context.spacing`` of 1 / rate s."""
        notes: list[str] = []
        grid = Geometry.regular((signal.array.shape[1],), (1.0 / signal.rate,))
        context = Context(
            geometry=grid, dims=("c", "x"), seed=seed, threads=threads or default_threads(), name=self.name, notes=notes
        )
        array = np.asarray(self.compute(signal.array.astype(working_dtype(signal.array.dtype), copy=False), context))
        if array.shape != signal.array.shape:
            raise ContentError(
                f"{self.name} returned {array.shape} for {signal.array.shape}: a signal filter keeps channels and rate."
            )
        return Signal(array, signal.rate, signal.channels, signal.unit, signal.start, self.traced((signal,), seed, notes))


class Fittable(Operation):
    """fit(cohort) -> Operation: learns parameters from cases and returns the operation that applies them."""

    family: ClassVar[str] = "Fittable"

    def fit(self, cohort: Iterable[Any], /, *, seed: int = 0) -> Operation:
        """Return the fitted operation; neither self nor the cohort changes."""
        raise TypeError(f"{type(self).__name__} has no fit: a fittable operation must define it.")
