"""Text from files, made fit to be shown: one line, printable, of bounded length."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["plain"]


def plain(value: Any, limit: int = 4000) -> str:
    """Return `value` as one printable line.

    Control characters (terminal escapes among them), direction marks and line ends become visible ``?`` or a
    space, so that nothing in a file can move the cursor, hide text or start a new line of a log.

    Parameters
    ----------
    value
        Anything.
    limit
        Longest result in characters; longer text ends in ``...``.
    """
    shown = []
    for char in str(value)[: limit + 1]:
        kind = unicodedata.category(char)
        if char in "\t\n\r":
            shown.append(" ")
        elif kind[0] == "C" or kind in ("Zl", "Zp"):
            shown.append("?")
        else:
            shown.append(char)
    text = "".join(shown)
    return text if len(text) <= limit else text[: max(0, limit - 3)] + "..."
