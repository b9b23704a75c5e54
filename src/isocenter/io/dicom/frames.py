"""The compressed bytes of each frame, found from offset tables or from the fragments themselves.

References
----------
DICOM PS3.5 annex A.4; PS3.3 C.7.6.3.1.8 (extended offset table).
"""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

from isocenter.core.errors import FormatError
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.words import clean

__all__ = ["Extents", "frame_extents"]

#: Of each frame: the byte ranges of the file that make it up; of a video there is one entry for all frames.
Extents = tuple[tuple[tuple[int, int], ...], ...]

_EXTENDED = 0x7FE00001


def _bad(path: Path, what: str) -> FormatError:
    return FormatError(f"{clean(path)}: {what}; the file is damaged, fetch it again.")


def frame_extents(file: File, layout: Layout) -> Extents:
    """Return where the bytes of every frame lie in the file.

    Parameters
    ----------
    file
        The opened file, its pixels in fragments.
    layout
        Number of frames, and the fragments.

    Raises
    ------
    FormatError
        If the offset table points outside the fragments, or they cannot be told apart.
    """
    fragments = layout.fragments
    assert fragments is not None
    pieces = fragments[1:]
    if file.syntax.codec == "video":  # one stream for all frames, whose offset table says nothing
        return (tuple(pieces),)
    table = _offsets(file, layout)
    if table is None:
        return _without_table(file, layout, pieces)
    first = pieces[0][0] - 8
    by_start = {start - 8 - first: k for k, (start, _) in enumerate(pieces)}
    try:
        order = [by_start[offset] for offset in table]
    except KeyError as missing:
        raise _bad(
            file.path, f"the offset table of PixelData points to byte {missing.args[0]}, where no fragment starts: expected one"
        ) from None
    if order[0] != 0 or any(b <= a for a, b in itertools.pairwise(order)):
        raise _bad(file.path, "the offset table of PixelData is not ascending: expected the frames in order")
    ends = [*order[1:], len(pieces)]
    return tuple(tuple(pieces[a:b]) for a, b in zip(order, ends, strict=True))


def _offsets(file: File, layout: Layout) -> list[int] | None:
    assert layout.fragments is not None
    start, length = layout.fragments[0]
    table: list[int] | None = None
    if length:
        if length % 4 or length != 4 * layout.frames:
            raise _bad(
                file.path,
                f"the offset table of PixelData has {length} bytes for {layout.frames} frames: expected {4 * layout.frames}",
            )
        table = list(struct.unpack(f"<{layout.frames}I", file.data.view.bytes(start, length)))
    elif (extended := file.data.elements.get(_EXTENDED)) is not None and extended.length:
        if extended.length != 8 * layout.frames:
            raise _bad(
                file.path,
                f"ExtendedOffsetTable has {extended.length} bytes for {layout.frames} frames: expected {8 * layout.frames}",
            )
        table = list(struct.unpack(f"<{layout.frames}Q", file.data.view.bytes(extended.start, extended.length)))
    if table is None or layout.frames == 1:
        # One frame is all the fragments, but its table must not lie.
        if table is not None and table[0] != 0:
            raise _bad(
                file.path, f"the offset table of PixelData points to byte {table[0]}, where no fragment starts: expected 0"
            )
        return None
    return table


def _without_table(file: File, layout: Layout, pieces: tuple[tuple[int, int], ...]) -> Extents:
    if layout.frames == 1:
        return (pieces,)
    if len(pieces) == layout.frames:
        return tuple((piece,) for piece in pieces)
    if len(pieces) < layout.frames:
        raise _bad(file.path, f"PixelData has {len(pieces)} fragments for {layout.frames} frames: expected at least one each")
    if file.syntax.codec == "rle":
        raise _bad(file.path, f"PixelData has {len(pieces)} RLE fragments for {layout.frames} frames: expected one each")
    # A frame of JPEG ends with the fragment whose last bytes are the end marker (FFD9, perhaps padded).
    frames: list[tuple[tuple[int, int], ...]] = []
    current: list[tuple[int, int]] = []
    for start, length in pieces:
        current.append((start, length))
        tail = file.data.view.bytes(start + max(0, length - 4), min(4, length))
        if tail.rstrip(b"\0").endswith(b"\xff\xd9"):
            frames.append(tuple(current))
            current = []
    if current or len(frames) != layout.frames:
        raise _bad(
            file.path,
            f"PixelData has {len(pieces)} fragments in {len(frames)} whole codestreams for {layout.frames} frames: expected one each",
        )
    return tuple(frames)
