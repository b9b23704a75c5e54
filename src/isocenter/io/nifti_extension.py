"""The header extension of NIfTI files that holds what the header has no field for (see `isocenter.io.facts`).

It is of the registered kind "comment" (code 6), so that other software passes over it and a person can read it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from isocenter.core.errors import FormatError
from isocenter.io import facts

__all__ = ["find", "pack"]

COMMENT = 6


def pack(content: Mapping[str, Any]) -> bytes:
    """Return the extension that holds `content`, its length a multiple of 16 bytes; nothing for no content."""
    if not content:
        return b""
    text = facts.encode(content).encode()
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
    place = 0
    found: dict[str, Any] = {}
    while place + 8 <= len(data):
        size, code = struct.unpack_from(order + "2i", data, place)
        if size == 0 and place and not data[place:].strip(b"\0"):
            break  # padding up to the first voxel
        if size < 16 or size % 16 or place + size > len(data):
            raise FormatError(
                f"{name}: header extension at byte {place} says it has {size} bytes: expected a multiple of 16, "
                f"{len(data) - place} at most; get a sound copy of the file."
            )
        if code == COMMENT:
            found = facts.decode(data[place + 8 : place + size].rstrip(b"\0")) or found
        place += size
    return found
