"""Values of elements: text, numbers and items, each with a sentence where they are not what they should be.

References
----------
DICOM PS3.5 section 6.2 (value representations); PS3.3 C.12.1.1.2 (character sets).
"""

from __future__ import annotations

import math
import re
import struct
import warnings
from functools import lru_cache

import numpy as np
from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword

from isocenter.core.errors import FormatError
from isocenter.io.dicom.elements import Dataset, Element
from isocenter.io.dicom.words import clean, tag_name

__all__ = [
    "element",
    "encodings",
    "first_item",
    "has",
    "integer",
    "integers",
    "items",
    "lenient",
    "number",
    "numbers",
    "person",
    "raw",
    "text",
    "texts",
]

_BINARY = {
    "US": ("H", 2),
    "SS": ("h", 2),
    "UL": ("I", 4),
    "SL": ("i", 4),
    "FL": ("f", 4),
    "FD": ("d", 8),
    "AT": ("HH", 4),
    "UV": ("Q", 8),
    "SV": ("q", 8),
}
_LONGEST = 1 << 26  # no text or number of a header is longer; pixels and tables are read elsewhere


@lru_cache(maxsize=2048)
def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


@lru_cache(maxsize=2048)
def _vr(tag: int) -> str:
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "UN"


def element(data: Dataset, keyword: str | int) -> Element | None:
    """Return an element by keyword or tag, None where it is absent."""
    return data.elements.get(keyword if isinstance(keyword, int) else _tag(keyword))


def has(data: Dataset, keyword: str | int) -> bool:
    """Return whether an element is present with a value (an empty one counts as absent)."""
    found = element(data, keyword)
    return found is not None and (found.length > 0 or bool(found.items))


def raw(data: Dataset, keyword: str | int, limit: int = _LONGEST) -> bytes | None:
    """Return the bytes of a value, None where it is absent or empty.

    Raises
    ------
    FormatError
        If it is longer than `limit` bytes or a sequence.
    """
    found = element(data, keyword)
    if found is None or found.length == 0:
        return None
    if found.items is not None or found.length > limit:
        raise _wrong(data, found.tag, "is far too long or a sequence", f"a value of at most {limit} bytes")
    return data.view.bytes(found.start, found.length)


def items(data: Dataset, keyword: str | int) -> list[Dataset]:
    """Return the items of a sequence, none where it is absent or empty."""
    found = element(data, keyword)
    if found is None or (found.items is None and found.length == 0):
        return []
    if found.items is None:
        raise _wrong(data, found.tag, f"has value representation {found.vr}", "a sequence")
    return found.items


def first_item(data: Dataset, keyword: str | int) -> Dataset | None:
    """Return the first item of a sequence, or None."""
    return next(iter(items(data, keyword)), None)


def _wrong(data: Dataset, tag: int, what: str, expected: str) -> FormatError:
    return FormatError(f"{clean(data.path)}: {tag_name(tag)} {what}: expected {expected}; correct the file or export it again.")


def texts(data: Dataset, keyword: str | int) -> list[str]:
    """Return the values of an element of a coded or identifying kind (ASCII), stripped of padding."""
    found = element(data, keyword)
    if found is None or found.length == 0:
        return []
    value = raw(data, keyword)
    if value is None:
        return []
    return [part.strip(" \0\t\r\n") for part in value.decode("latin-1").split("\\")]


def text(data: Dataset, keyword: str | int, default: str = "") -> str:
    """Return the first value of a coded or identifying element, stripped of padding."""
    found = texts(data, keyword)
    return found[0] if found and found[0] else default


def numbers(data: Dataset, keyword: str | int, count: int | None = None) -> list[float]:
    """Return finite numbers of an element (DS, IS or binary), none where it is absent or empty.

    Raises
    ------
    FormatError
        If a value is not a finite number or their count is not `count`.
    """
    found = element(data, keyword)
    if found is None or found.length == 0:
        return []
    vr = found.vr if found.vr not in ("UN", "OB", "OW") and " or " not in found.vr else _vr(found.tag)
    value = raw(data, keyword)
    assert value is not None
    if vr in _BINARY:
        code, size = _BINARY[vr]
        if found.length % size:
            raise _wrong(data, found.tag, f"has {found.length} bytes", f"a multiple of {size}")
        result = [float(v) for v in struct.unpack((">" if data.big else "<") + code * (found.length // size), value)]
    elif vr in ("DS", "IS"):
        result = _decimal(data, found, value)
    else:
        raise _wrong(data, found.tag, f"has value representation {vr}", "numbers")
    for number_ in result:
        if not math.isfinite(number_):
            raise _wrong(data, found.tag, f"holds the value {number_}", "finite numbers")
    if count is not None and len(result) != count:
        raise _wrong(data, found.tag, f"holds {len(result)} values", f"{count}")
    return result


def _decimal(data: Dataset, found: Element, value: bytes) -> list[float]:
    parts = value.rstrip(b" \0").split(b"\\")
    if parts == [b""]:
        return []
    if len(parts) > 4096:
        return _many_decimals(data, found, value)
    result = []
    for part in parts:
        try:
            if b"_" in part:  # float() would take it
                raise ValueError
            result.append(float(part))
        except ValueError:
            shown = clean(part.decode("latin-1"), 24)
            raise _wrong(data, found.tag, f"holds '{shown}', which is not a number", "decimal numbers") from None
    return result


def _many_decimals(data: Dataset, found: Element, value: bytes) -> list[float]:
    try:
        return [float(v) for v in np.array(value.rstrip(b" \0").split(b"\\"), dtype="S32").astype(np.float64)]
    except ValueError:
        raise _wrong(data, found.tag, "holds text that is no number", "decimal numbers") from None


def number(data: Dataset, keyword: str | int) -> float | None:
    """Return the first number of an element, None where it is absent or empty."""
    found = numbers(data, keyword)
    return found[0] if found else None


def lenient(data: Dataset, keyword: str | int) -> float | None:
    """Return the first number of an element that decides nothing by itself, None where it cannot be read."""
    try:
        return number(data, keyword)
    except FormatError:
        return None


def integers(data: Dataset, keyword: str | int) -> list[int]:
    """Return whole numbers of an element."""
    result = []
    for value in numbers(data, keyword):
        if value != int(value):
            raise _wrong(data, _tag(keyword) if isinstance(keyword, str) else keyword, f"holds {value:g}", "whole numbers")
        result.append(int(value))
    return result


def integer(data: Dataset, keyword: str | int) -> int | None:
    """Return the first whole number of an element, None where it is absent or empty."""
    found = integers(data, keyword)
    return found[0] if found else None


def encodings(data: Dataset) -> tuple[tuple[str, ...], str]:
    """Return the Python codecs of a dataset's text and a clause on what is wrong with them (or nothing)."""
    owner: Dataset | None = data
    while owner is not None and 0x00080005 not in owner.elements:
        owner = owner.parent
    if owner is None:
        return ("iso8859",), ""
    declared = texts(owner, 0x00080005) or [""]
    # Only defined terms: pydicom would look others up among Python's codecs, some of which are slow on long text.
    terms = [t if t in python_encoding else re.sub(r"^ISO.?IR.?(\d+)$", r"ISO_IR \1", t.upper()) for t in declared]
    known = [t for t in terms if t in python_encoding]
    complaint = (
        ""
        if terms == declared and known == declared
        else f"the character set {clean(', '.join(declared), 40)} is not a defined term"
    )
    if not known:
        return ("iso8859",), complaint
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        codecs = convert_encodings(known)
    if caught and not complaint:
        complaint = f"the character sets {clean(', '.join(declared), 40)} do not go together"
    return tuple(codecs), complaint


def person(data: Dataset, keyword: str | int) -> tuple[str, str]:
    """Return text in the dataset's character set, and a clause on what was wrong with it (or nothing)."""
    found = element(data, keyword)
    if found is None or found.length == 0:
        return "", ""
    value = raw(data, keyword)
    assert value is not None
    codecs, complaint = encodings(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            decoded = decode_bytes(value, list(codecs), {0x0D, 0x0A, 0x0C, 0x5E, 0x3D, 0x5C})
        except (LookupError, ValueError):  # UnicodeError among them
            decoded, complaint = value.decode("latin-1"), complaint or "bytes do not fit the character set"
    if caught and not complaint:
        complaint = "bytes do not fit the character set"
    return decoded.rstrip(" \0"), complaint
