"""The element structure of a dataset, walked without recursion and without trusting a length.

Nothing is allocated on the word of a header: every length is compared with what encloses it first, nesting
is counted, and values are left where they are until they are asked for.

References
----------
DICOM PS3.5 section 7 (data elements, sequences of items) and annex A.4 (encapsulation).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.datadict import DicomDictionary

from isocenter.core.errors import BudgetError, FormatError
from isocenter.io import deadline
from isocenter.io.dicom.words import clean, tag_name

__all__ = ["Dataset", "Element", "View", "walk"]

UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
_PADDING = 0xFFFCFFFC  # data set trailing padding, and our mark for zeros after the pixels
_PIXELS = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))
_SHORT = frozenset(
    ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US")
)
_LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
VRS = _SHORT | _LONG
_SHORT_BYTES = {v.encode(): v for v in _SHORT}
_LONG_BYTES = {v.encode(): v for v in _LONG}


#: Tag, value representation and both forms of its length; the last 4 bytes are there wherever the form has them.
_HEADS = {False: struct.Struct("<HH2sHI"), True: struct.Struct(">HH2sHI")}


class View:
    """Bytes of a file, fetched as they are needed.

    Parameters
    ----------
    read
        Returns `count` bytes from an offset (fewer at the end).
    size
        Bytes in all.
    base
        What a retained first block is filled with.
    """

    __slots__ = ("base", "data", "head", "read", "size")

    def __init__(self, read: Callable[[int, int], bytes], size: int, first: int = 16384) -> None:
        self.read = read
        self.size = size
        self.base = 0
        self.data = read(0, min(first, size))
        self.head = self.data  # kept when the walk goes on behind the pixels: values are asked for afterwards

    def ensure(self, start: int, count: int) -> int:
        """Make `count` bytes from `start` available and return their place in `data`; `start + count <= size`."""
        place = start - self.base
        if place >= 0 and place + count <= len(self.data):
            return place
        if self.base == 0 and start <= len(self.data) + 65536:  # grow the first block: headers are mostly read in order
            wanted = min(self.size, max(start + count, 4 * len(self.data)))
            if wanted <= 1 << 26:
                self.data += self.read(len(self.data), wanted - len(self.data))
                self.head = self.data
                return start
        self.base = start
        self.data = self.read(start, min(self.size - start, max(count, 4096)))
        return 0

    def bytes(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start`."""
        place = start - self.base
        if place >= 0 and place + count <= len(self.data):
            return self.data[place : place + count]
        if start + count <= len(self.head):
            return self.head[start : start + count]
        return self.read(start, count)


@dataclass(slots=True)
class Element:
    """Where one value lies; `items` are the datasets of a sequence, `fragments` of encapsulated pixels."""

    tag: int
    vr: str
    start: int
    length: int
    items: list[Dataset] | None = None
    fragments: list[tuple[int, int]] | None = None


@dataclass(slots=True)
class Dataset:
    """Elements by tag, how their values are written, and (of an item) where it starts."""

    view: View
    path: Path
    big: bool = False
    implicit: bool = False
    elements: dict[int, Element] = field(default_factory=dict)
    encodings: tuple[str, ...] | None = None
    parent: Dataset | None = None
    start: int = 0


def _short_of(path: Path, what: str, want: int, have: int) -> FormatError:
    return FormatError(
        f"{clean(path)}: {what} claims {want} bytes where {max(have, 0)} are left: expected a whole file; "
        "it was cut short or altered, fetch it again."
    )


class _Walk:
    """State of one walk; `run` does the work in one loop with a stack of its own."""

    def __init__(self, root: Dataset, start: int, nesting: int, group: int | None) -> None:
        self.root = root
        self.view = root.view
        self.path = root.path
        self.pos = start
        self.nesting = nesting
        self.group = group  # stop before the first element of another group (file meta information)
        self.stack: list[tuple[Dataset, int]] = [(root, root.view.size)]
        # Each open sequence: its element, its end (UNDEFINED where a delimiter ends it), and the enclosing limit.
        self.sequences: list[tuple[Element, int, int]] = []
        self.in_items = False

    def run(self) -> int:
        while self.stack:
            deadline.check()
            if self.in_items:
                self._next_item()
            elif self._elements():
                break
        return self.pos

    # -- inside a dataset ------------------------------------------------------------------------------

    def _elements(self) -> bool:
        """Walk elements until a sequence opens or the dataset ends; return True at the end of the walk."""
        data, end = self.stack[-1]
        nested = len(self.stack) > 1
        delimited = nested and end == UNDEFINED
        limit = self._limit()
        elements = data.elements
        pos = self.pos
        while True:
            if pos >= limit:
                if delimited:
                    raise _short_of(self.path, "an item without its delimiter", 8, 0)
                self.pos = pos
                return self._close_item() if nested else True
            tag, vr, length, value = self._header(data, pos, limit)
            if tag == _ITEM_END and delimited:
                self.pos = pos + 8
                return self._close_item()
            if tag == _PADDING or (self.group is not None and tag >> 16 != self.group):
                self.pos = limit if tag == _PADDING else pos
                return True
            if tag in elements:
                raise FormatError(
                    f"{clean(self.path)}: {tag_name(tag)} occurs twice in one dataset: expected each element once; "
                    "which value holds cannot be known, export the file again."
                )
            if length != UNDEFINED and value + length > limit:
                raise _short_of(self.path, tag_name(tag), length, limit - value)
            elements[tag] = element = Element(tag, vr, value, length)
            if length == UNDEFINED and tag in _PIXELS and vr in ("OB", "OW", "UN", "OB or OW"):
                self.pos = value
                self._fragments(element, limit)
                pos = self.pos
            elif length == UNDEFINED or vr == "SQ" or (vr == "UN" and length >= 8 and self._public_sequence(tag)):
                self._open(element, value, UNDEFINED if length == UNDEFINED else value + length, limit)
                return False
            else:
                pos = value + length

    def _header(self, data: Dataset, pos: int, limit: int) -> tuple[int, str, int, int]:
        """Return tag, value representation, length and place of the value of the element at `pos`."""
        if pos + 8 > limit:
            if self._only_padding(data, pos):
                return _PADDING, "", 0, limit
            raise _short_of(self.path, "an element header", 8, limit - pos)
        place = self.view.ensure(pos, min(12, self.view.size - pos))
        buffer = self.view.data
        if place + 12 <= len(buffer):
            group, number, code, short_length, length = _HEADS[data.big].unpack_from(buffer, place)
        else:  # the last 8 to 11 bytes of the file
            group, number, code, short_length, length = _HEADS[data.big].unpack(buffer[place : place + 8] + bytes(4))
        tag = group << 16 | number
        if group == 0xFFFE and (tag != _ITEM_END or len(self.stack) == 1 or self.stack[-1][1] != UNDEFINED):
            raise FormatError(
                f"{clean(self.path)}: a stray item or delimiter {tag_name(tag)} at byte {pos}: expected a data element; "
                "the file is damaged, fetch it again."
            )
        if tag == 0 and self._only_padding(data, pos):
            return _PADDING, "", 0, limit
        if data.implicit or group == 0xFFFE:
            entry = DicomDictionary.get(tag)
            length = struct.unpack_from(">I" if data.big else "<I", buffer, place + 4)[0]
            return tag, entry[0] if entry is not None else "UN", length, pos + 8
        short = _SHORT_BYTES.get(code)
        if short is not None:
            return tag, short, short_length, pos + 8
        if self.group is not None and group != self.group:
            return tag, "UN", 0, pos + 8  # another group may be written in another way: the walk ends here
        vr = _LONG_BYTES.get(code) or self._strange_vr(code, tag, pos)
        if pos + 12 > limit:
            raise _short_of(self.path, f"the header of {tag_name(tag)}", 12, limit - pos)
        return tag, vr, length, pos + 12

    def _only_padding(self, data: Dataset, pos: int) -> bool:
        """Return whether nothing but zeros follows the pixels of the outermost dataset."""
        rest = self.view.size - pos
        if data is not self.root or PIXEL_DATA not in data.elements or rest > 1 << 20:
            return False
        return not any(self.view.bytes(pos, rest))

    def _strange_vr(self, code: bytes, tag: int, pos: int) -> str:
        if code.isalpha() and code.isupper():
            return "UN"  # a value representation newer than this reader: PS3.5 6.2.2 gives it a 32-bit length
        raise FormatError(
            f"{clean(self.path)}: element {tag_name(tag)} at byte {pos} has no value representation: expected explicit VR as its "
            "transfer syntax says; the file is damaged or its transfer syntax is wrong, export it again."
        )

    @staticmethod
    def _public_sequence(tag: int) -> bool:
        entry = DicomDictionary.get(tag)
        return entry is not None and entry[0] == "SQ"

    def _limit(self) -> int:
        """Return where the current dataset must end at the latest."""
        end = self.stack[-1][1]
        if end != UNDEFINED:
            return end
        for _element, sequence_end, limit in reversed(self.sequences):
            return sequence_end if sequence_end != UNDEFINED else limit
        return self.view.size

    # -- sequences -------------------------------------------------------------------------------------

    def _open(self, element: Element, start: int, end: int, limit: int) -> None:
        if len(self.sequences) >= self.nesting:
            raise BudgetError(
                f"{clean(self.path)}: sequences are nested more than {self.nesting} deep (at {tag_name(element.tag)}): expected fewer; "
                "no real object needs that, the file is refused."
            )
        element.items = []
        self.sequences.append((element, end, limit))
        self.in_items = True
        self.pos = start

    def _next_item(self) -> None:
        element, end, limit = self.sequences[-1]
        parent = self.stack[-1][0]
        stop = end if end != UNDEFINED else limit
        if end != UNDEFINED and self.pos == end:
            self._close_sequence()
            return
        if self.pos + 8 > stop:
            raise _short_of(self.path, f"an item of {tag_name(element.tag)}", 8, stop - self.pos)
        # A sequence kept in an unknown value representation is written implicit little endian (PS3.5 6.2.2).
        unknown = element.vr == "UN" and not parent.implicit
        big = parent.big and not unknown
        place = self.view.ensure(self.pos, 8)
        group, number, length = struct.unpack_from(">HHI" if big else "<HHI", self.view.data, place)
        tag = group << 16 | number
        self.pos += 8
        if tag == _SEQUENCE_END and end == UNDEFINED:
            self._close_sequence()
            return
        if tag != _ITEM:
            raise FormatError(
                f"{clean(self.path)}: {tag_name(element.tag)} holds {tag_name(tag)} at byte {self.pos - 8} where an item was expected; "
                "the file is damaged, fetch it again."
            )
        if length != UNDEFINED and self.pos + length > stop:
            raise _short_of(self.path, f"an item of {tag_name(element.tag)}", length, stop - self.pos)
        item = Dataset(self.view, self.path, big, parent.implicit or unknown, parent=parent, start=self.pos - 8)
        assert element.items is not None
        element.items.append(item)
        self.stack.append((item, UNDEFINED if length == UNDEFINED else self.pos + length))
        self.in_items = False

    def _close_item(self) -> bool:
        self.stack.pop()
        self.in_items = True
        return False

    def _close_sequence(self) -> None:
        self.sequences.pop()
        self.in_items = False

    # -- encapsulated pixels ---------------------------------------------------------------------------

    def _fragments(self, element: Element, limit: int) -> None:
        fragments: list[tuple[int, int]] = []
        pos = self.pos
        big = self.stack[-1][0].big
        while True:
            if pos + 8 > limit:
                raise _short_of(self.path, "PixelData (7FE0,0010) without its sequence delimiter", 8, limit - pos)
            place = self.view.ensure(pos, 8)
            group, number, length = struct.unpack_from(">HHI" if big else "<HHI", self.view.data, place)
            tag = group << 16 | number
            pos += 8
            if tag == _SEQUENCE_END:
                break
            if tag != _ITEM:
                raise FormatError(
                    f"{clean(self.path)}: PixelData (7FE0,0010) holds {tag_name(tag)} at byte {pos - 8} where a fragment was "
                    "expected; the file is damaged, fetch it again."
                )
            if pos + length > limit:
                raise _short_of(self.path, f"fragment {len(fragments)} of PixelData (7FE0,0010)", length, limit - pos)
            fragments.append((pos, length))
            pos += length
        element.fragments = fragments
        self.pos = pos


def walk(dataset: Dataset, start: int = 0, *, nesting: int = 128, group: int | None = None) -> int:
    """Fill `dataset` with the places of its elements and return where it ended.

    Parameters
    ----------
    dataset
        Empty, with its view and encoding set.
    start
        Byte of its first element.
    nesting
        Most sequences that may be open at once.
    group
        Stop before the first element of another group; None walks to the end.

    Raises
    ------
    FormatError
        Where the structure is broken: a length beyond what encloses it, an element twice, a missing delimiter.
    BudgetError
        Where sequences are nested too deep.
    """
    return _Walk(dataset, start, nesting, group).run()
