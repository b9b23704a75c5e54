"""Tiles: run a filter block by block, each with the halo it declares, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from isocenter.core.dtype import working_dtype
from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.families import Filter
from isocenter.core.image import Image

__all__ = ["run_tiled", "tile_boxes"]

Box = tuple[tuple[int, int], ...]


def tile_boxes(shape: Sequence[int], tile: Sequence[int]) -> Iterator[Box]:
    """Yield (start, stop) per axis of the tiles that cover `shape`, last axis fastest."""
    counts = [-(-n // t) for n, t in zip(shape, tile, strict=True)]
    for index in np.ndindex(*counts):
        yield tuple((k * t, min((k + 1) * t, n)) for k, t, n in zip(index, tile, shape, strict=True))


def run_tiled(operation: Filter, image: Image, tile: Sequence[int], *, seed: int = 0, threads: int | None = None) -> Image:
    """Run a filter tile by tile; the result equals that of the whole image.

    Parameters
    ----------
    operation
        A filter whose halo is not global.
    image
        Its input.
    tile
        Samples per spatial axis of one tile, halo excluded.

    Raises
    ------
    ContentError
        If the filter depends on the whole image.
    """
    halo = operation.halo(image.geometry)
    if halo is None:
        raise ContentError(f"{operation.name} depends on the whole image and cannot run in tiles.")
    shape = image.geometry.shape
    if len(tile) != len(shape) or any(t < 1 for t in tile):
        raise ParameterError(f"Tile {tuple(tile)} for {len(shape)} spatial axes: expected one positive size per axis.")
    data = np.asarray(image.array)
    dtype = image.dtype if operation.keeps_dtype else working_dtype(image.dtype)
    result = np.empty(data.shape, dtype)
    notes: list[str] = []
    for box in tile_boxes(shape, tile):
        outer = tuple((max(a - h, 0), min(b + h, n)) for (a, b), h, n in zip(box, halo, shape, strict=True))
        part = image.replace(
            array=data[_slices(image, outer)],
            geometry=image.geometry.crop([a for a, _ in outer], [b - a for a, b in outer]),
        )
        done = operation(part, seed=seed, threads=threads)
        inner = tuple((a - oa, b - oa) for (a, b), (oa, _) in zip(box, outer, strict=True))
        result[_slices(image, box)] = np.asarray(done.array)[_slices(image, inner)]
        notes.extend(n for n in done.provenance.steps[-1].notes if n not in notes)
    return image.replace(
        array=result,
        quantity=operation.gives_quantity or image.quantity,
        provenance=operation.traced((image,), seed, notes),
    )


def _slices(image: Image, box: Box) -> tuple[Any, ...]:
    where: list[Any] = [slice(None)] * len(image.dims)
    for axis, (a, b) in zip(image.spatial_axes, box, strict=True):
        where[axis] = slice(a, b)
    return tuple(where)
