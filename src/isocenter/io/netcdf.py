"""netCDF classic (versions 1 and 2), as far as MINC 1 needs it: the header is walked within bounds, variables are read as they lie.

References
----------
Unidata, NetCDF User's Guide, "The NetCDF classic format specification".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.io.budget import Budget

__all__ = ["File", "Variable", "parse", "sniff"]

TYPES = {1: "i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8"}
DIMENSION, VARIABLE, ATTRIBUTE = 10, 11, 12
MOST, LARGEST_HEADER, LARGEST_TEXT = 4096, 1 << 24, 1 << 16


def sniff(head: bytes) -> bool:
    """Return whether bytes are the beginning of a classic netCDF file."""
    return head[:3] == b"CDF" and head[3:4] in (b"\1", b"\2")


@dataclass(frozen=True)
class Variable:
    """One variable: names of its axes, their lengths, its type, attributes, and its first byte."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any]
    begin: int

    @property
    def nbytes(self) -> int:
        """Bytes of its values."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class File:
    """A parsed header."""

    path: Path
    variables: Mapping[str, Variable]

    def read(self, name: str) -> npt.NDArray[Any]:
        """Return the values of a variable as they are stored (big endian)."""
        variable = self.variables[name]
        with self.path.open("rb") as handle:
            handle.seek(variable.begin)
            raw = handle.read(variable.nbytes)
        if len(raw) < variable.nbytes:
            raise FormatError(f"{self.path.name}: ends within '{name[:40]}': expected a whole file; get a fresh copy.")
        return np.frombuffer(raw, variable.dtype).reshape(variable.shape)


class _Cursor:
    """The bytes of a header, read in order."""

    def __init__(self, raw: bytes, path: Path) -> None:
        self.raw, self.path, self.at = raw, path, 0

    def wrong(self, what: str) -> FormatError:
        return FormatError(f"{self.path.name}: {what} at byte {self.at} of its header: expected netCDF; get a sound copy.")

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.raw):
            raise self.wrong(f"{count} bytes more than there are")
        part = self.raw[self.at : self.at + count]
        self.at += count
        return part

    def number(self, code: str = ">I") -> int:
        return int(struct.unpack(code, self.take(struct.calcsize(code)))[0])

    def name(self) -> str:
        length = self.number()
        if length > 256:
            raise self.wrong(f"a name of {length} bytes")
        text = self.take(length).decode("latin-1")
        self.take(-length % 4)
        return text

    def count(self, tag: int) -> int:
        found, count = self.number(), self.number()
        if found not in (0, tag) or (found == 0 and count) or count > MOST:
            raise self.wrong(f"a list of kind {found} with {count} entries")
        return count

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(self.count(ATTRIBUTE)):
            name, code, count = self.name(), self.number(), self.number()
            if code not in TYPES:
                raise self.wrong(f"an attribute of type {code}")
            kind = np.dtype(TYPES[code])
            raw = self.take(count * kind.itemsize)
            self.take(-len(raw) % 4)
            if len(raw) > LARGEST_TEXT:
                continue
            if code == 2:
                found[name] = raw.decode("latin-1").rstrip("\0")
            else:
                values = [float(v) for v in np.frombuffer(raw, kind)]
                found[name] = values[0] if len(values) == 1 else values
        return found


def parse(path: Path, budget: Budget) -> File:
    """Return the variables of a file, each checked to lie inside it.

    Parameters
    ----------
    path
        The file.
    budget
        Limits of a variable.

    Raises
    ------
    FormatError, UnsupportedError, BudgetError
        If its header is damaged, asks too much, or uses records.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        cursor = _Cursor(handle.read(LARGEST_HEADER), path)
    wide = cursor.take(4)[3] == 2
    cursor.number()
    dimensions = [(cursor.name(), cursor.number()) for _ in range(cursor.count(DIMENSION))]
    cursor.attributes()
    variables: dict[str, Variable] = {}
    for _ in range(cursor.count(VARIABLE)):
        name, rank = cursor.name(), cursor.number()
        if rank > 32:
            raise cursor.wrong(f"a variable of {rank} axes")
        ids = [cursor.number() for _ in range(rank)]
        attributes = cursor.attributes()
        code = cursor.number()
        cursor.number()  # the size is repeated from the shape, and wrong where it is large
        begin = cursor.number(">Q" if wide else ">I")
        if code not in TYPES or any(k >= len(dimensions) for k in ids):
            raise cursor.wrong(f"variable '{name[:40]}' of type {code}")
        dims, shape = tuple(dimensions[k][0] for k in ids), tuple(dimensions[k][1] for k in ids)
        if 0 in shape:
            raise UnsupportedError(
                f"{path.name}: '{name[:40]}' grows in records: expected axes of fixed length; convert it to MINC 2."
            )
        variable = Variable(dims, shape, np.dtype(TYPES[code]), attributes, begin)
        budget.check_shape(shape, variable.dtype.itemsize, path, f"'{name[:40]}'")
        if begin + variable.nbytes > size:
            raise FormatError(
                f"{path.name}: '{name[:40]}' ends at byte {begin + variable.nbytes} of {size}: expected it inside; it was cut short, get a fresh copy."
            )
        variables[name] = variable
    return File(path, variables)
