"""Writing NRRD: one file, samples unchanged, directions and origin exact."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import UnsupportedError
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io import atomic, facts
from isocenter.io.nrrd_header import TYPES
from isocenter.io.reread import same_bytes
from isocenter.io.text import one_line

__all__ = ["write"]

KINDS = {"x": "space", "y": "space", "z": "space", "t": "time", "c": "list"}


def storable(array: npt.NDArray[Any], path: Path, kinds: set[str], format: str) -> npt.NDArray[Any]:
    """Return the array little-endian, in a type that the format has, without changing a value."""
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.str[1:] not in kinds:
        raise UnsupportedError(f"{path.name}: samples of type {array.dtype} have no {format} type: expected integers or floats.")
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))


def _vector(values: npt.NDArray[np.float64]) -> str:
    return "(" + ",".join(repr(float(v)) for v in values) + ")"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _segment_keys(segments: tuple[Segment, ...], layered: bool) -> list[str]:
    lines = []
    for k, row in enumerate(segments):
        color = " ".join(f"{v / 255:.6g}" for v in row.color or (200, 200, 200))
        lines += [
            f"Segment{k}_Color:={color}", f"Segment{k}_ID:=Segment_{k + 1}", f"Segment{k}_LabelValue:={1 if layered else row.value}",
            f"Segment{k}_Layer:={k if layered else 0}", f"Segment{k}_Name:={_escaped(one_line(row.name, 128))}",
        ]  # fmt: skip
    return lines


def _head(value: Image | MaskStack, array: npt.NDArray[Any], dims: tuple[str, ...], coding: str) -> bytes:
    geometry = value.geometry
    stored = dims[::-1]
    lines = [
        "NRRD0005", f"type: {TYPES[array.dtype.str[1:]][0]}", f"dimension: {len(dims)}",
        "sizes: " + " ".join(str(n) for n in array.shape[::-1]), "endian: little", f"encoding: {coding}",
    ]  # fmt: skip
    spatial = [d for d in dims if d in SPATIAL]
    if geometry.unit == "mm":
        column = {d: geometry.affine[:3, k] for k, d in enumerate(spatial)}
        lines.insert(3, "space: left-posterior-superior")
        lines.insert(5, "space directions: " + " ".join(_vector(column[d]) if d in column else "none" for d in stored))
        lines.append("space origin: " + _vector(geometry.affine[:3, -1]))
        lines.append('space units: "mm" "mm" "mm"')
    lines.append("kinds: " + " ".join(KINDS[d] for d in stored))
    content = facts.describe(value, dims)
    if isinstance(value, MaskStack):
        content["masks"] = True
    if isinstance(value, LabelMap | MaskStack):
        lines += _segment_keys(value.segments, isinstance(value, MaskStack))
    lines.append("isocenter:=" + _escaped(facts.encode(content)))
    return ("\n".join(lines) + "\n\n").encode()


def write(value: Any, path: Path) -> None:
    """Write an image, label map or mask stack as one attached, gzip-compressed NRRD.

    Labels carry their table as 3D Slicer writes it, so that a ``.seg.nrrd`` opens there as a segmentation. Equal
    values give equal files.

    Parameters
    ----------
    value
        Image, LabelMap or MaskStack.
    path
        Ends in ``.nrrd``.

    Raises
    ------
    UnsupportedError
        If NRRD cannot hold it.
    WriteError
        If the disk refuses.
    """
    path = Path(path)
    if not isinstance(value, Image | MaskStack):
        raise UnsupportedError(f"{path.name}: a {type(value).__name__} is no image: expected an Image, LabelMap or MaskStack.")
    if path.suffix.lower() != ".nrrd":
        raise UnsupportedError(f"{path.name}: NRRD is written as one .nrrd file: expected that suffix.")
    dims: tuple[str, ...] = ("c", *value.dims) if isinstance(value, MaskStack) else value.dims
    array = storable(np.asarray(value.array), path, set(TYPES), "NRRD")
    if isinstance(value, MaskStack) or "c" in dims:  # channels stand together: the fastest axis, as Slicer and teem have it
        array = np.ascontiguousarray(np.moveaxis(array, dims.index("c"), -1))
        dims = (*[d for d in dims if d != "c"], "c")
    head = _head(value, array, dims, "gzip")
    voxels = array.reshape(-1).view(np.uint8).data if array.size else b""
    with atomic.replacing(path, same_bytes(voxels, array.nbytes, len(head), "gzip")) as handle:
        handle.write(head)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=handle, mtime=0) as packed:
            cast(BinaryIO, packed).write(voxels)
