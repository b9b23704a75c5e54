"""The voxels of a NIfTI file: streamed in, verified, ordered and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError
from isocenter.io.nifti_header import Header
from isocenter.io.samples import Block, odd_count, remarks
from isocenter.io.streams import Coding

__all__ = ["Voxels"]


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

    @property
    def block(self) -> Block:
        """The voxels as a block of samples: vector, time, k, j, i, colour."""
        h = self.header
        i, j, k, nt, nc = (*h.shape, 1, 1, 1, 1, 1)[:5]
        return Block(self.path, self.coding, 0, h.offset, (nc, nt, k, j, i, h.samples), h.dtype, self.name)

    def check_length(self) -> None:
        """Refuse an uncompressed file that is too short, without reading it."""
        self.block.check_length()

    def _remarks(self, surplus: int, odd: int) -> list[str]:
        if surplus and self.header.extended and self.header.offset in (352, 544):
            raise FormatError(
                f"{self.name}: its header announces extensions, but the voxels begin where the first would stand (byte "
                f"{self.header.offset}): expected a later vox_offset; get a sound copy of the file."
            )
        return remarks(surplus, odd)

    def verify(self) -> list[str]:
        """Read everything once in small pieces, and return what should be known.

        Raises
        ------
        FormatError
            If the data are damaged or end early.
        """
        return self._remarks(*self.block.verify())

    def read(self) -> tuple[npt.NDArray[Any], list[str]]:
        """Return the values as (t, c, z, y, x), and what should be known about them.

        Raises
        ------
        FormatError
            If the data are damaged or end early.
        ContentError
            If scaling overflows.
        """
        stored, surplus = self.block.read()
        if self.header.samples > 1:  # colour: the samples of a voxel stand together, and there is no other channel axis
            values = np.moveaxis(stored[0], -1, 1)
        else:
            values = stored[..., 0].swapaxes(0, 1)
        values = self._scale(np.ascontiguousarray(values))
        return values, self._remarks(surplus, odd_count(values))

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
