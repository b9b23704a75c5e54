"""What a NIfTI header has no field for, kept in one extension: modality, quantity, channels, times, segments.

The extension is of the registered kind "comment" (code 6) and holds one JSON object, so that other software
passes over it and a person can read it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from isocenter.core.errors import FormatError
from isocenter.core.image import DIMS
from isocenter.core.labels import Segment
from isocenter.core.provenance import canonical_json
from isocenter.io.text import one_line

__all__ = ["describe", "find", "pack", "segments"]

COMMENT = 6
MARK = b"isocenter:"
LIMIT = 1 << 20


def pack(facts: Mapping[str, Any]) -> bytes:
    """Return the extension that holds `facts`, its length a multiple of 16 bytes; nothing for no facts."""
    if not facts:
        return b""
    text = MARK + canonical_json(dict(facts)).encode()
    size = -(-(len(text) + 8) // 16) * 16
    return struct.pack("<2i", size, COMMENT) + text.ljust(size - 8, b"\0")


def find(data: bytes, order: str, name: str) -> dict[str, Any]:
    """Walk the extensions between header and voxels and return what ours says.

    Parameters
    ----------
    data
        All bytes from the end of the announcing flag to the first voxel.
    order
        Byte order of the header.
    name
        The file's name, for messages.

    Raises
    ------
    FormatError
        If an extension has an impossible size.
    """
    place, found = 0, {}
    while place + 8 <= len(data):
        size, code = struct.unpack_from(order + "2i", data, place)
        if size == 0 and place and not data[place:].strip(b"\0"):
            break  # padding up to the first voxel
        if size < 16 or size % 16 or place + size > len(data):
            raise FormatError(
                f"{name}: header extension at byte {place} says it has {size} bytes: expected a multiple of 16, "
                f"{len(data) - place} at most; get a sound copy of the file."
            )
        body = data[place + 8 : place + size]
        if code == COMMENT and body.startswith(MARK) and size <= LIMIT:
            found = _checked(body[len(MARK) :].rstrip(b"\0"))
        place += size
    return found


def _checked(raw: bytes) -> dict[str, Any]:
    """Return the facts that have the shape we write; a file may claim anything."""
    try:
        facts = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(facts, dict):
        return {}
    kept: dict[str, Any] = {}
    for key in ("modality", "quantity"):
        if isinstance(facts.get(key), str):
            kept[key] = one_line(facts[key], 64)
    dims = facts.get("dims")
    if isinstance(dims, list) and [d for d in DIMS if d in dims] == dims:
        kept["dims"] = tuple(dims)
    if isinstance(facts.get("channels"), list):
        kept["channels"] = tuple(one_line(c, 64) for c in facts["channels"])
    times = facts.get("times")
    if isinstance(times, list) and all(isinstance(t, int | float) for t in times):
        kept["times"] = tuple(float(t) for t in times)
    if facts.get("unit") == "px":
        kept["unit"] = "px"
    if isinstance(facts.get("segments"), list):
        kept["segments"] = facts["segments"]
        kept["masks"] = facts.get("masks") is True
    return kept


def segments(facts: Mapping[str, Any]) -> tuple[Segment, ...] | None:
    """Return the segment table of an extension, None where it has none or an unusable one."""
    rows = facts.get("segments")
    if rows is None:
        return None
    try:
        table = tuple(Segment.from_dict({**row, "name": one_line(row["name"], 128)}) for row in rows)
    except (LookupError, TypeError, ValueError):
        return None
    return table if len({s.value for s in table}) == len(table) else None


def describe(value: Any, dims: tuple[str, ...]) -> dict[str, Any]:
    """Return the facts about an image or label map that a NIfTI header has no field for."""
    facts: dict[str, Any] = {"dims": list(dims)}
    for key in ("modality", "quantity"):
        if getattr(value, key, None):
            facts[key] = getattr(value, key)
    if getattr(value, "channels", None):
        facts["channels"] = list(value.channels)
    if getattr(value, "times", None):
        facts["times"] = [float(t) for t in value.times]
    if value.geometry.unit == "px":
        facts["unit"] = "px"
    if hasattr(value, "segments"):
        facts["segments"] = [row.to_dict() for row in value.segments]
    return facts
