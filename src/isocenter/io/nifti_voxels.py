"""The voxels of a NIfTI file: streamed in, verified, ordered and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError
from isocenter.io.nifti_header import Header
from isocenter.io.streams import Coding, Stream

__all__ = ["Voxels", "count_text"]

#: A compressed file may go on for this many bytes after its last voxel; the check sum stands behind them.
SURPLUS = 1 << 16
CHUNK = 1 << 24


def count_text(n: int, what: str) -> str:
    """Return a number with its noun, in the singular for one: ``1 voxel``, ``2 voxels``."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


@dataclass(frozen=True)
class Voxels:
    """Where the voxels of one image lie and how they are stored.

    Attributes
    ----------
    path, coding
        The file that holds them and its compression.
    header
        What the header says.
    name
        Of the file that the user named, for messages.
    """

    path: Path
    coding: Coding
    header: Header
    name: str

    @property
    def scaled(self) -> bool:
        """Whether values differ from what is stored."""
        h = self.header
        return h.samples == 1 and h.dtype.kind != "c" and h.slope != 0 and (h.slope, h.inter) != (1.0, 0.0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values: as stored, or what holds the scaled values without loss."""
        stored = self.header.dtype.newbyteorder("=")
        if not self.scaled:
            return stored
        slope, inter = self.header.slope, self.header.inter
        if stored.kind in "iu":
            info = np.iinfo(stored)
            ends = (info.min * slope + inter, info.max * slope + inter)
            if slope.is_integer() and inter.is_integer():
                for kind in (np.int16, np.int32):
                    if np.iinfo(kind).min <= min(ends) and max(ends) <= np.iinfo(kind).max:
                        return np.dtype(kind)
            wide = stored.itemsize > 2
        else:
            ends = (float(np.finfo(stored).max) * slope, 0.0)
            wide = stored.itemsize > 4
        narrow = not wide and (stored.kind == "f" or max(abs(e) for e in ends) < float(np.finfo(np.float32).max))
        return np.dtype(np.float32 if narrow else np.float64)

    def _stream(self) -> Stream:
        stream = Stream(self.path, self.coding)
        skipped = stream.skip(self.header.offset)
        if skipped < self.header.offset:
            stream.__exit__()
            raise self._short(0)
        return stream

    def _short(self, got: int) -> FormatError:
        h = self.header
        return FormatError(
            f"{self.name}: its header promises {' x '.join(map(str, h.shape))} voxels ({h.nbytes} bytes from byte {h.offset}), "
            f"but only {got} bytes are there: expected a whole file; get a fresh copy."
        )

    def check_length(self) -> None:
        """Refuse an uncompressed file that is too short, without reading it."""
        if self.coding == "raw":
            there = max(0, self.path.stat().st_size - self.header.offset)
            if there < self.header.nbytes:
                raise self._short(there)

    def _ending(self, stream: Stream) -> list[str]:
        """Look at what follows the last voxel: check the check sum, count surplus bytes, refuse a flood."""
        surplus = stream.surplus(SURPLUS)
        if surplus > SURPLUS and self.coding != "raw":
            raise FormatError(
                f"{self.name}: its compressed data go on after the {self.header.nbytes} bytes of voxels that its header "
                "promises: expected them to end there; get a fresh copy."
            )
        if surplus and self.header.extended and self.header.offset in (352, 544):
            raise FormatError(
                f"{self.name}: its header announces extensions, but the voxels begin where the first would stand (byte "
                f"{self.header.offset}): expected a later vox_offset; get a sound copy of the file."
            )
        return [f"{count_text(surplus, 'byte')} after the last voxel were passed over."] if surplus else []

    def verify(self) -> list[str]:
        """Read everything once in small pieces, and return what should be known.

        Raises
        ------
        FormatError
            If the data are damaged or end early.
        """
        left, odd = self.header.nbytes, 0
        with self._stream() as stream:
            while left:
                piece = np.empty(min(left, CHUNK), np.uint8)
                got = stream.readinto(piece)
                if got < len(piece):
                    raise self._short(self.header.nbytes - left + got)
                left -= got
                if self.header.dtype.kind in "fc":
                    odd += int((~np.isfinite(piece.view(self.header.dtype))).sum())
            notes = self._ending(stream)
        return notes + self._odd_text(odd)

    @staticmethod
    def _odd_text(odd: int) -> list[str]:
        return [f"{count_text(odd, 'voxel')} hold no finite number (NaN or infinity)."] if odd else []

    def read(self) -> tuple[npt.NDArray[Any], list[str]]:
        """Return the values as (t, c, z, y, x), and what should be known about them.

        Raises
        ------
        FormatError
            If the data are damaged or end early.
        ContentError
            If scaling overflows.
        """
        h = self.header
        i, j, k, nt, nc = (*h.shape, 1, 1, 1, 1, 1)[:5]
        stored = np.empty((nc, nt, k, j, i, h.samples), h.dtype)
        with self._stream() as stream:
            got = stream.readinto(stored)
            if got < stored.nbytes:
                raise self._short(got)
            notes = self._ending(stream)
        if h.samples > 1:  # colour: the samples of a voxel stand together, and there is no other channel axis
            values = np.moveaxis(stored[0], -1, 1)
        else:
            values = stored[..., 0].swapaxes(0, 1)
        values = self._scale(np.ascontiguousarray(values.astype(h.dtype.newbyteorder("="), copy=False)))
        if values.dtype.kind in "fc":
            notes += self._odd_text(values.size - int(np.isfinite(values).sum()))
        return values, notes

    def _scale(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if not self.scaled:
            return values
        kind = self.dtype
        if kind.kind in "iu":
            wide = values.astype(np.int64) * int(self.header.slope) + int(self.header.inter)
            return wide.astype(kind)
        result = values.astype(kind)
        with np.errstate(over="ignore", invalid="ignore"):
            result *= kind.type(self.header.slope)
            result += kind.type(self.header.inter)
        if (np.isfinite(result) != np.isfinite(values)).any():
            raise ContentError(
                f"{self.name}: scaling by scl_slope {self.header.slope:g} leaves values that are not finite: "
                "expected a sound slope; correct it in the header."
            )
        return result
