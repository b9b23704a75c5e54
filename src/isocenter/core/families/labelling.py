"""Families that make, change and mesh labels: Segmenter, Editor, Surfacer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.families.base import OnImages, blocks, refuse_labels, spatial_mask
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.operation import Spec
from isocenter.core.points import Mesh

__all__ = ["Editor", "Segmenter", "Surfacer"]


class Segmenter(OnImages):
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
        refuse_labels(self.name, image)
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, seed, threads, notes, region=spatial_mask(region, image))
        spatial = tuple(d for d in core if d in SPATIAL)
        looped = [d for d in image.dims if d not in core]
        if "c" in looped:
            raise ContentError(
                f"{self.name} labels one channel, but the image has {image.shape[image.dims.index('c')]}: take one channel first."
            )
        parts = [np.asarray(self.compute(block, context)) for _, block in blocks(image, core)]
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
        array = array.view(np.uint8) if array.dtype == np.bool_ and dtype == np.uint8 else array.astype(dtype, copy=False)
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


class Editor(OnImages):
    """LabelMap -> LabelMap: corrections that replay.

    ``creates`` is set by editors that draw: they may label what was empty.
    """

    family: ClassVar[str] = "Editor"
    creates: ClassVar[bool] = False

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
        self.check_image(specs[0])
        return specs[0]


class Surfacer(OnImages):
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
