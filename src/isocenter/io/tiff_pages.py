"""The pages of a TIFF file: its directories walked and checked before any library sees them.

A directory may name any byte of the file and any count; here every count is compared with the size of the file,
every page with the budget, and the chain of pages with itself.

References
----------
Adobe, TIFF Revision 6.0; BigTIFF design (AWare Systems).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.io import deadline
from isocenter.io.budget import Budget

__all__ = ["Directory", "Page", "directories", "pages"]

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 256, 257, 258, 259, 262, 270
OFFSETS, SAMPLES, ROWS, COUNTS, X_RESOLUTION, Y_RESOLUTION, PLANAR, UNIT = 273, 277, 278, 279, 282, 283, 284, 296
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SAMPLE_FORMAT = 322, 323, 324, 325, 339
MOST_ENTRIES = 4096
LONGEST_TEXT = 1 << 22


@dataclass(frozen=True)
class Page:
    """What the directory of one page says.

    Attributes
    ----------
    width, height, samples, bits, format
        Pixels, samples per pixel, bits per sample, and their kind (1 unsigned, 2 signed, 3 float).
    compression, photometric, planar
        Codes of the tags.
    blocks, expected
        First byte and length of every strip or tile, and the bytes that one of them may decode to.
    description
        Text of the page.
    resolution, unit
        Pixels per unit along x and y (0 where not stated); 1 none, 2 inch, 3 cm.
    """

    width: int
    height: int
    samples: int
    bits: int
    format: int
    compression: int
    photometric: int
    planar: int
    blocks: tuple[tuple[int, int], ...]
    expected: int
    description: str
    resolution: tuple[float, float]
    unit: int

    @property
    def key(self) -> tuple[int, ...]:
        """What pages of one stack have in common."""
        return self.height, self.width, self.samples, self.bits, self.format, self.photometric


class Directory:
    """The tags of one page."""

    def __init__(self, handle: BinaryIO, place: int, order: str, big: bool, size: int, name: str) -> None:
        self.handle, self.order, self.size, self.name = handle, order, size, name
        self.place, self.big = place, big
        count_code, entry = ("Q", 20) if big else ("H", 12)
        head = struct.calcsize(count_code)
        if not 8 <= place <= size - head:
            raise self.wrong(f"a page directory at byte {place} of {size}", "it inside the file")
        handle.seek(place)
        count = struct.unpack(order + count_code, handle.read(head))[0]
        if not 0 < count <= MOST_ENTRIES or place + head + count * entry > size:
            raise self.wrong(f"a page directory of {count} tags", f"1 to {MOST_ENTRIES} inside the file")
        raw = handle.read(count * entry)
        rest = handle.read(8 if big else 4)
        self.next = struct.unpack(order + ("Q" if big else "I"), rest)[0] if len(rest) == (8 if big else 4) else 0
        self.tags: dict[int, tuple[int, int, bytes]] = {}
        self.inline: dict[int, int] = {}
        for k in range(count):
            tag, kind, n = struct.unpack_from(order + ("HHQ" if big else "HHI"), raw, k * entry)
            value = raw[k * entry + (12 if big else 8) : (k + 1) * entry]
            self.inline[tag] = place + head + k * entry + (12 if big else 8)
            length = SIZES.get(kind, 1) * n
            if length > size:
                raise self.wrong(f"tag {tag} has {n} values", f"no more than fit the file of {size} bytes")
            if length > len(value):
                at = struct.unpack(order + ("Q" if big else "I"), value)[0]
                if at + length > size:
                    raise self.wrong(f"the values of tag {tag} end at byte {at + length} of {size}", "them inside the file")
                value = b"@" + struct.pack("<Q", at)
            self.tags.setdefault(tag, (kind, n, value))

    def wrong(self, what: str, expected: str) -> FormatError:
        """Return the error that says so."""
        return FormatError(f"{self.name}: {what}: expected {expected}; get a sound copy of the file.")

    def beside(self, place: int) -> Directory:
        """Return another directory of the same file."""
        return Directory(self.handle, place, self.order, self.big, self.size, self.name)

    def table(self, tag: int) -> tuple[int, str, int]:
        """Return where the numbers of a tag begin in the file, their NumPy type and how many there are."""
        kind, count, value = self.tags[tag]
        if kind not in CODES:
            raise self.wrong(f"tag {tag} is of type {kind}", "whole numbers")
        at = struct.unpack("<Q", value[1:])[0] if value[:1] == b"@" and len(value) == 9 else self.inline[tag]
        return at, f"{self.order}u{SIZES[kind]}", count

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a tag's values."""
        kind, count, value = self.tags[tag]
        length = SIZES.get(kind, 1) * count
        if value[:1] == b"@" and len(value) == 9:
            self.handle.seek(struct.unpack("<Q", value[1:])[0])
            return self.handle.read(length)
        return value[:length]

    def numbers(self, tag: int, default: Sequence[int] = ()) -> Sequence[int]:
        """Return the whole numbers of a tag."""
        if tag not in self.tags:
            return default
        kind, count, _ = self.tags[tag]
        if kind not in CODES:
            raise self.wrong(f"tag {tag} is of type {kind}", "whole numbers")
        return struct.unpack(f"{self.order}{count}{CODES[kind]}", self.raw(tag))

    def number(self, tag: int, default: int | None = None) -> int:
        """Return the first whole number of a tag."""
        found = self.numbers(tag, () if default is None else (default,))
        if not found:
            raise self.wrong(f"has no tag {tag}", "it in every page")
        return int(found[0])

    def text(self, tag: int) -> str:
        """Return the text of a tag, nothing where it has none."""
        if tag not in self.tags or self.tags[tag][0] not in (2, 7) or self.tags[tag][1] > LONGEST_TEXT:
            return ""
        return self.raw(tag).rstrip(b"\0").decode("utf-8", "replace")

    def fraction(self, tag: int) -> float:
        """Return the first fraction of a tag, 0 where it has none."""
        if tag not in self.tags or self.tags[tag][0] != 5 or self.tags[tag][1] < 1:
            return 0.0
        above, below = struct.unpack(self.order + "II", self.raw(tag)[:8])
        return above / below if below else 0.0


def _page(d: Directory) -> Page:
    width, height = d.number(WIDTH), d.number(HEIGHT)
    if width < 1 or height < 1:
        raise d.wrong(f"a page of {width} x {height} pixels", "at least one each way")
    samples = d.number(SAMPLES, 1)
    bits = d.numbers(BITS, (1,))
    formats = d.numbers(SAMPLE_FORMAT, (1,))
    if not 1 <= samples <= 64 or len(set(bits)) != 1 or len(set(formats)) != 1:
        raise UnsupportedError(
            f"{d.name}: samples of {sorted(set(bits))} bits, {samples} a pixel: expected one type for all of them."
        )
    blocks, expected = _blocks(d, width, height, samples * int(bits[0]))
    return Page(
        width, height, samples, int(bits[0]), int(formats[0]), d.number(COMPRESSION, 1), d.number(PHOTOMETRIC, 1),
        d.number(PLANAR, 1), blocks, expected, d.text(DESCRIPTION), (d.fraction(X_RESOLUTION), d.fraction(Y_RESOLUTION)), d.number(UNIT, 2),
    )  # fmt: skip


def _blocks(d: Directory, width: int, height: int, bits: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Return place and length of every strip or tile, and the most bytes that one of them decodes to.

    Libraries fill a block that is missing with zeros; here as many are asked for as the page needs.
    """
    tiled = TILE_OFFSETS in d.tags
    offsets = d.numbers(TILE_OFFSETS if tiled else OFFSETS)
    counts = d.numbers(TILE_COUNTS if tiled else COUNTS)
    if tiled:
        across, down = d.number(TILE_WIDTH), d.number(TILE_HEIGHT)
        if across < 1 or down < 1:
            raise d.wrong(f"tiles of {across} x {down} pixels", "at least one each way")
    else:
        across, down = width, min(height, max(1, d.number(ROWS, height)))
    planes = d.number(SAMPLES, 1) if d.number(PLANAR, 1) == 2 else 1
    needed = -(-width // across) * -(-height // down) * planes
    if len(offsets) != needed or len(counts) != needed:
        raise d.wrong(
            f"{len(offsets)} blocks of pixels with {len(counts)} lengths", f"{needed} of each for {width} x {height} pixels"
        )
    for at, length in zip(offsets, counts, strict=True):
        if not length or at + length > d.size:
            raise d.wrong(f"a block of pixels from byte {at} to {at + length} of {d.size}", "some bytes inside the file")
    size = down * -(-across * bits // planes // 8)
    if d.number(COMPRESSION, 1) == 1 and sum(counts) < height * (width * bits // 8):
        raise d.wrong(f"{sum(counts)} bytes of pixels for {width} x {height} of them", f"at least {height * (width * bits // 8)}")
    return tuple(zip((int(v) for v in offsets), (int(v) for v in counts), strict=True)), size


def directories(handle: BinaryIO, path: Path, budget: Budget) -> Iterator[Directory]:
    """Give the directories of a TIFF file in their order.

    Parameters
    ----------
    handle
        The opened file.
    path
        The file.
    budget
        Limits of the number of pages.

    Raises
    ------
    FormatError
        If a directory leads outside the file or back to an earlier one, or there is none.
    """
    size = path.stat().st_size
    head = handle.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    version = struct.unpack(order + "H", head[2:4])[0] if order and len(head) >= 8 else 0
    if version not in (42, 43) or (version == 43 and len(head) < 16):
        raise FormatError(f"{path.name}: does not begin as a TIFF does: expected its byte order and version; get a sound copy.")
    big = version == 43
    place = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])[0]
    seen: set[int] = set()
    while place:
        if place in seen:
            raise FormatError(
                f"{path.name}: its list of pages leads back to page {len(seen)}: expected it to end; get a sound copy."
            )
        seen.add(place)
        budget.check_frames(len(seen), path)
        deadline.check()
        directory = Directory(handle, place, order, big, size, path.name)
        yield directory
        place = directory.next
    if not seen:
        raise FormatError(f"{path.name}: has no page: expected at least one; get a sound copy.")


def pages(path: Path, budget: Budget) -> list[Page]:
    """Return what the directories of a TIFF file say, every one checked.

    Parameters
    ----------
    path
        The file.
    budget
        Limits of the pages and of their number.

    Raises
    ------
    FormatError
        If a directory leads outside the file or back to an earlier one.
    BudgetError
        If a page is too large.
    """
    found: list[Page] = []
    with path.open("rb") as handle:
        for directory in directories(handle, path, budget):
            page = _page(directory)
            budget.check_pixels(page.width * page.height, path)
            total = budget.check_shape((page.height, page.width, page.samples), max(1, page.bits // 8), path, "a page")
            if page.compression != 1:
                budget.check_ratio(sum(n for _, n in page.blocks), total, path, "decoding")
            found.append(page)
    return found
