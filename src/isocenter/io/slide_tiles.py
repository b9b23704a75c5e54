"""Tiles of a slide: the entries that place them are read as they are needed, and each one is decoded within its bounds.

References
----------
Adobe, TIFF Revision 6.0, section 15 (tiled images); TIFF Technical Note 2 (JPEG compression, tables in a tag of their
own); ITU-T T.81, B.2.2 (frame header); ITU-T T.800, A.5.1 (SIZ marker).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.extras import require
from isocenter.io import child, deadline
from isocenter.io.budget import Budget
from isocenter.io.raster import decoding, pillow_array

__all__ = ["COMPRESSIONS", "Table", "TiledLevel"]

DEFLATE = (8, 32946)
LZW, JPEG, APERIO_YCBCR, APERIO_RGB = 5, 7, 33003, 33005
COMPRESSIONS = (1, *DEFLATE, LZW, JPEG, APERIO_YCBCR, APERIO_RGB)
#: Marker that tells a JPEG decoder whether its three components are RGB (0) or YCbCr (1).
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
CHECKED_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Table:
    """A list of numbers in a file: where it begins, how they are stored, how many there are."""

    at: int
    code: str
    count: int

    def read(self, handle: BinaryIO, first: int, count: int) -> npt.NDArray[np.uint64]:
        """Return `count` numbers from the one at `first`."""
        kind = np.dtype(self.code)
        handle.seek(self.at + first * kind.itemsize)
        raw = handle.read(count * kind.itemsize)
        return np.frombuffer(raw, kind).astype(np.uint64)


@dataclass(frozen=True)
class TiledLevel:
    """One tiled page.

    Attributes
    ----------
    path, size
        The file and its length.
    height, width, tile
        Samples of the page, and of a tile (down, across).
    dtype, samples
        Type of a sample as stored, and how many a pixel has.
    compression, photometric, predictor
        Codes of the tags.
    offsets, counts
        Where the first byte and the length of every tile stand.
    tables
        Quantisation and Huffman tables that its JPEG tiles share.
    """

    path: Path
    size: int
    height: int
    width: int
    tile: tuple[int, int]
    dtype: np.dtype[Any]
    samples: int
    compression: int
    photometric: int
    predictor: int
    offsets: Table
    counts: Table
    tables: bytes

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width // self.tile[1])

    @property
    def tile_bytes(self) -> int:
        """Bytes of a decoded tile."""
        return self.tile[0] * self.tile[1] * self.samples * self.dtype.itemsize

    def _wrong(self, what: str, expected: str) -> FormatError:
        return FormatError(f"{self.path.name}: {what}: expected {expected}; get a sound copy of the file.")

    def check(self) -> None:
        """Refuse a page with a tile outside the file, without reading a tile.

        Raises
        ------
        FormatError
            If one is missing or leads outside.
        """
        needed = self.across * -(-self.height // self.tile[0])
        if self.offsets.count != needed or self.counts.count != needed:
            raise self._wrong(f"{self.offsets.count} tiles with {self.counts.count} lengths", f"{needed} of each")
        with self.path.open("rb") as handle:
            for first in range(0, needed, CHECKED_AT_ONCE):
                count = min(CHECKED_AT_ONCE, needed - first)
                at, length = self.offsets.read(handle, first, count), self.counts.read(handle, first, count)
                if len(at) < count or len(length) < count:
                    raise self._wrong("its list of tiles ends early", "a whole list")
                # Unsigned sums may wrap, so both are compared with the size before they are added.
                bad = (length == 0) | (at > self.size) | (length > self.size)
                bad |= (at + length) > self.size
                if bad.any():
                    k = first + int(np.flatnonzero(bad)[0])
                    raise self._wrong(
                        f"tile {k + 1} of {needed} is empty or ends outside of the {self.size} bytes", "it inside the file"
                    )

    def read(self, rows: tuple[int, int], columns: tuple[int, int], budget: Budget) -> npt.NDArray[Any]:
        """Return a region as (y, x, samples), decoding the tiles that it touches.

        Parameters
        ----------
        rows, columns
            (start, stop) within the page.
        budget
            Limits of the region.

        Raises
        ------
        FormatError
            If a tile is damaged.
        """
        down, wide = self.tile
        shape = (rows[1] - rows[0], columns[1] - columns[0], self.samples)
        budget.check_shape(shape, self.dtype.itemsize, self.path, "the region")
        result = np.empty(shape, self.dtype.newbyteorder("="))
        left, right = columns[0] // wide, -(-columns[1] // wide)
        with self.path.open("rb") as handle:
            for j in range(rows[0] // down, -(-rows[1] // down)):
                first = j * self.across + left
                places = self.offsets.read(handle, first, right - left).tolist()
                lengths = self.counts.read(handle, first, right - left).tolist()
                y0, y1 = max(j * down, rows[0]), min((j + 1) * down, rows[1])
                deadline.check()
                for i, at, length in zip(range(left, right), places, lengths, strict=True):
                    x0, x1 = max(i * wide, columns[0]), min((i + 1) * wide, columns[1])
                    tile = self._tile(handle, at, length, first + i - left)
                    part = tile[y0 - j * down : y1 - j * down, x0 - i * wide : x1 - i * wide]
                    result[y0 - rows[0] : y1 - rows[0], x0 - columns[0] : x1 - columns[0]] = part
        return result

    # -- one tile -----------------------------------------------------------------------------------------

    def _tile(self, handle: BinaryIO, at: int, length: int, number: int) -> npt.NDArray[Any]:
        """Return one tile as (down, across, samples)."""
        if length > 2 * self.tile_bytes + (1 << 16):
            raise self._wrong(f"tile {number + 1} takes {length} bytes", f"at most twice the {self.tile_bytes} of its pixels")
        handle.seek(at)
        data = handle.read(length)
        shape = (*self.tile, self.samples)
        if self.compression == JPEG:
            return self._jpeg(data, number)
        if self.compression in (APERIO_YCBCR, APERIO_RGB):
            return self._jpeg2000(data, number)
        try:
            if self.compression in DEFLATE:
                data = zlib.decompressobj().decompress(data, self.tile_bytes + 1)
            elif self.compression == LZW:
                _needs_codecs("Reading tiles packed with LZW")
                data = child.decode("lzw", data, self.tile_bytes)[1].tobytes()
        except (zlib.error, child.ChildError) as error:
            raise self._wrong(f"tile {number + 1} is damaged ({error})", "whole tiles") from error
        if len(data) < self.tile_bytes or (len(data) > self.tile_bytes and self.compression != 1):
            raise self._wrong(f"tile {number + 1} gives {len(data)} bytes", str(self.tile_bytes))
        array = np.frombuffer(data[: self.tile_bytes], self.dtype).reshape(shape).astype(self.dtype.newbyteorder("="), copy=False)
        # Horizontal differences: every sample is told as its step from the one before it, modulo its range.
        return np.cumsum(array, axis=1, dtype=array.dtype) if self.predictor == 2 else array

    def _sized(self, size: tuple[int, int], number: int) -> None:
        if size != self.tile:
            raise self._wrong(f"tile {number + 1} holds {size[1]} x {size[0]} pixels", f"{self.tile[1]} x {self.tile[0]}")

    def _jpeg(self, data: bytes, number: int) -> npt.NDArray[Any]:
        if data[:2] != b"\xff\xd8":
            raise self._wrong(f"tile {number + 1} is no JPEG", "one as the page says")
        tables = self.tables[2:-2] if self.tables[:2] == b"\xff\xd8" and self.tables[-2:] == b"\xff\xd9" else b""
        colour = ADOBE + (b"\1" if self.photometric == 6 else b"\0") if self.samples == 3 else b""
        stream = data[:2] + colour + tables + data[2:]
        array = pillow_array("JPEG", self.path, (self.tile[1], self.tile[0]), stream)
        array = array[..., None] if array.ndim == 2 else array
        if array.shape[2] != self.samples:
            raise self._wrong(f"tile {number + 1} has {array.shape[2]} colours", str(self.samples))
        return array

    def _jpeg2000(self, data: bytes, number: int) -> npt.NDArray[Any]:
        at = data.find(b"\xff\x4f\xff\x51")
        if at < 0 or len(data) < at + 42:
            raise self._wrong(f"tile {number + 1} is no JPEG 2000", "one as the page says")
        x1, y1, x0, y0 = struct.unpack_from(">IIII", data, at + 8)
        self._sized((y1 - y0, x1 - x0), number)
        if struct.unpack_from(">H", data, at + 40)[0] != self.samples:
            raise self._wrong(f"tile {number + 1} has other colours than its page", f"{self.samples} of them")
        _needs_codecs("Reading tiles packed with JPEG 2000")
        with decoding(self.path):
            found, raw = child.decode("jpeg2k", data, 4 * self.tile_bytes)
        kind = self.dtype.newbyteorder("=")
        if found.get("dtype") != kind.str or raw.nbytes != self.tile_bytes:
            raise self._wrong(f"tile {number + 1} decodes to {raw.nbytes} bytes", "what its page says")
        array = raw.view(kind).reshape(*self.tile, self.samples)
        return _rgb(array) if self.compression == APERIO_YCBCR and self.samples == 3 else array


def _needs_codecs(feature: str) -> None:
    if find_spec("imagecodecs") is None:
        require("imagecodecs", feature)


def _rgb(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return RGB of full-range YCbCr (ITU-R BT.601)."""
    y, cb, cr = (array[..., k].astype(np.float32) for k in range(3))
    cb, cr = cb - 128.0, cr - 128.0
    planes = (y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb)
    return np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)


def require_known(compression: int, name: str, known: Sequence[int] = COMPRESSIONS) -> None:
    """Refuse tiles of a compression that is not decoded here.

    Raises
    ------
    UnsupportedError
        With the number of the compression.
    """
    if compression not in known:
        raise UnsupportedError(
            f"{name}: tiles of compression {compression}: expected none, deflate, LZW, JPEG or JPEG 2000; convert the slide first."
        )
