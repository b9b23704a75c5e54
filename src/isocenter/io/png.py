"""PNG: read and written, 8 and 16 bits, grey and colour.

The chunks are walked and their check sums compared before anything is decoded, and the decoder sees only those
that it needs: no text, no profile, no animation.

References
----------
W3C, Portable Network Graphics (PNG) Specification, third edition.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.image import Image
from isocenter.core.labels import MaskStack
from isocenter.io import atomic
from isocenter.io import facts as facts_of
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.png_rows import filtered, unfiltered
from isocenter.io.raster import COLOURS, Picture, picture_spec, pillow_array, plane

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff", "write"]

NAME = "png"
SUFFIXES: tuple[str, ...] = (".png",)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: colour type -> (samples per pixel, allowed bit depths)
KINDS = {0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)), 6: (4, (8, 16))}
NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
KEYWORD = b"isocenter"
LONGEST_TEXT = 1 << 20


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of a PNG."""
    return head.startswith(SIGNATURE)


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    kind: int
    interlaced: bool

    @property
    def samples(self) -> int:
        return KINDS[self.kind][0]

    @property
    def inflated(self) -> int:
        """Bytes of all rows with their filter bytes."""
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        total = 0
        for x, y, dx, dy in passes if self.interlaced else [(0, 0, 1, 1)]:
            w, h = -(-(self.width - x) // dx), -(-(self.height - y) // dy)
            if w > 0 and h > 0:
                total += h * (1 + (w * self.depth * self.samples + 7) // 8)
        return total


def _chunks(data: bytes, name: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and length of every chunk; check order, lengths and check sums.

    Raises
    ------
    FormatError
        If the file ends early or a check sum is wrong.
    """
    place, kind = 8, b""
    while kind != b"IEND":
        if place + 12 > len(data):
            raise FormatError(f"{name}: ends before its last chunk: expected a whole PNG; get a fresh copy.")
        length, kind = struct.unpack_from(">I4s", data, place)
        if place + 12 + length > len(data):
            raise FormatError(f"{name}: ends in the middle of a chunk: expected a whole PNG; get a fresh copy.")
        if zlib.crc32(memoryview(data)[place + 4 : place + 8 + length]) != struct.unpack_from(">I", data, place + 8 + length)[0]:
            raise FormatError(
                f"{name}: the check sum of a chunk at byte {place} is wrong: expected a sound PNG; get a fresh copy."
            )
        yield kind, place + 8, length
        place += 12 + length


def _header(raw: bytes, name: str) -> _Header:
    if len(raw) != 13:
        raise FormatError(f"{name}: a header chunk of {len(raw)} bytes: expected 13; get a fresh copy.")
    width, height, depth, kind, method, filters, interlace = struct.unpack(">IIBBBBB", raw)
    if kind not in KINDS or depth not in KINDS[kind][1] or method or filters or interlace > 1:
        raise FormatError(f"{name}: colour type {kind} with {depth} bits: expected a combination that PNG has; get a sound copy.")
    if not 0 < width < 1 << 31 or not 0 < height < 1 << 31:
        raise FormatError(f"{name}: {width} x {height} pixels: expected at least one each way; get a sound copy.")
    return _Header(width, height, depth, kind, bool(interlace))


def _read(path: Path, budget: Budget) -> tuple[_Header, bytes, dict[str, Any], bool]:
    """Return the header, a PNG of the needed chunks, what our own text chunk says, and whether it is animated."""
    with path.open("rb") as handle:
        start = handle.read(33)
        if not start.startswith(SIGNATURE) or len(start) < 33 or start[12:16] != b"IHDR":
            raise FormatError(f"{path.name}: does not begin as a PNG does: expected its signature and header; get a sound copy.")
        header = _header(start[16:29], path.name)
        budget.check_pixels(header.width * header.height, path)
        budget.check_shape((header.height, header.width, header.samples), max(1, header.depth // 8), path, "the picture")
        data = start + handle.read(budget.check_bytes(path.stat().st_size, path, "reading the file"))
    kept, content, packed, animated = [SIGNATURE], {}, 0, False
    for kind, at, length in _chunks(data, path.name):
        if kind in NEEDED:
            kept.append(data[at - 8 : at + length + 4])
            packed += length if kind == b"IDAT" else 0
        elif kind == b"iTXt" and length <= LONGEST_TEXT and data[at : at + len(KEYWORD) + 1] == KEYWORD + b"\0":
            content = facts_of.decode(data[at + len(KEYWORD) + 5 : at + length])
        animated = animated or kind == b"acTL"
    budget.check_ratio(packed, header.inflated, path, "decoding")
    return header, b"".join(kept), content, animated


@dataclass(frozen=True)
class _Decoder:
    """Decodes the picture of a file."""

    path: Path
    budget: Budget

    def __call__(self) -> tuple[npt.NDArray[Any], tuple[str, ...], tuple[str, ...] | None]:
        header, data, content, _ = _read(self.path, self.budget)
        ours = bool(content)
        rows = _inflate(data, header, self.path.name)
        if header.depth == 16 and header.samples > 1 and not header.interlaced:  # Pillow would drop the lower byte
            array = unfiltered(rows, header.height, header.width * header.samples * 2, header.samples * 2, self.path.name)
            return plane(array.view(">u2").astype(np.uint16).reshape(header.height, header.width, header.samples), ours)
        if header.depth == 16 and header.samples > 1:
            raise UnsupportedError(
                f"{self.path.name}: interlaced colour of 16 bits is not read: expected it without interlace; save it again."
            )
        array = pillow_array("PNG", self.path, (header.width, header.height), data, budget=self.budget)
        if header.kind == 0 and header.depth in (2, 4):  # Pillow spreads these over 0 to 255; the stored values are kept
            array = array // (255 // (2**header.depth - 1))
        return plane(array.astype(np.uint16) if header.depth == 16 else array, ours)


def _inflate(data: bytes, header: _Header, name: str) -> bytes:
    """Return the rows with their filter bytes: exactly as many bytes as the header implies.

    Raises
    ------
    FormatError
        If there are fewer or more, or the check sum is wrong.
    """
    packed = b"".join(data[at : at + length] for kind, at, length in _chunks(data, name) if kind == b"IDAT")
    inflater = zlib.decompressobj()
    try:
        rows = inflater.decompress(packed, header.inflated + 1)
    except zlib.error as error:
        raise FormatError(
            f"{name}: the compressed picture is damaged ({error}): expected a sound PNG; get a fresh copy."
        ) from error
    if len(rows) != header.inflated or not inflater.eof:
        raise FormatError(
            f"{name}: the compressed picture has {'more' if len(rows) > header.inflated else 'fewer'} bytes than its {header.width} x "
            f"{header.height} pixels take: expected {header.inflated}; get a fresh copy."
        )
    return rows


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what a PNG file holds.

    Parameters
    ----------
    path
        The file.
    budget
        Limits; the picture is decoded once up to ``budget.verify_bytes``.

    Raises
    ------
    FormatError, UnsupportedError, BudgetError
        If it cannot be used, with the reason.
    """
    header, _, content, animated = _read(path, budget)
    problems = [Problem("The picture is animated; only its first frame is read.")] if animated else []
    colours = 3 if header.kind == 3 else header.samples
    dims: tuple[str, ...] = ("c", "y", "x") if colours > 1 else ("y", "x")
    shape = (colours, header.height, header.width)[-len(dims) :]
    spec = picture_spec(shape, dims, np.uint16 if header.depth == 16 else np.uint8, content)
    return [Picture(NAME, path, _Decoder(path, budget), spec, tuple(problems), content).item(budget)]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write(value: Any, path: Path) -> None:
    """Write a plane: grey, grey and alpha, RGB or RGBA, 8 or 16 bits, or a label map.

    Values are stored as they are; what they mean and where they lie goes into a text chunk, from which `inspect`
    restores it.

    Parameters
    ----------
    value
        Image or LabelMap of dims (y, x) or (c, y, x), uint8, uint16 or bool.
    path
        Ends in ``.png``.

    Raises
    ------
    UnsupportedError
        If PNG cannot hold it without changing values.
    WriteError
        If the disk refuses.
    """
    path = Path(path)
    if isinstance(value, MaskStack) or not isinstance(value, Image) or len(value.geometry.shape) != 2 or "t" in value.dims:
        raise UnsupportedError(
            f"{path.name}: a PNG holds one plane: expected an image of dims (y, x) or (c, y, x); take a slice first."
        )
    array: npt.NDArray[Any] = np.asarray(value.array)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype.newbyteorder("=") not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise UnsupportedError(
            f"{path.name}: samples of type {array.dtype} do not fit a PNG unchanged: expected uint8 or uint16; "
            "map them to grey values first (correct.window), or write .tif or .nii.gz."
        )
    count = array.shape[0] if "c" in value.dims else 1
    if count not in (1, *COLOURS):
        raise UnsupportedError(
            f"{path.name}: {count} channels: expected 1 to 4 (grey, grey and alpha, RGB, RGBA); write .tif instead."
        )
    pixels = np.moveaxis(array, 0, -1) if "c" in value.dims else array[..., None]
    height, width = pixels.shape[:2]
    raw = np.ascontiguousarray(pixels.astype(">u2" if array.dtype.itemsize == 2 else np.uint8)).view(np.uint8)
    rows = filtered(raw.reshape(height, -1), count * array.dtype.itemsize)
    content = facts_of.describe(value, value.dims)
    content["geometry"] = {k: v for k, v in value.geometry.to_dict().items() if k != "frame"}
    text = KEYWORD + b"\0\0\0\0\0" + facts_of.encode(content).encode()
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    head = struct.pack(">IIBBBBB", width, height, array.dtype.itemsize * 8, kind, 0, 0, 0)
    parts = [
        SIGNATURE,
        _chunk(b"IHDR", head),
        _chunk(b"iTXt", text),
        _chunk(b"IDAT", zlib.compress(rows, 6)),
        _chunk(b"IEND", b""),
    ]
    atomic.write_bytes(path, b"".join(parts))
