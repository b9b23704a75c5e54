"""Volume: a block of samples with named axes and a grid, as NRRD and MetaImage have it, before it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.operation import Spec
from isocenter.io.budget import Budget
from isocenter.io.facts import segments as segments_of
from isocenter.io.inventory import Item, Problem
from isocenter.io.lazy import sourced
from isocenter.io.samples import Block, odd_count, remarks
from isocenter.io.text import slot_name, stem

__all__ = ["Volume"]


@dataclass(frozen=True)
class Volume:
    """One image of a file.

    Attributes
    ----------
    format
        The format's name.
    block
        Its samples as stored (C order).
    axes
        Name of each stored axis, in C order: ``t``, ``c``, ``z``, ``y``, ``x``.
    geometry
        The grid of the spatial axes in the order z y x.
    problems
        What should be known.
    paths
        The files.
    facts
        What the header says beyond the samples (see `isocenter.io.facts`).
    table
        Segment table; None for an image.
    layers
        Layer along ``c`` of each row of the table, and its value there.
    """

    format: str
    block: Block
    axes: tuple[str, ...]
    geometry: Geometry
    problems: tuple[Problem, ...]
    paths: tuple[Path, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    table: tuple[Segment, ...] | None = None
    layers: tuple[tuple[int, int], ...] = ()

    @property
    def dims(self) -> tuple[str, ...]:
        """Axis names of the image, in storage order."""
        return tuple(d for d in DIMS if d in self.axes)

    @property
    def kind(self) -> str:
        """Noun that loading gives."""
        rows = self.table or segments_of(self.facts)
        if not rows or self.block.dtype.kind not in "iu":
            return "Image"
        return "MaskStack" if "c" in self.axes else "LabelMap"

    @property
    def spec(self) -> Spec:
        """What loading gives."""
        dims = tuple(d for d in self.dims if d in SPATIAL) if self.kind == "MaskStack" else self.dims
        samples = int(np.prod(self.block.shape, dtype=np.int64))
        dtype = self.block.dtype.newbyteorder("=").str
        return Spec(self.kind, dims, dtype, self.geometry, self.facts.get("modality"), self.facts.get("quantity"), samples)

    def item(self, budget: Budget) -> Item:
        """Return the item, after a look at the samples where the budget has one.

        Raises
        ------
        FormatError
            If the samples are damaged or end early.
        """
        self.block.check_length()
        problems = self.problems
        if self.block.nbytes <= budget.verify_bytes:
            problems += tuple(Problem(text) for text in remarks(*self.block.verify()))
        name = "image" if self.kind == "Image" else slot_name(stem(self.paths[0]), "labels")
        kind = "image" if self.kind == "Image" else "labels"
        return Item(name, kind, self.format, self.spec, self.paths, self.load, problems=problems)  # type: ignore[arg-type]  # one of two literals

    def load(self) -> Image | LabelMap | MaskStack:
        """Read the samples."""
        stored, surplus = self.block.read()
        notes = [*[p.sentence() for p in self.problems], *remarks(surplus, odd_count(stored))]
        array = np.ascontiguousarray(stored.transpose([self.axes.index(d) for d in self.dims]))
        rows = self.table or segments_of(self.facts)
        spatial = tuple(d for d in self.dims if d in SPATIAL)
        modality, quantity = self.facts.get("modality"), self.facts.get("quantity")
        if self.kind == "MaskStack" and rows:
            # Without stated layers every mask has one of its own, and whatever is not 0 belongs to it.
            places = self.layers or tuple((k, 0) for k in range(len(array)))
            masks = [array[k] == v if v else array[k] != 0 for k, v in places[: len(rows)]]
            return sourced(MaskStack(np.stack(masks), spatial, self.geometry, rows[: len(masks)]), self.format, notes)
        count = dict(zip(self.dims, array.shape, strict=True))
        times, channels = self.facts.get("times"), self.facts.get("channels")
        times = times if times is not None and len(times) == count.get("t") else None
        if self.kind == "LabelMap":
            known = {row.value for row in rows or ()}
            table: Any = rows if all(v in known for v in np.unique(array).tolist() if v > 0) else None
            labels = LabelMap(array, self.dims, self.geometry, table, modality=modality, times=times)
            return sourced(labels, self.format, notes)
        channels = channels if channels is not None and len(channels) == count.get("c") else None
        image = Image(array, self.dims, self.geometry, modality=modality, quantity=quantity, channels=channels, times=times)
        return sourced(image, self.format, notes)
