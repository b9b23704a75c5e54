"""Text from outside, made fit to be shown: printable, of bounded length, unable to change what stands around it.

Strings in files are under the control of whoever wrote the file. They are kept as they are in memory and pass here
once, where they are shown; markup is escaped by the function of its sink.

References
----------
Unicode Standard Annex 9 (bidirectional algorithm), explicit formatting characters.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

__all__ = ["ESCAPE", "plain"]

#: As `mark`: what does not print is shown as its escape sequence.
ESCAPE = "\\"
_JOINERS = "\u200c\u200d"  # Indic and Arabic spelling needs them
_DIRECTION = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_TOWER = 4  # combining marks in a row; no orthography needs more


def plain(value: Any, limit: int = 4000, mark: str = "?", lines: bool = False) -> str:
    r"""Return `value` as printable text.

    Control characters (terminal escapes among them), direction marks, unassigned and private characters and lone
    surrogates become visible, so that nothing in a file can move the cursor, hide text or start a line of its own.

    Parameters
    ----------
    value
        Anything.
    limit
        Longest result in characters; longer text ends in ``...`` (pages: in the number of characters left out).
    mark
        What stands for a character that does not print; `ESCAPE` for its escape sequence.
    lines
        For pages: line ends and tabs stay, of several blank lines one; joiners stay, other invisible characters and
        towers of combining marks go.

    Examples
    --------
    >>> plain("name\x1b[31m")
    'name?[31m'
    >>> plain("name\x1b[31m", mark=ESCAPE)
    'name\\x1b[31m'
    """
    raw = str(value)
    most = 4 * limit + 16
    shown = "".join(_pieces(raw[:most], mark, lines))
    if lines:
        shown = re.sub(r"\n{3,}", "\n\n", shown)
        if len(shown) > limit or len(raw) > most:
            return f"{shown[:limit]} \u2026 ({len(raw) - min(len(shown), limit)} more characters)"
        return shown
    return shown if len(shown) <= limit and len(raw) <= most else shown[: max(0, limit - 3)] + "..."


def _pieces(raw: str, mark: str, lines: bool) -> list[str]:
    kept: list[str] = []
    tower = 0
    for character in raw:
        kind = unicodedata.category(character)
        tower = tower + 1 if kind in ("Mn", "Me") else 0
        if lines and (character in "\n\t" or character in _JOINERS):
            kept.append(character)
        elif lines and (tower > _TOWER or (kind == "Cf" and character not in _DIRECTION)):
            continue
        elif character == " " or kind[0] not in "CZ":
            kept.append(character)
        elif mark == ESCAPE:
            kept.append(character.encode("unicode_escape", "backslashreplace").decode("ascii"))
        elif lines:
            kept.append(character if kind == "Zs" else mark if kind[0] == "C" else " ")
        else:
            kept.append(" " if kind == "Zs" or character in "\t\n\r" else mark)
    return kept
