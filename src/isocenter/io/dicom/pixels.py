"""Stored samples of a file, as the scanner wrote them: no rescaling, no colour conversion.

References
----------
DICOM PS3.5 section 8 and annex G; PS3.3 C.7.6.3.1.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.io import deadline
from isocenter.io.budget import Budget
from isocenter.io.dicom.codestream import check_frame, rle_segments
from isocenter.io.dicom.dataset import File, open_file
from isocenter.io.dicom.frames import Extents, frame_extents
from isocenter.io.dicom.layout import DOUBLES, FLOATS, PIXELS, Layout
from isocenter.io.dicom.transfer import Syntax
from isocenter.io.dicom.words import clean

__all__ = ["Pixels", "full_check", "locate", "quick_check", "stored"]

Array = npt.NDArray[Any]
_CHECK_BYTES = 4 << 20  # compressed bytes of a file up to which `full_check` looks at every frame


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where a file's pixels are and how they are stored; enough to read them without its header.

    Attributes
    ----------
    path, size
        The file, and its bytes when it was inspected.
    syntax, layout, extents
        As the header says; `extents` of encapsulated pixels only.
    big, words
        Byte order of the samples, and whether 8-bit ones were written as 16-bit words.
    deflated
        Whether the file is deflated as a whole.
    """

    path: Path
    size: int
    syntax: Syntax
    layout: Layout
    extents: Extents | None
    big: bool
    words: bool
    deflated: bool


def locate(file: File, layout: Layout) -> Pixels:
    """Return where a file's pixels are.

    Raises
    ------
    FormatError
        If its fragments cannot be assigned to frames.
    """
    element = next(file.data.elements[t] for t in (PIXELS, FLOATS, DOUBLES) if t in file.data.elements)
    extents = frame_extents(file, layout) if file.syntax.encapsulated else None
    return Pixels(
        file.path, file.size, file.syntax, layout, extents, file.data.big, element.vr != "OB", file.deflated is not None
    )


def quick_check(file: File, pixels: Pixels) -> None:
    """Compare the codestream of the first frame with the dataset, without decoding it.

    Raises
    ------
    FormatError
        If it contradicts the dataset or is cut short.
    """
    if pixels.extents is not None:
        stream = b"".join(file.data.view.bytes(start, length) for start, length in pixels.extents[0])
        check_frame(stream, pixels.syntax, pixels.layout, 0, pixels.path)


def full_check(pixels: Pixels) -> None:
    """Check every frame of a small compressed file; those that unpack in this process are unpacked.

    Raises
    ------
    FormatError
        If a codestream contradicts the dataset, is cut short, or unpacks to another size.
    """
    if pixels.extents is None or sum(length for extent in pixels.extents for _, length in extent) > _CHECK_BYTES:
        return
    with _Source(pixels) as source:
        for k, extent in enumerate(pixels.extents):
            deadline.check()
            stream = b"".join(source.read(start, length) for start, length in extent)
            check_frame(stream, pixels.syntax, pixels.layout, k, pixels.path)
            if pixels.syntax.codec == "rle":
                _rle(stream, pixels, k)
            elif pixels.syntax.codec == "deflate":
                _inflated(stream, pixels, k)


def stored(pixels: Pixels, frames: Sequence[int] | None = None) -> tuple[Array, str]:
    """Read stored samples.

    Parameters
    ----------
    pixels
        From `locate`.
    frames
        Which ones, from 0; all by default.

    Returns
    -------
    tuple
        Array of shape (frames, rows, columns[, samples]) in native byte order, and the photometric
        interpretation that colour samples are in.

    Raises
    ------
    FormatError
        If the file is damaged or changed since it was inspected.
    """
    wanted = range(pixels.layout.frames) if frames is None else frames
    with _Source(pixels) as source:
        if pixels.extents is None:
            return _native(source, pixels, wanted), pixels.layout.photometric
        return _decoded(source, pixels, wanted)


class _Source:
    """Byte ranges of the file, or of its inflated dataset."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.inflated: bytes | None = None

    def __enter__(self) -> _Source:
        path = self.pixels.path
        try:
            self.handle = open(path, "rb", buffering=0)
            size = self.handle.seek(0, 2)
        except OSError as error:
            raise FormatError(
                f"{clean(path)} cannot be read any more ({error.strerror}): expected the file that was inspected."
            ) from None
        if size != self.pixels.size:
            self.handle.close()
            raise FormatError(
                f"{clean(path)} changed from {self.pixels.size} to {size} bytes while it was read: expected it to stay; run again."
            )
        if self.pixels.deflated:
            self.inflated = open_file(path, Budget()).deflated
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.close()

    def read(self, start: int, count: int) -> bytearray:
        data = bytearray(count)
        self.into(start, memoryview(data))
        return data

    def into(self, start: int, view: memoryview) -> None:
        """Fill a writable byte view from an offset."""
        count = len(view)
        if self.inflated is not None:
            part = self.inflated[start : start + count]
            view[: len(part)] = part
            got = len(part)
        else:
            self.handle.seek(start)
            got = 0
            while got < count:
                more = self.handle.readinto(view[got:])
                if not more:
                    break
                got += more
        if got != count:
            raise FormatError(
                f"{clean(self.pixels.path)} ended {count - got} bytes too early while it was read: expected whole pixels; run again."
            )


# -- uncompressed --------------------------------------------------------------------------------------


def _native(source: _Source, pixels: Pixels, frames: Sequence[int]) -> Array:
    form = pixels.layout
    if form.allocated in (1, 12):
        return _packed(source, pixels, frames)
    if form.photometric == "YBR_FULL_422":
        return _subsampled(source, pixels, frames)
    size = form.frame_bytes
    if pixels.big and pixels.words and form.allocated == 8:
        return _swapped(source, pixels, frames)
    out = np.empty((len(frames), form.rows, form.columns) + ((form.samples,) if form.samples > 1 else ()), form.dtype)
    first = list(frames)
    if form.planar == 0 and first == list(range(first[0], first[0] + len(first))):
        source.into(form.start + first[0] * size, memoryview(out.data).cast("B"))
    else:
        for k, frame in enumerate(frames):
            part = np.frombuffer(source.read(form.start + frame * size, size), form.dtype)
            planes = part.reshape((form.samples, form.rows, form.columns) if form.planar else out.shape[1:])
            out[k] = np.moveaxis(planes, 0, -1) if form.planar else planes
    if pixels.big and form.allocated > 8:
        out.byteswap(inplace=True)
    return _significant(out, form)


def _swapped(source: _Source, pixels: Pixels, frames: Sequence[int]) -> Array:
    """Bytes that were written as big-endian 16-bit words: every pair is swapped, the padding byte included."""
    form = pixels.layout
    total = form.frame_bytes * form.frames
    data = np.frombuffer(source.read(form.start, min(form.length, total + (total & 1))), np.uint8)
    data = np.concatenate([data, np.zeros(data.size & 1, np.uint8)]).view(np.uint16).byteswap().view(form.dtype)[:total]
    tail = (form.samples,) if form.samples > 1 else ()
    if form.planar:
        planes = data.reshape(form.frames, form.samples, form.rows, form.columns)
        return _significant(np.ascontiguousarray(np.moveaxis(planes, 1, -1)[list(frames)]), form)
    return _significant(data.reshape(form.frames, form.rows, form.columns, *tail)[list(frames)], form)


def _significant(out: Array, form: Layout) -> Array:
    """Clear the bits above the stored ones, or extend the sign into them."""
    spare = out.dtype.itemsize * 8 - form.stored
    if form.floating or spare == 0:
        return out
    if form.signed:
        np.left_shift(out, spare, out=out)
        np.right_shift(out, spare, out=out)
    else:
        np.bitwise_and(out, out.dtype.type((1 << form.stored) - 1), out=out)
    return out


def _packed(source: _Source, pixels: Pixels, frames: Sequence[int]) -> Array:
    form = pixels.layout
    count = form.rows * form.columns * form.samples
    total = (count * form.frames * form.allocated + 7) // 8
    data = np.frombuffer(source.read(form.start, total + (total & 1 if total < form.length else 0)), np.uint8)
    if pixels.big and pixels.words and data.size % 2 == 0:
        data = data.view(np.uint16).byteswap().view(np.uint8)
    if form.allocated == 1:
        flat: Array = np.unpackbits(data, bitorder="little", count=count * form.frames)
    else:
        whole = np.concatenate([data[:total], np.zeros(-total % 3, np.uint8)]).reshape(-1, 3).astype(np.uint16)
        low = whole[:, 0] | (whole[:, 1] & 15) << 8
        flat = np.stack([low, whole[:, 1] >> 4 | whole[:, 2] << 4], axis=1).reshape(-1)[: count * form.frames].astype(form.dtype)
    shape = (form.frames, form.rows, form.columns) + ((form.samples,) if form.samples > 1 else ())
    return _significant(np.ascontiguousarray(flat.reshape(shape)[list(frames)]), form)


def _subsampled(source: _Source, pixels: Pixels, frames: Sequence[int]) -> Array:
    """Two luminance samples share one pair of chrominance samples (PS3.3 C.7.6.3.1.2)."""
    form = pixels.layout
    size = form.rows * form.columns * 2
    if form.columns % 2 or form.allocated != 8:
        raise FormatError(
            f"{clean(pixels.path)}: YBR_FULL_422 with {form.columns} columns of {form.allocated} bits: expected an even number of 8 bits."
        )
    out = np.empty((len(frames), form.rows, form.columns, 3), np.uint8)
    for k, frame in enumerate(frames):
        quads = np.frombuffer(source.read(form.start + frame * size, size), np.uint8).reshape(form.rows, form.columns // 2, 4)
        out[k, :, 0::2, 0], out[k, :, 1::2, 0] = quads[..., 0], quads[..., 1]
        out[k, :, 0::2, 1:], out[k, :, 1::2, 1:] = quads[..., 2:], quads[..., 2:]
    return out


# -- compressed ----------------------------------------------------------------------------------------


def _decoded(source: _Source, pixels: Pixels, frames: Sequence[int]) -> tuple[Array, str]:
    from isocenter.io.dicom.decoder import decode_frame

    assert pixels.extents is not None
    form = pixels.layout
    out: Array | None = None
    photometric = form.photometric
    for k, frame in enumerate(frames):
        extent = pixels.extents[frame]
        deadline.check()
        stream = b"".join(source.read(start, length) for start, length in extent)
        check_frame(stream, pixels.syntax, form, frame, pixels.path)
        if pixels.syntax.codec == "rle":
            part = _rle(stream, pixels, frame)
        elif pixels.syntax.codec == "deflate":
            part = _inflated(stream, pixels, frame)
        else:
            part, photometric = decode_frame(stream, pixels.syntax, form, frame, pixels.path)
        if len(frames) == 1:
            return _as_declared(part[None], form), photometric
        if out is None:
            out = np.empty((len(frames), *part.shape), part.dtype)
        out[k] = part
    assert out is not None
    return _as_declared(out, form), photometric


def _as_declared(array: Array, form: Layout) -> Array:
    """Return decoded samples in the dataset's type (a codec may hand 8-bit samples in 16, or lose the sign)."""
    if array.dtype == form.dtype:
        return _significant(array if array.flags.writeable else array.copy(), form)
    if array.dtype.itemsize == form.dtype.itemsize:
        return _significant(array.view(form.dtype).copy(), form)
    return _significant(array.astype(form.dtype), form)


def _rle(stream: bytes, pixels: Pixels, frame: int) -> Array:
    decode_segment = importlib.import_module("rle.rle").decode_segment  # memory-safe native code, without type hints
    form = pixels.layout
    count = form.rows * form.columns if form.allocated > 1 else (form.rows * form.columns + 7) // 8
    planes = []
    for a, b in rle_segments(stream, form, frame, pixels.path):
        try:
            plane = decode_segment(stream[a:b])
        except ValueError as error:
            raise FormatError(
                f"{clean(pixels.path)}: frame {frame + 1}: an RLE segment is damaged ({clean(error)}): fetch the file again."
            ) from None
        if not count <= len(plane) <= count + 1:  # one byte of padding is tolerated
            raise FormatError(
                f"{clean(pixels.path)}: frame {frame + 1}: an RLE segment unpacks to {len(plane)} bytes: expected {count}; the file is damaged, "
                "fetch it again."
            )
        planes.append(np.frombuffer(plane, np.uint8, count))
    if form.allocated == 1:
        return np.unpackbits(planes[0], bitorder="little", count=form.rows * form.columns).reshape(form.rows, form.columns)
    size = form.dtype.itemsize
    if size == 2 and form.samples == 1:  # the common one: two planes become one of words
        words = np.left_shift(planes[0], 8, dtype=np.uint16)
        words |= planes[1]
        return words.view(form.dtype).reshape(form.rows, form.columns)
    out = np.empty((form.rows, form.columns, form.samples, size), np.uint8)
    for k, plane in enumerate(planes):  # the most significant byte of each sample comes first
        out[:, :, k // size, size - 1 - k % size] = plane.reshape(form.rows, form.columns)
    array = out.reshape(-1).view(form.dtype.newbyteorder("<")).reshape(form.rows, form.columns, form.samples)
    return array[..., 0] if form.samples == 1 else array


def _inflated(stream: bytes, pixels: Pixels, frame: int) -> Array:
    form = pixels.layout
    bits = form.rows * form.columns * form.samples * form.allocated
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = engine.decompress(stream, (bits + 7) // 8 + 1)
    except zlib.error:
        data = b""
    if len(data) < (bits + 7) // 8 or len(data) > (bits + 7) // 8 + 1:
        raise FormatError(
            f"{clean(pixels.path)}: frame {frame + 1} inflates to {len(data)} bytes: expected {(bits + 7) // 8}; fetch the file again."
        )
    shape = (form.rows, form.columns) + ((form.samples,) if form.samples > 1 else ())
    if form.allocated == 1:
        return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little", count=bits).reshape(shape)
    return np.frombuffer(data, form.dtype.newbyteorder("<"), bits // form.allocated).reshape(shape)
