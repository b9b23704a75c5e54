"""Streams: bytes of a plain or compressed file, never more of them than were asked for.

A decompressor is told how much it may give back, so that a small file cannot fill the memory, and a stream that
ends early, has a wrong check sum or goes on after its end is named as such.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.io import deadline

__all__ = ["Coding", "Stream", "coding_of"]

Coding = Literal["raw", "gzip", "bzip2", "xz", "zlib"]

CHUNK = 1 << 18
#: Memory that an xz stream may ask for its dictionary (its highest usual preset takes 65 MiB).
XZ_MEMORY = 1 << 27


def coding_of(head: bytes) -> Coding:
    """Return how a file is compressed, from its first bytes."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    return "bzip2" if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90") else "raw"


def _inflater(coding: Coding) -> Any:
    if coding == "bzip2":
        return bz2.BZ2Decompressor()
    if coding == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
    return zlib.decompressobj(31 if coding == "gzip" else 15)


class Stream:
    """A readable stream of decoded bytes.

    Parameters
    ----------
    path
        The file.
    coding
        How it is compressed.
    start
        Byte of the file at which the (compressed) data begin.
    """

    def __init__(self, path: Path, coding: Coding = "raw", start: int = 0) -> None:
        self.path = path
        self.coding: Coding = coding
        self._file = path.open("rb")
        self._file.seek(start)
        self._inflater: Any = None if coding == "raw" else _inflater(coding)
        self._pending = b""
        self._ended = False
        self._junk = 0
        self.position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    # -- reading --------------------------------------------------------------------------------------

    def _some(self, limit: int) -> bytes:
        """Return between one and `limit` decoded bytes, nothing at the end."""
        deadline.check()
        if self._inflater is None:
            return self._file.read(min(limit, 1 << 24))
        while not self._ended:
            fed = self._pending or self._file.read(CHUNK)
            starving = not fed
            keeps = self.coding in ("bzip2", "xz")
            self._pending = b""
            try:
                # bz2 and xz keep their own input: they are fed nothing while they have some.
                needs = not keeps or self._inflater.needs_input
                out: bytes = self._inflater.decompress(fed if needs else b"", limit)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, MemoryError) as error:
                raise self._damaged(f"its {self.coding} data are damaged ({error})") from error
            self._pending = (b"" if needs else fed) if keeps else self._inflater.unconsumed_tail
            if self._inflater.eof:
                self._next_member()
            elif starving and not out:
                raise self._damaged(f"its {self.coding} data end early")
            if out:
                return out
        return b""

    def _next_member(self) -> None:
        """Go on with the next member of a file of several, or note the end."""
        rest = self._inflater.unused_data + self._pending or self._file.read(CHUNK)
        self._pending = b""
        if self.coding != "zlib" and coding_of(rest) == self.coding:
            self._inflater, self._pending = _inflater(self.coding), rest
            return
        self._ended = True
        if rest.strip(b"\0"):
            self._junk = len(rest)

    def _damaged(self, what: str) -> FormatError:
        return FormatError(f"{self.path.name}: {what}: expected a whole file; get a fresh copy.")

    def read(self, n: int) -> bytes:
        """Return `n` bytes, fewer only at the end."""
        parts, missing = [], n
        while missing:
            part = self._some(missing)
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        self.position += n - missing
        return b"".join(parts)

    def readinto(self, array: npt.NDArray[Any]) -> int:
        """Fill a contiguous array and return how many bytes came."""
        if not array.nbytes:
            return 0
        view = array.reshape(-1).view(np.uint8).data
        done = 0
        while done < len(view):
            deadline.check()
            if self._inflater is None:
                got = self._file.readinto(view[done : done + (1 << 26)])
            else:
                part = self._some(min(len(view) - done, 1 << 22))
                got = len(part)
                view[done : done + got] = part
            if not got:
                break
            done += got
        self.position += done
        return done

    def skip(self, n: int) -> int:
        """Pass over `n` bytes and return how many there were."""
        missing = n
        while missing:
            part = self._some(min(missing, 1 << 20))
            if not part:
                break
            missing -= len(part)
        self.position += n - missing
        return n - missing

    def surplus(self, limit: int = 1 << 16) -> int:
        """Return how many bytes follow (at most `limit` + 1), checking the check sum where the end is reached."""
        if self._inflater is None:
            here = self._file.tell()
            return max(0, self.path.stat().st_size - here)
        found = 0
        while found <= limit:
            part = self._some(limit + 1 - found)
            if not part:
                return found + self._junk
            found += len(part)
        return found
