"""Text from files, made fit for a message: no control characters, no direction marks, no great length."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from isocenter.core.text import plain

__all__ = ["clean", "tag_name"]


def clean(value: Any, limit: int = 80) -> str:
    """Return `value` as one short printable line.

    Parameters
    ----------
    value
        Anything; of a path only the name is shown.
    limit
        Longest result in characters.
    """
    return plain(value.name if isinstance(value, PurePath) else value, limit)


def tag_name(tag: int) -> str:
    """Return ``Keyword (gggg,eeee)`` of a tag, or the numbers alone where it is private or unknown."""
    from pydicom.datadict import keyword_for_tag

    numbers = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    word = keyword_for_tag(tag)
    return f"{word} {numbers}" if word else numbers
