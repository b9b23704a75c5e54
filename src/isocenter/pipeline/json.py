"""JSON, read under the same limits as YAML, with lines, duplicate keys refused and finite numbers only.

The tokens are read one after the other without recursion, so no depth of nesting can overflow the stack.

References
----------
RFC 8259 (grammar); RFC 7493 (I-JSON: unique names, no lone surrogates, numbers within 2^53).
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from typing import Any

from isocenter.core.errors import SpecError
from isocenter.pipeline.document import BAD, Builder, Document, Limits, decode, sentences

__all__ = ["load", "read"]

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"-?[A-Za-z]+")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


def read(data: bytes | str, source: str = "", limits: Limits | None = None) -> Document:
    """Return what a JSON text says, with lines and problems.

    Raises
    ------
    SpecError
        Where reading cannot go on: not JSON, or beyond a limit.
    """
    limits = limits or Limits()
    text = decode(data, limits, source)
    builder = Builder(limits, source)
    breaks = [m.start() for m in re.finditer("\n", text)]
    closers: list[str] = []
    at = _SPACE.match(text, 0).end()  # type: ignore[union-attr]  # the pattern matches everywhere
    expect = "value"
    while True:
        line = bisect_right(breaks, at - 1) + 1 if at else 1
        char = text[at : at + 1]
        if expect == "end":
            if char:
                raise builder.stop(line, f"{char!r} after the end of the value: expected one JSON value")
            return builder.document()
        if expect in ("value", "first") and char in ("{", "["):
            builder.open(dict if char == "{" else list, line)
            closers.append("}" if char == "{" else "]")
            at, expect = at + 1, "first key" if char == "{" else "first"
        elif closers and char == closers[-1] and expect in ("first", "first key", "comma"):
            builder.close(line)
            closers.pop()
            at, expect = at + 1, "comma" if closers else "end"
        elif expect in ("value", "first"):
            at = _scalar(text, at, line, builder)
            expect = "comma" if closers else "end"
        elif expect in ("key", "first key") and char == '"':
            at = _scalar(text, at, line, builder)
            expect = "colon"
        elif expect == "colon" and char == ":":
            at, expect = at + 1, "value"
        elif expect == "comma" and char == ",":
            at, expect = at + 1, "key" if closers[-1] == "}" else "value"
        else:
            raise builder.stop(line, f"{char or 'the end of the text'!r} where a {expect.split()[-1]} was expected: not JSON")
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches everywhere


def load(data: bytes | str, source: str = "", limits: Limits | None = None) -> Any:
    """Return the plain values of a JSON text.

    Raises
    ------
    SpecError
        With every problem found.
    """
    document = read(data, source, limits)
    if document.problems:
        raise SpecError(sentences(document.problems), source)
    return document.value


def _scalar(text: str, at: int, line: int, builder: Builder) -> int:
    """Read a text, number or word at `at`, hand it on, and return where it ends."""
    if text[at : at + 1] == '"':
        found = _STRING.match(text, at)
        try:
            value = json.loads(found.group()) if found else None
        except ValueError:
            value = None
        if found is None or value is None:
            raise builder.stop(line, "a text that does not end, or holds a control character or an unknown escape: not JSON")
        builder.scalar(value, line)
        return found.end()
    found = _NUMBER.match(text, at)
    if found and found.group():
        builder.scalar(_number(found, line, builder), line)
        return found.end()
    found = _WORD.match(text, at)
    word = found.group() if found else ""
    if word in _WORDS:
        builder.scalar(_WORDS[word], line)
    elif word.lstrip("-").lower() in ("nan", "inf", "infinity"):
        builder.problem(line, f"value {word} is not a finite number: expected one")
        builder.scalar(BAD, line)
    else:
        shown = word or text[at : at + 1] or "the end of the text"
        raise builder.stop(line, f"{shown[:40]!r} where a value was expected: not JSON")
    return at + len(word)


def _number(found: re.Match[str], line: int, builder: Builder) -> Any:
    text = found.group()
    if found.group(1) is None and found.group(2) is None:
        if len(text) > 17:
            builder.problem(line, f"a whole number of {len(text)} digits: expected at most {builder.limits.whole}")
            return BAD
        return int(text)
    value = float(text) if len(text) < 400 else math.inf
    if not math.isfinite(value):
        builder.problem(line, f"value {text[:40]} is not a finite number: expected one")
        return BAD
    return value
