"""MetaImage (``.mha``, ``.mhd``): read and written; voxels follow the header or lie in one file beside it.

References
----------
Kitware, "MetaIO documentation", itk.org/Wiki/MetaIO/Documentation; the meaning of TransformMatrix follows ITK.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import FormatError, GeometryError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL
from isocenter.io import facts as facts_of
from isocenter.io.beside import data_beside
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.metaimage_write import TYPES, write
from isocenter.io.samples import Block
from isocenter.io.volume import Volume

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff", "write"]

NAME = "metaimage"
SUFFIXES: tuple[str, ...] = (".mha", ".mhd")
LONGEST = 1 << 20
BY_NAME = {name: code for code, name in TYPES.items()} | {"MET_LONG": "i4", "MET_ULONG": "u4"}
#: Field -> other names that writers use for it.
SYNONYMS = {
    "transformmatrix": ("orientation", "rotation"), "offset": ("position", "origin"), "elementspacing": ("elementsize",),
    "binarydatabyteordermsb": ("elementbyteordermsb",),
}  # fmt: skip


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of a MetaImage header."""
    start = head[:LONGEST].lstrip()[:200].lower()
    return bool(re.match(rb"(objecttype\s*=\s*image|ndims\s*=\s*\d|comment\s*=)", start)) and (
        b"ndims" in head.lower() and (b"dimsize" in head.lower() or path.name.lower().endswith(SUFFIXES))
    )


@dataclass(frozen=True)
class _Header:
    """The fields of a header by lower-case name, and the byte after it."""

    fields: dict[str, str]
    end: int
    name: str

    def wrong(self, what: str, expected: str) -> FormatError:
        return FormatError(f"{self.name}: {what}: expected {expected}; get a sound copy of the file.")

    def text(self, key: str, default: str | None = None) -> str:
        for name in (key, *SYNONYMS.get(key, ())):
            if name in self.fields:
                return self.fields[name]
        if default is None:
            raise self.wrong(f"has no field {key}", "it")
        return default

    def numbers(self, key: str, count: int, default: str | None = None) -> list[float]:
        text = self.text(key, default)
        try:
            values = [float(v) for v in text.split()]
        except ValueError:
            raise self.wrong(f"{key} reads '{text[:60]}'", "numbers") from None
        if len(values) != count or not all(math.isfinite(v) for v in values):
            raise self.wrong(f"{key} reads '{text[:60]}'", f"{count} finite numbers")
        return values

    def whole(self, key: str, count: int, default: str | None = None) -> list[int]:
        values = self.numbers(key, count, default)
        if any(v != int(v) for v in values):
            raise self.wrong(f"{key} reads '{self.text(key, default)[:60]}'", "whole numbers")
        return [int(v) for v in values]

    def true(self, key: str, default: bool = False) -> bool:
        return self.text(key, str(default)).strip().lower() in ("true", "1", "yes")


def _parse(data: bytes, name: str) -> _Header:
    fields: dict[str, str] = {}
    place = 0
    while place < len(data):
        end = data.find(b"\n", place)
        if end < 0 and len(data) >= LONGEST:
            break
        line = data[place : end if end >= 0 else len(data)].decode("utf-8", "replace").strip()
        place = end + 1 if end >= 0 else len(data)
        if not line:
            continue
        key, sign, value = line.partition("=")
        key = key.strip().lower()
        header = _Header(fields, place, name)
        if not sign or not re.fullmatch(r"[\w ./-]{1,64}", key):
            raise header.wrong(f"the line '{line[:40]}' is no field", "'Name = value'")
        if key in fields:
            raise header.wrong(f"field {key} stands there twice", "each field once")
        fields[key] = value.strip()
        if key == "elementdatafile":  # always the last one
            return _Header(fields, place, name)
    raise FormatError(
        f"{name}: no field ElementDataFile within 1 MiB: expected it at the end of the header; get a sound copy of the file."
    )


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what a MetaImage file holds.

    Parameters
    ----------
    path
        The file that begins with the header.
    budget
        Limits; samples are read through once up to ``budget.verify_bytes``.

    Raises
    ------
    FormatError, UnsupportedError, GeometryError, BudgetError
        If it cannot be used, with the reason.
    """
    with path.open("rb") as handle:
        header = _parse(handle.read(LONGEST), path.name)
    if header.text("objecttype", "Image").lower() != "image":
        raise UnsupportedError(f"{path.name}: a MetaIO object of type '{header.text('objecttype')[:40]}': expected an image.")
    count = header.whole("ndims", 1)[0]
    if not 1 <= count <= 4:
        raise header.wrong(f"NDims = {count}", "1 to 4 axes")
    sizes = header.whole("dimsize", count)
    if min(sizes) < 1:
        raise header.wrong(f"DimSize = {header.text('dimsize')[:60]}", "at least one sample along every axis")
    channels = header.whole("elementnumberofchannels", 1, "1")[0]
    if channels < 1:
        raise header.wrong(f"ElementNumberOfChannels = {channels}", "1 or more")
    dtype = _dtype(header)
    budget.check_shape((*sizes, channels), dtype.itemsize, path)
    content = facts_of.decode(header.text("comment", ""))
    axes = ["t", "z", "y", "x"][4 - count :]
    shape = tuple(sizes[::-1])
    dims = content.get("dims")
    stored = tuple(d for d in dims if d != "c") if dims else ()
    if (len(stored) == count and (stored[0] == "t") == (axes[0] == "t")) or (len(stored) == count and count < 4):
        axes = list(stored)
    if channels > 1 or "c" in (dims or ()):
        axes, shape = [*axes, "c"], (*shape, channels)
    block, paths = _block(header, path, shape, dtype)
    geometry, problems, times = _grid(header, axes, sizes, content.get("unit"))
    if times is not None:
        content.setdefault("times", times)
    table = facts_of.segments(content)
    return [Volume(NAME, block, tuple(axes), geometry, tuple(problems), paths, content, table).item(budget)]


def _dtype(header: _Header) -> np.dtype[Any]:
    kind = header.text("elementtype")
    if kind.removesuffix("_ARRAY") not in BY_NAME:
        raise header.wrong(f"ElementType = {kind[:40]}", "a MET_ integer or float type")
    code = BY_NAME[kind.removesuffix("_ARRAY")]
    if not header.true("binarydata", True):
        raise UnsupportedError(
            f"{header.name}: samples as text are not read: expected BinaryData = True; write it again as binary."
        )
    return np.dtype((">" if header.true("binarydatabyteordermsb") else "<") + code)


def _block(header: _Header, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Block, tuple[Path, ...]]:
    where = header.text("elementdatafile")
    local = where.upper() == "LOCAL"
    data = path if local else data_beside(path, where)
    skip = header.whole("headersize", 1, "0")[0]
    compressed = header.true("compresseddata")
    if skip < -1 or (skip == -1 and (local or compressed)):
        raise header.wrong(f"HeaderSize = {skip}", "0 or more")
    block = Block(data, "zlib" if compressed else "raw", header.end if local else max(0, skip), 0, shape, dtype, path.name)
    if skip == -1:  # the samples are the last bytes of the file
        block = Block(data, "raw", max(0, data.stat().st_size - block.nbytes), 0, shape, dtype, path.name)
    return block, (path,) if local else (path, data)


def _grid(
    header: _Header, axes: list[str], sizes: list[int], unit: str | None
) -> tuple[Geometry, list[Problem], tuple[float, ...] | None]:
    """Return where the samples lie, what should be known, and the times of a fourth axis."""
    count = len(sizes)
    names = [a for a in axes if a != "c"][::-1]  # fastest first, as the header lists them
    steps = header.numbers("elementspacing", count, " ".join(["1"] * count))
    matrix = np.array(header.numbers("transformmatrix", count * count, " ".join(str(v) for v in np.eye(count).ravel())))
    directions = matrix.reshape(count, count)  # row k: where axis k runs to
    origin = header.numbers("offset", count, " ".join(["0"] * count))
    places = [k for k in reversed(range(count)) if names[k] in SPATIAL]
    shape = tuple(sizes[k] for k in places)
    times = None
    if "t" in names:
        k = names.index("t")
        times = tuple(origin[k] + n * steps[k] for n in range(sizes[k])) if steps[k] > 0 else None
    if unit == "px":
        return Geometry.pixels(shape), [], times
    if any(steps[k] <= 0 for k in places):
        raise GeometryError(
            f"{header.name}: ElementSpacing = {header.text('elementspacing')[:60]}: expected positive mm; correct the header."
        )
    world = [k for k in range(count) if names[k] != "t"][:3]
    affine = np.zeros((4, len(places) + 1))
    for column, k in enumerate(places):
        affine[: len(world), column] = directions[k, world] * steps[k]
    affine[: len(world), -1] = [origin[k] for k in world]
    affine[3, -1] = 1.0
    try:
        geometry = Geometry(shape, affine)
    except GeometryError as error:
        raise GeometryError(f"{header.name}: {error}") from error
    problems = []
    if "elementspacing" not in header.fields and "elementsize" not in header.fields:
        problems.append(
            Problem("The header states no ElementSpacing; 1 mm is MetaImage's default.", "Sizes are wrong if that is not so.")
        )
    if not geometry.is_orthogonal:
        problems.append(Problem(f"The axes are {geometry.shear:.3g} degrees off a right angle; the sheared grid is kept."))
    return geometry, problems, times
