"""The header of an NRRD file: lines of fields and keys, read with limits and checked.

References
----------
G. Kindlmann, "Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, UnsupportedError

__all__ = ["TYPES", "Header", "parse"]

LONGEST = 1 << 20
TYPES = {
    "i1": ("int8", "signed char", "int8_t"), "u1": ("uint8", "uchar", "unsigned char", "uint8_t"),
    "i2": ("int16", "short", "short int", "signed short", "signed short int", "int16_t"),
    "u2": ("uint16", "ushort", "unsigned short", "unsigned short int", "uint16_t"),
    "i4": ("int32", "int", "signed int", "int32_t"), "u4": ("uint32", "uint", "unsigned int", "uint32_t"),
    "i8": ("int64", "longlong", "long long", "long long int", "signed long long", "signed long long int", "int64_t"),
    "u8": ("uint64", "ulonglong", "unsigned long long", "unsigned long long int", "uint64_t"),
    "f4": ("float",), "f8": ("double",),
}  # fmt: skip
BY_NAME = {name: code for code, names in TYPES.items() for name in names}
CODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_VECTOR = re.compile(r"none|\(([^()]*)\)")


@dataclass(frozen=True)
class Header:
    """What the header says, axes fastest first.

    Attributes
    ----------
    sizes, dtype, coding
        Extents, stored type with byte order, compression.
    kinds
        Kind of each axis, empty where not stated.
    space
        Name of the world, empty where there is none.
    directions
        One vector per axis, None for an axis that is not spatial; None where no directions are stated.
    origin, spacings, units
        Centre of the first sample; steps per axis (NaN where not stated); unit of the world's axes.
    data_file, byte_skip
        Name of the separate data file (empty: the data follow the header); bytes to skip (-1: the last ones).
    keys
        Key and value pairs.
    end
        Byte after the header.
    """

    sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    coding: str
    kinds: tuple[str, ...]
    space: str
    directions: tuple[npt.NDArray[np.float64] | None, ...] | None
    origin: npt.NDArray[np.float64] | None
    spacings: tuple[float, ...]
    units: tuple[str, ...]
    data_file: str
    byte_skip: int
    keys: dict[str, str]
    end: int


class _Fields:
    """The lines of a header as fields and keys."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        end = re.search(rb"\r?\n\r?\n", data[:LONGEST])
        if end is None and len(data) >= LONGEST:
            raise self.wrong("no empty line ends its header within 1 MiB", "a header followed by an empty line")
        self.end = end.end() if end else len(data)
        text = data[: end.start() if end else len(data)].decode("utf-8", "replace")
        self.fields: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        for line in text.splitlines()[1:]:
            if line.startswith("#") or not line.strip():
                continue
            field, colon, value = line.partition(":")
            if not colon:
                raise self.wrong(f"the line '{line[:40]}' is neither field nor key", "'name: value'")
            if value.startswith("="):
                self.keys[field] = re.sub(r"\\(n|\\)", lambda m: "\n" if m[1] == "n" else "\\", value[1:])
            else:
                key = field.strip().lower().replace(" ", "")
                if key in self.fields:
                    raise self.wrong(f"field '{field.strip()}' stands there twice", "each field once")
                self.fields[key] = value.strip()

    def wrong(self, what: str, expected: str) -> FormatError:
        return FormatError(f"{self.name}: {what}: expected {expected}; get a sound copy of the file.")

    def numbers(self, key: str, count: int, default: float | None = None) -> tuple[float, ...]:
        words = self.fields.get(key, "").split()
        if not words and default is not None:
            return (default,) * count
        try:
            values = tuple(float(w) for w in words)
        except ValueError:
            raise self.wrong(f"field '{key}' reads '{self.fields[key][:60]}'", "numbers") from None
        if len(values) != count:
            raise self.wrong(f"field '{key}' has {len(values)} values for {count} axes", "one per axis")
        return values

    def whole(self, key: str, default: int | None = None) -> int:
        text = self.fields.get(key, "")
        if not text and default is not None:
            return default
        if not re.fullmatch(r"[+-]?\d{1,19}", text):
            raise self.wrong(f"field '{key}' reads '{text[:40]}'", "a whole number")
        return int(text)

    def words(self, key: str, count: int) -> tuple[str, ...]:
        """Return words of which quoted ones may hold blanks; empty strings where the field is absent."""
        text = self.fields.get(key, "")
        found = tuple(a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', text))
        return found if len(found) == count else ("",) * count

    def vectors(self, key: str) -> list[npt.NDArray[np.float64] | None]:
        text = self.fields.get(key, "")
        if re.sub(_VECTOR, "", text).strip():
            raise self.wrong(f"field '{key}' reads '{text[:60]}'", "vectors like (1,0,0) or 'none'")
        found: list[npt.NDArray[np.float64] | None] = []
        for match in _VECTOR.finditer(text):
            if match.group(1) is None:
                found.append(None)
                continue
            try:
                found.append(np.array([float(v) for v in match.group(1).split(",")]))
            except ValueError:
                raise self.wrong(f"field '{key}' reads '{text[:60]}'", "vectors of numbers") from None
        return found


def parse(data: bytes, name: str) -> Header:
    """Parse and check a header.

    Parameters
    ----------
    data
        The first bytes of the file, 1 MiB or all.
    name
        The file's name, for messages.

    Raises
    ------
    FormatError
        If a field contradicts the format or another field.
    UnsupportedError
        If the header is sound, but of a kind that is not read.
    """
    f = _Fields(data, name)
    if not re.match(rb"NRRD000[1-6]\r?\n", data):
        raise f.wrong(f"begins with {data[:9]!r}", "NRRD0001 to NRRD0006")
    count = f.whole("dimension")
    if not 1 <= count <= 16:
        raise f.wrong(f"dimension {count}", "1 to 16 axes")
    sizes = tuple(int(v) if math.isfinite(v) and v == int(v) else 0 for v in f.numbers("sizes", count))
    if min(sizes) < 1:
        raise f.wrong(f"sizes '{f.fields.get('sizes', '')[:60]}'", "at least one sample along every axis")
    directions = f.vectors("spacedirections") if "spacedirections" in f.fields else None
    if directions is not None and len(directions) != count:
        raise f.wrong(f"{len(directions)} space directions for {count} axes", "one per axis")
    origin = f.vectors("spaceorigin") if "spaceorigin" in f.fields else []
    if len(origin) > 1:
        raise f.wrong("several space origins", "one")
    coding = f.fields.get("encoding", "").lower()
    if coding not in CODINGS:
        raise UnsupportedError(
            f"{name}: encoding '{coding[:20]}' is not read: expected raw, gzip or bzip2; write it again as one of these."
        )
    if f.whole("lineskip", 0):
        raise UnsupportedError(
            f"{name}: voxels after skipped lines are not read: expected a byte skip; write it again as one file."
        )
    data_file = f.fields.get("datafile", "")
    space = f.fields.get("space", "").lower()
    world = f.whole("spacedimension", 0)
    return Header(
        sizes, _dtype(f), CODINGS[coding], f.words("kinds", count), space or (f"{world}d" if world else ""),
        None if directions is None else tuple(directions), origin[0] if origin else None,
        f.numbers("spacings", count, math.nan), f.words("spaceunits", len(f.fields.get("spaceunits", "").split())),
        data_file, f.whole("byteskip", 0), f.keys, f.end,
    )  # fmt: skip


def _dtype(f: _Fields) -> np.dtype[Any]:
    kind = f.fields.get("type", "").lower()
    if kind == "block":
        raise UnsupportedError(f"{f.name}: opaque blocks are not read: expected integers or floats.")
    if kind not in BY_NAME:
        raise f.wrong(f"type '{kind[:30]}'", "an integer or float type")
    code = BY_NAME[kind]
    order = f.fields.get("endian", "").lower()
    if order not in ("little", "big") and code[1] != "1":
        raise f.wrong(f"endian '{order[:20]}'", "little or big")
    return np.dtype((">" if order == "big" else "<") + code)
