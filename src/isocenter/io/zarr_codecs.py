"""Zarr codecs: one chunk of bytes back to the samples it holds, never more of them than its array promises.

Blosc, Zstandard and LZ4 come from imagecodecs (extra ``wsi``); the size that their frames state is compared
before they are decoded. The others are in Python itself.

References
----------
Zarr storage specification version 2; Zarr core specification version 3 and its codecs bytes, transpose, gzip,
blosc, zstd, crc32c and sharding_indexed; C-Blosc, header of a compressed chunk; RFC 8878 (Zstandard frames);
RFC 3720, section 12.1 (CRC-32C).
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.extras import require
from isocenter.io import child, deadline
from isocenter.io.streams import XZ_MEMORY

__all__ = ["NEEDS_LIBRARY", "Codec", "crc32c", "parse_codec", "unpack"]

#: Codec -> how messages call it; those that need imagecodecs.
NEEDS_LIBRARY = {"blosc": "Blosc", "zstd": "Zstandard", "lz4": "LZ4"}
PLAIN = ("zlib", "gzip", "bz2", "lzma", "crc32c")


@dataclass(frozen=True)
class Codec:
    """One step that turned bytes into other bytes, and its settings."""

    name: str
    settings: Mapping[str, Any]


def parse_codec(name: Any, settings: Any, where: str) -> Codec:
    """Return a codec that is known here.

    Raises
    ------
    UnsupportedError
        If it is not, by its name.
    """
    if name not in PLAIN and name not in NEEDS_LIBRARY:
        known = ", ".join([*PLAIN, *NEEDS_LIBRARY])
        raise UnsupportedError(f"{where}: chunks are packed with '{str(name)[:40]}': expected one of {known}; write them again.")
    return Codec(str(name), settings if isinstance(settings, dict) else {})


@cache
def _table() -> tuple[int, ...]:
    rows = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


def crc32c(data: bytes) -> int:
    """Return the Castagnoli check sum of `data` (small pieces only: it is computed byte by byte)."""
    table, value = _table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _inflate(name: str, data: bytes, limit: int) -> bytes:
    """Decompress with the standard library, at most one byte more than `limit`."""
    inflater: Any
    if name in ("zlib", "gzip"):
        inflater = zlib.decompressobj(31 if name == "gzip" else 15)
    else:
        inflater = bz2.BZ2Decompressor() if name == "bz2" else lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=XZ_MEMORY)
    out: bytes = inflater.decompress(data, limit + 1)
    if not inflater.eof:  # the check sum stands at the end: data without it may be anything
        raise ValueError("they end early, or go on beyond the chunk")
    return out


def _zstd_size(data: bytes) -> int | None:
    """Return the size that a Zstandard frame states, None where it states none."""
    if len(data) < 6 or data[:4] != b"\x28\xb5\x2f\xfd":
        raise ValueError("no Zstandard frame")
    flags = data[4]
    single, code = flags >> 5 & 1, flags >> 6
    width = (1 if single else 0, 2, 4, 8)[code]
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[flags & 3]
    if not width:
        return None
    if len(data) < at + width:
        raise ValueError("a Zstandard frame that ends in its header")
    return int.from_bytes(data[at : at + width], "little") + (256 if width == 2 else 0)


def _native(name: str, data: bytes, limit: int) -> bytes:
    """Decompress with imagecodecs in a child, after the stated size was compared."""
    if find_spec("imagecodecs") is None:
        require("imagecodecs", f"Reading chunks packed with {NEEDS_LIBRARY[name]}")
    if name == "blosc":
        if len(data) < 16:
            raise ValueError("a Blosc chunk without its header")
        stated, _, packed = struct.unpack_from("<III", data, 4)
        if stated > limit or packed != len(data):
            raise ValueError(f"a Blosc header of {stated} bytes from {packed}")
    elif name == "zstd":
        size = _zstd_size(data)
        if size is not None and size > limit:
            raise ValueError(f"a Zstandard frame of {size} bytes")
    elif len(data) < 4 or struct.unpack_from("<I", data)[0] > limit:
        raise ValueError("an LZ4 header beyond the chunk")
    return child.decode(name, data, limit)[1].tobytes()


def unpack(data: bytes, codecs: Sequence[Codec], limit: int, where: str) -> bytes:
    """Undo the codecs of one chunk, the last one first.

    Parameters
    ----------
    data
        The bytes as stored.
    codecs
        In the order in which they were applied.
    limit
        Bytes that the samples take; no step may give more than that (and 64 for check sums).
    where
        The chunk, for messages.

    Raises
    ------
    FormatError
        If the chunk is damaged or larger than it may be.
    MissingExtraError
        If imagecodecs is needed and not installed.
    """
    deadline.check()
    for codec in reversed(codecs):
        try:
            if codec.name == "crc32c":
                data, check = data[:-4], data[-4:]
                if len(check) < 4 or crc32c(data) != int.from_bytes(check, "little"):
                    raise ValueError("a wrong check sum")
            elif codec.name in NEEDS_LIBRARY:
                data = _native(codec.name, data, limit + 64)
            else:
                data = _inflate(codec.name, data, limit + 64)
        except ImportError:
            raise
        except (ValueError, child.ChildError, zlib.error, lzma.LZMAError, OSError, EOFError, MemoryError) as error:
            raise FormatError(
                f"{where}: its {codec.name} data are damaged ({error}): expected a whole chunk; get a fresh copy."
            ) from error
    return data
