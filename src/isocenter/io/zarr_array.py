"""Zarr arrays of version 2 and 3 in a folder: their description, checked, and regions of them, read chunk by chunk.

Nothing that a description says leads out of the folder, no link is followed, and a chunk is never larger than its
place. A chunk that is not there holds the fill value: so the format says.

References
----------
Zarr storage specification version 2; Zarr core specification version 3.
"""

from __future__ import annotations

import itertools
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import BudgetError, FormatError, UnsupportedError
from isocenter.io import deadline
from isocenter.io.budget import Budget
from isocenter.io.text import terminal
from isocenter.io.zarr_codecs import Codec, crc32c, parse_codec, unpack
from isocenter.io.zarr_store import load_json, read_regular

__all__ = ["ZarrArray", "open_array"]

MOST_AXES = 8
MISSING = 2**64 - 1
_TYPES = {
    "bool": "|b1", "int8": "|i1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "uint8": "|u1", "uint16": "<u2", "uint32": "<u4",
    "uint64": "<u8", "float16": "<f2", "float32": "<f4", "float64": "<f8",
}  # fmt: skip


@dataclass(frozen=True)
class _Chunks:
    """How the samples of one chunk (or of one piece of a shard) are packed: shape, order of axes, codecs."""

    shape: tuple[int, ...]
    order: tuple[int, ...]
    dtype: np.dtype[Any]
    codecs: tuple[Codec, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def decode(self, data: bytes, where: str) -> npt.NDArray[Any]:
        raw = unpack(data, self.codecs, self.nbytes, where)
        if len(raw) != self.nbytes:
            raise FormatError(f"{where}: {len(raw):,} bytes of samples: expected {self.nbytes:,}; get a fresh copy.")
        stored = np.frombuffer(raw, self.dtype).reshape([self.shape[a] for a in self.order])
        return stored.transpose(np.argsort(self.order))


@dataclass(frozen=True)
class ZarrArray:
    """One array of a hierarchy.

    Attributes
    ----------
    folder, name
        Where it lies, and how messages call it.
    shape, dtype, fill
        Of the whole; the type in the machine's byte order.
    chunk
        What one file holds.
    inner
        The chunks within a file, where files are shards.
    key
        Prefix and separator of the names of chunk files.
    index_first
        Whether the index of a shard stands before its chunks; whether it has a check sum.
    """

    folder: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Any
    chunk: _Chunks
    inner: _Chunks | None
    key: tuple[str, str]
    index_first: bool = False
    index_sum: bool = True

    @property
    def count(self) -> int:
        """Number of chunk files."""
        return math.prod(-(-n // c) for n, c in zip(self.shape, self.chunk.shape, strict=True))

    def path(self, index: Sequence[int]) -> Path:
        """Return the file of a chunk."""
        prefix, separator = self.key
        return self.folder / (prefix + (separator.join(str(k) for k in index) or "0"))

    def stored(self) -> tuple[int, int]:
        """Return how many chunk files are there and the bytes that they take (at most a million are looked for)."""
        found, size = 0, 0
        for index in itertools.product(*(range(-(-n // c)) for n, c in zip(self.shape, self.chunk.shape, strict=True))):
            try:
                size += os.lstat(self.path(index)).st_size
                found += 1
            except OSError:
                continue
        return found, size

    def read(self, box: Sequence[tuple[int, int]], budget: Budget | None = None) -> npt.NDArray[Any]:
        """Return the samples of a box: (start, stop) of every axis.

        Raises
        ------
        FormatError
            If a chunk is damaged.
        BudgetError
            If the box asks for too much.
        """
        budget = budget or Budget()
        shape = [b - a for a, b in box]
        budget.check_shape(shape, self.dtype.itemsize, self.folder, "the region")
        pieces = self.inner or self.chunk
        result = np.full(shape, self.fill, self.dtype)
        ranges = [range(a // c, -(-b // c)) for (a, b), c in zip(box, pieces.shape, strict=True)]
        budget.check_files(math.prod(len(r) for r in ranges), self.folder, "the chunks of the region")
        indices: dict[Path, npt.NDArray[np.uint64]] = {}
        for index in itertools.product(*ranges):
            deadline.check()
            data = self._piece(index, indices)
            if data is None:
                continue
            chunk = pieces.decode(data, f"{self.name}, chunk {'.'.join(str(k) for k in index)}")
            into, out_of = [], []
            for k, c, (a, b) in zip(index, pieces.shape, box, strict=True):
                first, last = max(k * c, a), min((k + 1) * c, b)
                into.append(slice(first - a, last - a))
                out_of.append(slice(first - k * c, last - k * c))
            result[tuple(into)] = chunk[tuple(out_of)]
        return result

    def _piece(self, index: tuple[int, ...], indices: dict[Path, npt.NDArray[np.uint64]]) -> bytes | None:
        """Return the stored bytes of a chunk, or of a chunk within a shard; None where there are none."""
        if self.inner is None:
            return read_regular(self.path(index), 2 * self.chunk.nbytes + (1 << 16))
        per = [a // b for a, b in zip(self.chunk.shape, self.inner.shape, strict=True)]
        path = self.path([k // n for k, n in zip(index, per, strict=True)])
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FormatError(
                f"{self.name}: shard {path.name} cannot be opened ({error.strerror}): expected a regular file."
            ) from error
        with os.fdopen(descriptor, "rb") as handle:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FormatError(f"{self.name}: shard {path.name} is no regular file: expected one; get a sound copy.")
            size = os.fstat(descriptor).st_size
            if path not in indices:
                indices[path] = self._index(handle, size, math.prod(per))
            place = int(np.ravel_multi_index([k % n for k, n in zip(index, per, strict=True)], per))
            at, count = (int(v) for v in indices[path][place])
            if at == MISSING and count == MISSING:
                return None
            if at + count > size or count > 2 * self.inner.nbytes + (1 << 16):
                raise FormatError(
                    f"{self.name}: a chunk from byte {at} to {at + count} of shard {path.name} ({size}): expected it inside."
                )
            handle.seek(at)
            return handle.read(count)

    def _index(self, handle: BinaryIO, size: int, count: int) -> npt.NDArray[np.uint64]:
        """Return the places and lengths of the chunks of a shard."""
        length = 16 * count + (4 if self.index_sum else 0)
        if size < length:
            raise FormatError(f"{self.name}: a shard of {size} bytes: expected at least its index of {length}; get a fresh copy.")
        handle.seek(0 if self.index_first else size - length)
        raw = handle.read(length)
        if self.index_sum and crc32c(raw[:-4]) != int.from_bytes(raw[-4:], "little"):
            raise FormatError(
                f"{self.name}: a shard has an index with a wrong check sum: expected a whole file; get a fresh copy."
            )
        return np.frombuffer(raw[: 16 * count], "<u8").reshape(count, 2)


def _sizes(value: Any, what: str, name: str, least: int, count: int | None = None) -> tuple[int, ...]:
    if (
        not isinstance(value, list) or len(value) > MOST_AXES or (count is not None and len(value) != count)
        or any(type(n) is not int or not least <= n < 2**53 for n in value)
    ):  # fmt: skip
        raise FormatError(
            f"{name}: {what} of {terminal(value, 60)}: expected whole numbers, one for each axis; get a sound copy."
        )
    return tuple(value)


def _type(value: Any, name: str) -> np.dtype[Any]:
    if not isinstance(value, str) or not re.fullmatch(r"[<>|][iufb][1248]", value):
        raise UnsupportedError(f"{name}: samples of type {terminal(value, 40)}: expected whole or real numbers or booleans.")
    try:
        return np.dtype(value)
    except TypeError:
        raise UnsupportedError(f"{name}: samples of type {value}: expected whole or real numbers of a known size.") from None


def _fill(value: Any, dtype: np.dtype[Any], name: str) -> Any:
    special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    if value is None:
        return dtype.type(0)
    try:
        if isinstance(value, str):
            if re.fullmatch(r"0x[0-9a-fA-F]{2,16}", value) and dtype.kind == "f":
                return np.frombuffer(bytes.fromhex(value[2:]), dtype.newbyteorder(">"))[0].astype(dtype)
            value = special[value]
        if not isinstance(value, bool | int | float):
            raise TypeError
        return np.array(value).astype(dtype) if dtype.kind == "f" else np.array(value, dtype)
    except (LookupError, ValueError, TypeError, OverflowError):
        raise FormatError(
            f"{name}: a fill value of {terminal(value, 40)} for samples of {dtype}: expected one that fits."
        ) from None


def _version2(node: Mapping[str, Any], folder: Path, name: str) -> ZarrArray:
    shape = _sizes(node.get("shape"), "a shape", name, 0)
    chunks = _sizes(node.get("chunks"), "a chunk shape", name, 1, len(shape))
    dtype = _type(node.get("dtype"), name)
    if node.get("filters"):
        first = node["filters"][0] if isinstance(node["filters"], list) else {}
        what = first.get("id") if isinstance(first, dict) else first
        raise UnsupportedError(
            f"{name}: chunks are filtered with '{terminal(what, 40)}': expected no filters; write them again without."
        )
    packed = node.get("compressor")
    codecs = (parse_codec(packed.get("id"), packed, name),) if isinstance(packed, dict) else ()
    order = tuple(range(len(shape)))
    if node.get("order") == "F":
        order = order[::-1]
    separator = "/" if node.get("dimension_separator") == "/" else "."
    fill = _fill(node.get("fill_value"), dtype.newbyteorder("="), name)
    return ZarrArray(
        folder, name, shape, dtype.newbyteorder("="), fill, _Chunks(chunks, order, dtype, codecs), None, ("", separator)
    )


def _named(codec: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(codec, str):
        return codec, {}
    settings = codec.get("configuration") if isinstance(codec, dict) else None
    return (str(codec.get("name")) if isinstance(codec, dict) else ""), settings if isinstance(settings, dict) else {}


def _chain(codecs: Any, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> tuple[_Chunks, dict[str, Any] | None]:
    """Return how chunks are packed by a list of codecs, and the settings of a sharding codec where that is the one."""
    if not isinstance(codecs, list) or not 1 <= len(codecs) <= 8:
        raise FormatError(f"{name}: its codecs are no list of one to eight: expected one; get a sound copy.")
    order, packs, shards, big = tuple(range(len(shape))), [], None, False
    serial = False
    for one in codecs:
        codec, settings = _named(one)
        if codec == "transpose" and not serial:
            step = _sizes(settings.get("order"), "an order of axes", name, 0, len(shape))
            if sorted(step) != list(range(len(shape))):
                raise FormatError(f"{name}: an order of axes {step}: expected every axis once.")
            order = tuple(order[k] for k in step)
        elif codec == "bytes" and not serial:
            serial, big = True, settings.get("endian") == "big"
        elif codec == "sharding_indexed" and not serial:
            serial, shards = True, settings
        else:
            packs.append(parse_codec(codec, settings, name))
    if not serial or (shards is not None and (packs or order != tuple(range(len(shape))))):
        raise UnsupportedError(
            f"{name}: its codecs do not make bytes of samples in a known way: expected bytes or sharding_indexed."
        )
    return _Chunks(shape, order, dtype.newbyteorder(">") if big else dtype, tuple(packs)), shards


def _version3(node: Mapping[str, Any], folder: Path, name: str) -> ZarrArray:
    shape = _sizes(node.get("shape"), "a shape", name, 0)
    kind = node.get("data_type")
    dtype = _type(_TYPES.get(kind, kind) if isinstance(kind, str) else kind, name)
    grid, settings = _named(node.get("chunk_grid"))
    if grid != "regular":
        raise UnsupportedError(f"{name}: a chunk grid '{terminal(grid, 40)}': expected a regular one.")
    outer = _sizes(settings.get("chunk_shape"), "a chunk shape", name, 1, len(shape))
    chunk, shards = _chain(node.get("codecs"), outer, dtype, name)
    inner, first, summed = None, False, True
    if shards is not None:
        size = _sizes(shards.get("chunk_shape"), "a chunk shape in a shard", name, 1, len(shape))
        if any(a % b for a, b in zip(outer, size, strict=True)):
            raise FormatError(f"{name}: chunks of {size} in shards of {outer}: expected them to fill a shard.")
        inner, nested = _chain(shards.get("codecs"), size, dtype, name)
        steps = [_named(c)[0] for c in shards.get("index_codecs") or []]
        if nested is not None or steps not in (["bytes"], ["bytes", "crc32c"]):
            raise UnsupportedError(
                f"{name}: shards within shards or a packed index: expected a plain index, with or without crc32c."
            )
        first, summed = shards.get("index_location") == "start", "crc32c" in steps
    encoding, settings = _named(node.get("chunk_key_encoding"))
    separator = settings.get("separator", "/" if encoding == "default" else ".")
    if encoding not in ("default", "v2") or separator not in ("/", "."):
        raise UnsupportedError(f"{name}: chunk names of encoding '{terminal(encoding, 40)}': expected default or v2.")
    key = (f"c{separator}" if encoding == "default" else "", separator)
    return ZarrArray(folder, name, shape, dtype, _fill(node.get("fill_value"), dtype, name), chunk, inner, key, first, summed)


def open_array(folder: Path, name: str, budget: Budget) -> ZarrArray:
    """Return the array at a folder, its description checked.

    Parameters
    ----------
    folder
        Of the array.
    name
        How messages call it.
    budget
        Limits of one chunk.

    Raises
    ------
    FormatError, UnsupportedError, BudgetError
        If it cannot be read, with the reason.
    """
    node = load_json(folder / "zarr.json")
    if node is not None:
        if node.get("zarr_format") != 3 or node.get("node_type") != "array":
            raise FormatError(f"{name}: its description is not of a Zarr array of version 3: expected one; get a sound copy.")
        found = _version3(node, folder, name)
    else:
        node = load_json(folder / ".zarray")
        if node is None or node.get("zarr_format") != 2:
            raise FormatError(
                f"{name}: there is no description of a Zarr array: expected .zarray or zarr.json; get a whole copy."
            )
        found = _version2(node, folder, name)
    for chunk in _kinds(found):
        budget.check_shape(chunk.shape, chunk.dtype.itemsize, folder, "one chunk")
    if math.prod(found.shape) == 0:
        raise FormatError(f"{name}: a shape of {found.shape}: expected at least one sample along every axis.")
    if found.inner is not None and math.prod(found.chunk.shape) // math.prod(found.inner.shape) > 1 << 16:
        raise BudgetError(f"{name}: more than 65,536 chunks in a shard: expected fewer; write it again.")
    return found


def _kinds(array: ZarrArray) -> Iterator[_Chunks]:
    # A shard is never held whole, so only its pieces must fit.
    yield array.inner or array.chunk
