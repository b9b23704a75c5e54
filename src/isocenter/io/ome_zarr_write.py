"""Writing OME-Zarr 0.4 (Zarr 2) and 0.5 (Zarr 3): images, label maps, mask stacks, and pyramids level by level.

The axes carry millimetres and seconds; the whole grid, which scale and translation alone cannot hold, and what
the values mean go into one attribute of our own, from which reading restores them.

References
----------
Open Microscopy Environment, Next-generation file formats (NGFF) 0.4 and 0.5.
"""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.pyramid import Pyramid
from isocenter.io import atomic
from isocenter.io.atomic_folder import replacing_folder
from isocenter.io.facts import describe, encode
from isocenter.io.zarr_store import is_store

__all__ = ["KEY", "NAME", "SUFFIXES", "write"]

NAME = "ome-zarr"
SUFFIXES: tuple[str, ...] = (".ome.zarr", ".zarr")
#: Attribute that carries what the format has no field for.
KEY = "isocenter"
#: Samples of a chunk along z, y and x, of a volume and of a plane.
VOLUME, PLANE = (32, 256, 256), (1024, 1024)
TYPES = {
    "b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8", "u2": "uint16", "u4": "uint32",
    "u8": "uint64", "f2": "float16", "f4": "float32", "f8": "float64",
}  # fmt: skip
Version = Literal["0.4", "0.5"]
Box = tuple[tuple[int, int], ...]


def _json(path: Path, value: Mapping[str, Any]) -> None:
    atomic.write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _group(folder: Path, attributes: Mapping[str, Any], version: Version) -> None:
    atomic.make_folder(folder)
    if version == "0.4":
        _json(folder / ".zgroup", {"zarr_format": 2})
        _json(folder / ".zattrs", attributes)
    else:
        _json(folder / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": attributes})


def _chunk_shape(shape: Sequence[int], dims: Sequence[str]) -> tuple[int, ...]:
    spatial = [d for d in dims if d in SPATIAL]
    most = dict(zip("zyx" if len(spatial) == 3 else "yx", VOLUME if len(spatial) == 3 else PLANE, strict=True))
    return tuple(min(n, most.get(d, 1)) for n, d in zip(shape, dims, strict=True))


def _array(
    folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any], dims: Sequence[str], read: Callable[[Box], Any], version: Version
) -> None:
    """Write one array chunk by chunk; every chunk is stored, so that a missing one is always a loss."""
    atomic.make_folder(folder)
    little = dtype.newbyteorder("<") if dtype.itemsize > 1 else dtype
    chunks = _chunk_shape(shape, dims)
    if version == "0.4":
        node: dict[str, Any] = {
            "zarr_format": 2, "shape": list(shape), "chunks": list(chunks), "dtype": little.str, "order": "C", "filters": None,
            "fill_value": False if dtype.kind == "b" else 0, "dimension_separator": "/", "compressor": {"id": "zlib", "level": 1},
        }  # fmt: skip
        _json(folder / ".zarray", node)
    else:
        codecs = [
            {"name": "bytes", "configuration": {"endian": "little"}} if dtype.itemsize > 1 else {"name": "bytes"},
            {"name": "gzip", "configuration": {"level": 1}},
        ]
        node = {
            "zarr_format": 3, "node_type": "array", "shape": list(shape), "data_type": TYPES[little.str[1:]],
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": False if dtype.kind == "b" else 0, "codecs": codecs, "dimension_names": list(dims), "attributes": {},
        }  # fmt: skip
        _json(folder / "zarr.json", node)
    for index in itertools.product(*(range(-(-n // c)) for n, c in zip(shape, chunks, strict=True))):
        box = tuple((k * c, min((k + 1) * c, n)) for k, c, n in zip(index, chunks, shape, strict=True))
        part = np.asarray(read(box)).astype(little, copy=False)
        if part.shape != chunks:
            part = np.pad(part, [(0, c - n) for c, n in zip(chunks, part.shape, strict=True)])
        raw = np.ascontiguousarray(part).tobytes()
        data = zlib.compress(raw, 1) if version == "0.4" else gzip.compress(raw, 1, mtime=0)
        place = folder.joinpath(*([] if version == "0.4" else ["c"]), *[str(k) for k in index])
        atomic.make_folder(place.parent)
        atomic.write_bytes(place, data)


def _axes(dims: Sequence[str], geometry: Geometry, timed: bool) -> list[dict[str, str]]:
    kinds = {"t": "time", "c": "channel"}
    rows = []
    for d in dims:
        row = {"name": d, "type": kinds.get(d, "space")}
        if d in SPATIAL and geometry.unit == "mm":
            row["unit"] = "millimeter"
        if d == "t" and timed:
            row["unit"] = "second"
        rows.append(row)
    return rows


def _transforms(dims: Sequence[str], geometry: Geometry, times: tuple[float, float] | None) -> list[dict[str, Any]]:
    """Return the scale and translation of one level, in its own axes."""
    spacing = dict(zip([d for d in dims if d in SPATIAL], geometry.spacing, strict=True))
    start = dict(zip(spacing, np.linalg.pinv(geometry.direction) @ np.array(geometry.origin), strict=True))
    if times is not None:
        start["t"], spacing["t"] = times
    return [
        {"type": "scale", "scale": [float(spacing.get(d, 1.0)) for d in dims]},
        {"type": "translation", "translation": [float(start.get(d, 0.0)) for d in dims]},
    ]


def _clock(times: tuple[float, ...] | None) -> tuple[float, float] | None:
    """Return start and step of even times."""
    steps = np.diff(times or ())
    even = len(steps) > 0 and steps[0] > 0 and bool(np.allclose(steps, steps[0], rtol=1e-4))
    return (float((times or (0.0,))[0]), float(steps[0])) if even else None


def _label_facts(value: LabelMap, version: Version) -> dict[str, Any]:
    rows = [r for r in value.segments if r.color is not None]
    about: dict[str, Any] = {
        "colors": [{"label-value": r.value, "rgba": [*r.color, 255]} for r in rows if r.color is not None],
        "properties": [{"label-value": r.value, "name": r.name} for r in value.segments],
        "source": {},
    }
    return about | ({"version": "0.4"} if version == "0.4" else {})


def _attributes(value: Image | MaskStack | Pyramid, dims: tuple[str, ...], version: Version) -> dict[str, Any]:
    """Return the attributes of the root."""
    facts = describe(value, dims)
    facts["geometry"] = value.geometry.to_dict()
    if isinstance(value, MaskStack):
        facts["masks"] = True
    times = _clock(getattr(value, "times", None))
    levels = [level.geometry for level in value.levels] if isinstance(value, Pyramid) else [value.geometry]
    datasets = [{"path": str(k), "coordinateTransformations": _transforms(dims, g, times)} for k, g in enumerate(levels)]
    scale: dict[str, Any] = {"axes": _axes(dims, value.geometry, times is not None), "datasets": datasets, "name": "image"}
    ome: dict[str, Any] = {"multiscales": [scale]}
    if isinstance(value, LabelMap):
        ome["image-label"] = _label_facts(value, version)
    channels = getattr(value, "channels", None)
    if channels:
        ome["omero"] = {"channels": [{"label": name} for name in channels]}
    if version == "0.4":
        scale["version"] = "0.4"
        return {**ome, KEY: encode(facts)}
    return {"ome": {"version": "0.5", **ome}, KEY: encode(facts)}


def write(value: Any, path: Path, version: Version = "0.4") -> None:
    """Write an image, label map, mask stack or pyramid as a folder of chunks.

    Samples keep their type. Equal values give equal files. Version 0.4 is what most viewers open today.

    Parameters
    ----------
    value
        Image, LabelMap, MaskStack or Pyramid of two or three spatial axes; a pyramid is copied chunk by chunk.
    path
        Ends in ``.zarr``; an earlier Zarr hierarchy of that name is replaced when the new one is whole.
    version
        ``0.4`` (Zarr 2) or ``0.5`` (Zarr 3).

    Raises
    ------
    UnsupportedError
        If OME-Zarr cannot hold the value.
    WriteError
        If the disk refuses, or something that is no Zarr hierarchy stands there.
    """
    path = Path(path)
    if not isinstance(value, Image | MaskStack | Pyramid) or value.dims[-2:] != ("y", "x"):
        raise UnsupportedError(f"{path.name}: OME-Zarr holds pictures and volumes: expected an image with the axes y and x.")
    if not path.name.lower().endswith(SUFFIXES) or version not in ("0.4", "0.5"):
        raise UnsupportedError(
            f"{path.name}: OME-Zarr {version}: expected the suffix .ome.zarr or .zarr, and version 0.4 or 0.5."
        )
    dims: tuple[str, ...] = ("c", *value.dims) if isinstance(value, MaskStack) else value.dims
    with replacing_folder(path, is_store, "Zarr hierarchy") as folder:
        if isinstance(value, Pyramid):
            for k in range(len(value.levels)):
                _level(folder / str(k), value, k, version)
        else:
            array: npt.NDArray[Any] = np.asarray(value.array)
            if array.dtype.str[1:] not in TYPES:
                raise UnsupportedError(
                    f"{path.name}: samples of type {array.dtype} have no Zarr type: expected integers or floats."
                )
            _array(folder / "0", array.shape, array.dtype, dims, lambda box: array[tuple(slice(a, b) for a, b in box)], version)
        _group(folder, _attributes(value, dims, version), version)


def _level(folder: Path, value: Pyramid, k: int, version: Version) -> None:
    """Write one level of a pyramid, a chunk at a time."""
    level = value.levels[k]
    corner = np.asarray(level.read(tuple((0, 1) for _ in level.geometry.shape)))
    spatial = iter(level.geometry.shape)
    shape = tuple(next(spatial) if d in SPATIAL else n for d, n in zip(value.dims, corner.shape, strict=True))

    def read(box: Box) -> npt.NDArray[Any]:
        region = tuple(b for b, d in zip(box, value.dims, strict=True) if d in SPATIAL)
        part = np.asarray(level.read(region))
        return part[tuple(slice(None) if d in SPATIAL else slice(*b) for b, d in zip(box, value.dims, strict=True))]

    _array(folder, shape, corner.dtype, value.dims, read, version)
