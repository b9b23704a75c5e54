"""XML of headers: elements and their text, nothing else. Declarations of types and entities are refused.

References
----------
W3C, Extensible Markup Language (XML) 1.0, section 4 (entities: what expands, and what reads other files).
"""

from __future__ import annotations

from xml.parsers import expat

from isocenter.core.errors import FormatError
from isocenter.io.text import terminal

__all__ = ["leaves"]

LARGEST, DEEPEST, MOST = 1 << 24, 64, 100_000


class _RefusedError(Exception):
    """Something that a header does not need."""


def leaves(raw: bytes, name: str) -> dict[str, list[str]]:
    """Return the text of every element without children, under its path of names (``encoding/trajectory``) below the root.

    Parameters
    ----------
    raw
        The document.
    name
        Of the file, for the message.

    Raises
    ------
    FormatError
        If it is not well formed, too large or deep, or declares a document type or an entity.
    """
    stack: list[str] = []
    text: list[str] = []
    found: dict[str, list[str]] = {}
    count = 0
    parent = False

    def start(tag: str, _attributes: dict[str, str]) -> None:
        nonlocal count, parent
        count += 1
        if len(stack) >= DEEPEST or count > MOST:
            raise _RefusedError(f"more than {MOST} elements or {DEEPEST} levels")
        stack.append(tag.rsplit(":", 1)[-1])
        text.clear()
        parent = False

    def end(_tag: str) -> None:
        nonlocal parent
        if not parent:
            found.setdefault("/".join(stack[1:]), []).append("".join(text).strip())
        stack.pop()
        text.clear()
        parent = True

    def refused(*_: object) -> None:
        raise _RefusedError("a document type or an entity is declared")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text.append
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refused
    try:
        if len(raw) > LARGEST:
            raise _RefusedError(f"{len(raw)} bytes")
        parser.Parse(raw, True)
    except (expat.ExpatError, _RefusedError, ValueError) as error:
        raise FormatError(
            f"{name}: its XML header cannot be used ({terminal(error, 120)}): expected plain elements, without entities; get a sound copy."
        ) from None
    return found
