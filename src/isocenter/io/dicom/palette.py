"""Segmented palettes: tables written as runs, ramps and repeats of earlier segments.

References
----------
DICOM PS3.3 C.7.9.2 (segmented palette color lookup table data).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.io.dicom.words import clean

__all__ = ["expand"]

DISCRETE, LINEAR, INDIRECT = 0, 1, 2
#: No table of 65,536 entries needs more; segments that give nothing could repeat each other for ever.
LONGEST, MOST_SEGMENTS = 1 << 20, 1 << 18


def expand(raw: bytes, count: int, wide: bool, big: bool, path: Path) -> npt.NDArray[np.uint16]:
    """Return the table that segments describe.

    Parameters
    ----------
    raw
        The segments.
    count
        Entries of the table.
    wide
        Whether entries, and with them codes and lengths, have 16 bits.
    big
        Whether words are big endian.
    path
        The file, for the message.

    Raises
    ------
    FormatError
        If a segment is unknown, ends outside, repeats a repeat, or the table has another length.
    """
    if len(raw) > LONGEST:
        raise FormatError(
            f"{clean(path)}: a segmented palette has {len(raw)} bytes: expected at most {LONGEST}; export the file again."
        )
    words = np.frombuffer(raw[: len(raw) // 2 * 2], ">u2" if big else "<u2") if wide else np.frombuffer(raw, np.uint8)
    return _Unfolding([int(w) for w in words], count, wide, path).table()


class _Unfolding:
    """The table as far as it has been written, and the words that it is written from."""

    def __init__(self, data: list[int], count: int, wide: bool, path: Path) -> None:
        self.data, self.count, self.wide, self.path = data, count, wide, path
        self.out: list[int] = []
        self.steps = 0

    def table(self) -> npt.NDArray[np.uint16]:
        """Follow all segments."""
        at = 0
        while at < len(self.data) and len(self.out) < self.count:  # a byte of padding may follow
            at = self.segment(at, False)
        if len(self.out) != self.count:
            raise self.wrong(f"gives {len(self.out)} entries")
        return np.array(self.out, np.uint16)

    def wrong(self, what: str) -> FormatError:
        return FormatError(
            f"{clean(self.path)}: a segmented palette {what}: expected {self.count} entries of PS3.3 C.7.9.2; export the file again."
        )

    def words(self, at: int, count: int) -> list[int]:
        if at + count > len(self.data):
            raise self.wrong("ends within a segment")
        return self.data[at : at + count]

    def segment(self, at: int, repeated: bool) -> int:
        """Append one segment and return where the next begins."""
        self.steps += 1
        if self.steps > MOST_SEGMENTS:
            raise self.wrong(f"takes more than {MOST_SEGMENTS} segments")
        code, length = self.words(at, 2)
        at += 2
        if code == DISCRETE:
            self.out.extend(self.words(at, length))
            at += length
        elif code == LINEAR:
            (end,) = self.words(at, 1)
            if not self.out:
                raise self.wrong("begins with a ramp")
            self.out.extend(int(v) for v in np.rint(np.linspace(self.out[-1], end, length + 1)[1:]))
            at += 1
        elif code == INDIRECT and not repeated:
            at = self.repeat(at, length)
        else:
            raise self.wrong(f"holds a segment of kind {code}{' within a repeat' if repeated else ''}")
        if len(self.out) > self.count:
            raise self.wrong("gives more entries than its descriptor says")
        return at

    def repeat(self, at: int, length: int) -> int:
        """Append `length` earlier segments, from a byte of the data on, and return where the next segment begins."""
        size, bits = (2, 16) if self.wide else (4, 8)
        place = sum(part << bits * k for k, part in enumerate(self.words(at, size))) // (2 if self.wide else 1)
        for _ in range(length):
            place = self.segment(place, True)
        return at + size
