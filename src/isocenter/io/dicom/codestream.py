"""What a compressed frame says about itself, compared with the dataset before a decoder sees it.

References
----------
ITU-T T.81 (JPEG) B.2; ITU-T T.87 (JPEG-LS) C; ITU-T T.800 (JPEG 2000) A.5; DICOM PS3.5 annex G (RLE).
"""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

from isocenter.core.errors import FormatError
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.transfer import Syntax
from isocenter.io.dicom.words import clean

__all__ = ["check_frame", "colours", "rle_segments"]

_FRAMES_OF_JPEG = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_MOST_TILES = 1 << 16


def _bad(path: Path, frame: int, what: str) -> FormatError:
    return FormatError(f"{clean(path)}: frame {frame + 1}: {what}; the file is damaged or altered, fetch it again.")


def check_frame(stream: bytes, form: Syntax, layout: Layout, frame: int, path: Path) -> None:
    """Check one compressed frame against the dataset.

    Parameters
    ----------
    stream
        Its bytes.
    form, layout
        What the dataset says.
    frame, path
        Where it is, for the message.

    Raises
    ------
    FormatError
        If the codestream is of another kind or size, or is cut short.
    """
    if form.codec == "rle":
        rle_segments(stream, layout, frame, path)
    elif form.codec in ("jpeg", "jpeg-ls"):
        _jpeg(stream, form, layout, frame, path)
    elif form.codec == "jpeg-2000":
        _jpeg2000(stream, layout, frame, path)


def _agree(layout: Layout, columns: int, rows: int, samples: int, bits: int, frame: int, path: Path) -> None:
    if (rows, columns, samples) != (layout.rows, layout.columns, layout.samples):
        raise _bad(
            path, frame,
            f"the codestream holds {rows} x {columns} pixels of {samples} sample(s), the dataset says {layout.rows} x {layout.columns} of "
            f"{layout.samples}: expected them to agree",
        )  # fmt: skip
    if bits > layout.allocated:
        raise _bad(
            path, frame, f"the codestream holds samples of {bits} bits, BitsAllocated is {layout.allocated}: expected them to fit"
        )


def _jpeg(stream: bytes, form: Syntax, layout: Layout, frame: int, path: Path) -> None:
    if stream[:2] != b"\xff\xd8":
        raise _bad(path, frame, f"not a {form.name} codestream (no start of image): expected one")
    if b"\xff\xd9" not in stream[-64:]:
        raise _bad(path, frame, "the codestream has no end of image: expected a whole frame")
    pos, seen = 2, False
    while pos + 4 <= len(stream):
        if stream[pos] != 0xFF:
            raise _bad(path, frame, f"no marker at byte {pos} of the codestream: expected one")
        marker = stream[pos + 1]
        if marker == 0xFF:  # fill byte
            pos += 1
            continue
        length = int.from_bytes(stream[pos + 2 : pos + 4], "big")
        if length < 2 or pos + 2 + length > len(stream):
            raise _bad(path, frame, f"a marker segment of {length} bytes ends outside the codestream: expected it inside")
        if marker in _FRAMES_OF_JPEG:
            if length < 8 or seen:
                raise _bad(path, frame, "the codestream has a frame header that is too short or a second one: expected one")
            seen = True
            bits, rows, columns, samples = struct.unpack_from(">BHHB", stream, pos + 4)
            _process(marker, form, frame, path)
            _agree(layout, columns, rows, samples, bits, frame, path)
        elif marker == 0xDA:
            break
        pos += 2 + length
    else:
        raise _bad(path, frame, "the codestream has no scan: expected compressed samples")
    if not seen:
        raise _bad(path, frame, "the codestream has no frame header: expected one before its scan")


def colours(stream: bytes, form: Syntax, photometric: str) -> str:
    """Return the colour space of a JPEG or JPEG-LS codestream of three components.

    Component identifiers that spell RGB, and the marker of JFIF (which means YCbCr), count more than the dataset.

    Parameters
    ----------
    stream
        Checked by `check_frame`.
    form, photometric
        What the dataset says.
    """
    pos = 2
    while pos + 4 <= len(stream) and stream[pos + 1] != 0xDA:
        marker, length = stream[pos + 1], int.from_bytes(stream[pos + 2 : pos + 4], "big")
        if marker == 0xFF:
            pos += 1
            continue
        if marker in _FRAMES_OF_JPEG and stream[pos + 9] == 3 and length >= 17:
            if stream[pos + 10 : pos + 19 : 3] in (b"RGB", b"rgb") and photometric != "RGB":
                return "RGB"
        elif 0xE0 <= marker <= 0xEF and stream[pos + 4 : pos + 8] == b"JFIF" and "YBR" not in photometric:
            photometric = "YBR_FULL_422" if form.uid.endswith("4.50") else "YBR_FULL"
        pos += 2 + length
    return photometric


def _process(marker: int, form: Syntax, frame: int, path: Path) -> None:
    is_ls = marker == 0xF7
    if is_ls != (form.codec == "jpeg-ls"):
        raise _bad(
            path,
            frame,
            f"the codestream is {'JPEG-LS' if is_ls else 'JPEG'}, the transfer syntax {form.name}: expected them to agree",
        )


def _jpeg2000(stream: bytes, layout: Layout, frame: int, path: Path) -> None:
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096)  # a few writers keep the boxes of a JP2 file around it
    if start < 0 or (start and stream[4:8] != b"jP  "):
        raise _bad(path, frame, "not a JPEG 2000 codestream (no SOC and SIZ markers): expected one")
    if len(stream) < start + 45:
        raise _bad(path, frame, "the codestream ends inside its SIZ segment: expected a whole frame")
    size = struct.unpack_from(">HHIIIIIIIIH", stream, start + 4)
    _length, _profile, width, height, left, top, tile_width, tile_height, _tx, _ty, samples = size
    bits = (stream[start + 42] & 0x7F) + 1
    _agree(layout, width - left, height - top, samples, bits, frame, path)
    if not tile_width or not tile_height or -(-width // tile_width) * -(-height // tile_height) > _MOST_TILES:
        raise _bad(
            path, frame, f"the codestream is cut into tiles of {tile_height} x {tile_width}: expected at most {_MOST_TILES} tiles"
        )
    if b"\xff\xd9" not in stream[-64:]:
        raise _bad(path, frame, "the codestream has no end marker: expected a whole frame")


def rle_segments(stream: bytes, layout: Layout, frame: int, path: Path) -> list[tuple[int, int]]:
    """Return where the segments of an RLE frame lie, after checking its header.

    Raises
    ------
    FormatError
        If their number or places do not fit the dataset.
    """
    if layout.photometric == "YBR_FULL_422":
        raise _bad(path, frame, "RLE with YBR_FULL_422: expected a photometric interpretation without subsampling (PS3.5 8.2.2)")
    if len(stream) < 64:
        raise _bad(path, frame, f"the RLE header has {len(stream)} bytes: expected 64")
    count, *offsets = struct.unpack_from("<16I", stream)
    wanted = layout.samples * max(1, layout.allocated // 8)
    if count != wanted:
        raise _bad(path, frame, f"the RLE header names {count} segments: expected {wanted}")
    starts = [*offsets[:count], len(stream)]
    for a, b in itertools.pairwise(starts):
        if not 64 <= a < b <= len(stream):
            raise _bad(
                path, frame, f"an RLE segment starts at byte {a} of {len(stream)}: expected ascending places inside the frame"
            )
    return list(itertools.pairwise(starts))
