"""Samples: one block of numbers in a file, plain or compressed, as its header promises it.

Nothing is filled in: a block that is too short is refused, one that goes on is measured no further than it must
be, and check sums are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.io.streams import Coding, Stream

__all__ = ["Block", "count_text", "odd_count", "remarks"]

#: A compressed file may go on for this many bytes after its last sample; the check sum stands behind them.
SURPLUS = 1 << 16
CHUNK = 1 << 24


def count_text(n: int, what: str) -> str:
    """Return a number with its noun, in the singular for one: ``1 voxel``, ``2 voxels``."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def remarks(surplus: int, odd: int) -> list[str]:
    """Return what should be known of surplus bytes and of samples that are not finite."""
    found = [f"Passed over after the last sample: {count_text(surplus, 'byte')}."] if surplus else []
    return found + ([f"Without a finite value (NaN or infinity): {count_text(odd, 'sample')}."] if odd else [])


@dataclass(frozen=True)
class Block:
    """Where samples lie and how they are stored.

    Attributes
    ----------
    path, coding, start, skip
        The file, its compression, the byte at which the (compressed) data begin, and how many decoded bytes to
        pass over after that.
    shape, dtype
        As stored, in C order, with the stored byte order.
    name
        Of the file that the user named, for messages.
    """

    path: Path
    coding: Coding
    start: int
    skip: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    name: str

    @property
    def nbytes(self) -> int:
        """Bytes of the samples."""
        return math.prod(self.shape) * self.dtype.itemsize

    def _short(self, got: int) -> FormatError:
        size = " x ".join(str(n) for n in self.shape[::-1])
        return FormatError(
            f"{self.name}: its header promises {size} samples ({self.nbytes} bytes), but only {got} bytes are there: "
            "expected a whole file; get a fresh copy."
        )

    def check_length(self) -> None:
        """Refuse an uncompressed file that is too short, without reading it."""
        if self.coding == "raw":
            there = max(0, self.path.stat().st_size - self.start - self.skip)
            if there < self.nbytes:
                raise self._short(there)

    def _opened(self) -> Stream:
        stream = Stream(self.path, self.coding, self.start)
        try:
            if stream.skip(self.skip) < self.skip:
                raise self._short(0)
        except BaseException:
            stream.__exit__()
            raise
        return stream

    def _surplus(self, stream: Stream) -> int:
        surplus = stream.surplus(SURPLUS)
        if surplus > SURPLUS and self.coding != "raw":
            raise FormatError(
                f"{self.name}: its compressed data go on after the {self.nbytes} bytes of samples that its header promises: "
                "expected them to end there; get a fresh copy."
            )
        return surplus

    def verify(self) -> tuple[int, int]:
        """Read everything once in small pieces; return the surplus bytes and how many samples are not finite.

        Raises
        ------
        FormatError
            If the data are damaged or end early.
        """
        left, odd = self.nbytes, 0
        with self._opened() as stream:
            while left:
                piece = np.empty(min(left, CHUNK), np.uint8)
                got = stream.readinto(piece)
                if got < len(piece):
                    raise self._short(self.nbytes - left + got)
                left -= got
                if self.dtype.kind in "fc":
                    odd += int((~np.isfinite(piece.view(self.dtype))).sum())
            return self._surplus(stream), odd

    def read(self) -> tuple[npt.NDArray[Any], int]:
        """Return the samples in the machine's byte order, and the number of surplus bytes.

        Raises
        ------
        FormatError
            If the data are damaged or end early.
        """
        stored = np.empty(self.shape, self.dtype)
        with self._opened() as stream:
            got = stream.readinto(stored)
            if got < stored.nbytes:
                raise self._short(got)
            surplus = self._surplus(stream)
        native = self.dtype.newbyteorder("=")
        if native != self.dtype:
            stored = stored.byteswap(inplace=True).view(native)
        return stored, surplus


def odd_count(values: npt.NDArray[Any]) -> int:
    """Return how many samples are not finite."""
    return values.size - int(np.isfinite(values).sum()) if values.dtype.kind in "fc" else 0
