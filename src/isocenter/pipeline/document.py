"""Document: plain values with the line each was written on, built under limits.

The YAML and the JSON reader hand their events to one `Builder`; it keeps an explicit stack (no recursion, so no
depth can overflow it), counts what it is given, refuses duplicate keys and self-reference, and collects every
problem instead of stopping at the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from isocenter.core.errors import SpecError

__all__ = ["BAD", "Builder", "Document", "Limits", "Path", "decode", "sentences"]

#: Keys and indices from the root down to a value.
Path = tuple[str | int, ...]


class _Bad:
    """Stands for a value that was refused, so that checks which follow pass it over in silence."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Final = _Bad()

#: Characters that steer a terminal, reverse the reading direction (a name that reads differently from what it is),
#: or are halves of one.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: At most this many problems are spelt out.
_SHOWN = 50


@dataclass(frozen=True)
class Limits:
    """How large a specification may be.

    Attributes
    ----------
    bytes
        Size of the text.
    nodes
        Values in all, each use of an alias counted with everything below it.
    depth
        Nesting.
    aliases
        Uses of ``*name``.
    text
        Characters of one text.
    whole
        Largest magnitude of a whole number (2^53: exact in every reader).
    """

    bytes: int = 1 << 20
    nodes: int = 20_000
    depth: int = 24
    aliases: int = 64
    text: int = 20_000
    whole: int = 2**53


@dataclass(frozen=True)
class Document:
    """What a text says.

    Attributes
    ----------
    value
        Plain values: dict, list, str, int, float, bool, None; `BAD` where one was refused.
    lines
        Line (from 1) of every value by its path; the line of the key for values of a mapping.
    problems
        (line, sentence) of everything that was refused.
    source
        What the text is called in messages.
    """

    value: Any
    lines: dict[Path, int]
    problems: tuple[tuple[int, str], ...]
    source: str

    def line(self, path: Path) -> int:
        """Return the line of a value, or of the nearest one above it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def sentences(problems: list[tuple[int, str]] | tuple[tuple[int, str], ...]) -> list[str]:
    """Return problems as ``line N: ...``, in line order, each once, cut where there are very many."""
    found = list(dict.fromkeys(f"line {line}: {text}" for line, text in sorted(problems, key=lambda p: p[0])))
    return found if len(found) <= _SHOWN else [*found[:_SHOWN], f"and {len(found) - _SHOWN} more problems"]


def decode(data: bytes | str, limits: Limits, source: str) -> str:
    """Return the text of a file that must be UTF-8 and within the size limit.

    Raises
    ------
    SpecError
        If it is too large, empty, UTF-16/32 or not UTF-8, or holds a NUL.
    """
    try:
        raw = data.encode() if isinstance(data, str) else data
    except UnicodeEncodeError:
        raise SpecError("the text holds half of a surrogate pair: expected Unicode text", source) from None
    if len(raw) > limits.bytes:
        raise SpecError(f"{len(raw)} bytes: expected at most {limits.bytes}", source)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or raw[:4] == b"\x00\x00\xfe\xff":
        raise SpecError("the text is UTF-16 or UTF-32: expected UTF-8; save it as UTF-8", source)
    if b"\x00" in raw:
        raise SpecError(f"line {raw[: raw.index(0)].count(10) + 1}: a NUL byte: expected UTF-8 text", source)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError(f"line {line}: byte 0x{raw[error.start]:02x} is not UTF-8: save the text as UTF-8", source) from None
    if not text.strip():
        raise SpecError("the text is empty: expected a pipeline with 'name' and 'steps'", source)
    return text


@dataclass
class _Frame:
    value: Any
    path: Path
    anchor: str | None
    line: int
    start: int
    key: Any = None
    waiting: bool = False
    seen: dict[str, int] = field(default_factory=dict)


class Builder:
    """Builds a `Document` from events, under limits.

    Parameters
    ----------
    limits
        What is too much.
    source
        What the text is called in messages.
    """

    def __init__(self, limits: Limits, source: str) -> None:
        self.limits = limits
        self.source = source
        self.problems: list[tuple[int, str]] = []
        self.lines: dict[Path, int] = {}
        self.root: Any = None
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int, Path]] = {}
        self._open_anchors: set[str] = set()
        self._nodes = 0
        self._aliases = 0

    def problem(self, line: int, text: str) -> None:
        """Collect a problem."""
        self.problems.append((line, text))

    def stop(self, line: int, text: str) -> SpecError:
        """Return the error that ends reading at once, with all that was found before."""
        return SpecError(sentences([*self.problems, (line, text)]), self.source)

    @property
    def expects_key(self) -> bool:
        """Whether the next scalar is the key of a mapping."""
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and not self._stack[-1].waiting

    def open(self, kind: type[dict[Any, Any]] | type[list[Any]], line: int, anchor: str | None = None) -> None:
        """Begin a mapping or a list."""
        if len(self._stack) >= self.limits.depth:
            raise self.stop(line, f"nested deeper than {self.limits.depth} levels: expected a flat pipeline")
        if self.expects_key:
            self.problem(line, "a key that is a list or a mapping: expected a plain name")
            self._set_key(BAD, line)
        self._count(line)
        value: Any = kind()
        path = self._place(value, line)
        if anchor is not None:
            self._open_anchors.add(anchor)
        self._stack.append(_Frame(value, path, anchor, line, self._nodes))

    def close(self, line: int) -> None:
        """End the innermost mapping or list."""
        frame = self._stack.pop()
        if frame.anchor is not None:
            self._open_anchors.discard(frame.anchor)
            self._anchors[frame.anchor] = (frame.value, self._nodes - frame.start + 1, frame.path)
        if self._stack and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is BAD and not self._stack[-1].waiting:
            self._stack[-1].waiting = True  # what ended was a refused key; its value follows

    def scalar(self, value: Any, line: int, anchor: str | None = None) -> None:
        """Add a key (text) or a value."""
        if isinstance(value, str):
            if len(value) > self.limits.text:
                raise self.stop(line, f"a text of {len(value)} characters: expected at most {self.limits.text}")
            hidden = _HIDDEN.search(value)
            if hidden:
                self.problem(
                    line,
                    f"a text with the character U+{ord(hidden.group()):04X}, which is not shown as it stands: expected plain text",
                )
                value = BAD
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > self.limits.whole:
            self.problem(line, f"a whole number beyond {self.limits.whole}: expected a smaller one")
            value = BAD
        if self.expects_key:
            self._set_key(value, line)
            self._stack[-1].waiting = True
            return
        self._count(line)
        path = self._place(value, line)
        if anchor is not None:
            self._anchors[anchor] = (value, 1, path)

    def alias(self, name: str, line: int) -> None:
        """Use the value of an anchor again."""
        self._aliases += 1
        if self._aliases > self.limits.aliases:
            raise self.stop(line, f"more than {self.limits.aliases} aliases: expected each value written out")
        if name in self._open_anchors:
            raise self.stop(line, f"alias '*{name}' lies within what it stands for: expected no self-reference")
        if name not in self._anchors:
            raise self.stop(line, f"alias '*{name}' before any '&{name}': expected it to be defined above")
        value, size, origin = self._anchors[name]
        if self.expects_key:
            self.problem(line, f"alias '*{name}' as a key: expected a plain name")
            self._set_key(BAD, line)
            self._stack[-1].waiting = True
            return
        self._count(line, size)
        path = self._place(value, line)
        depth = len(origin)
        copied = {path + p[depth:]: n for p, n in self.lines.items() if p[:depth] == origin and len(p) > depth}
        self.lines.update(copied)

    def _count(self, line: int, by: int = 1) -> None:
        self._nodes += by
        if self._nodes > self.limits.nodes:
            raise self.stop(line, f"more than {self.limits.nodes} values (aliases counted in full): expected a smaller text")

    def _set_key(self, key: Any, line: int) -> None:
        frame = self._stack[-1]
        if isinstance(key, str):
            if key in frame.seen:
                self.problem(line, f"key '{key[:60]}' is given twice (first on line {frame.seen[key]}): expected it once")
                key = BAD
            else:
                frame.seen[key] = line
        elif key is not BAD:
            self.problem(
                line, f"key {str(key)[:60]!r} is not text: expected a name, in quotes where it looks like something else"
            )
            key = BAD
        frame.key = key
        if key is not BAD:
            self.lines[(*frame.path, key)] = line

    def _place(self, value: Any, line: int) -> Path:
        """Put a value where it belongs and return its path."""
        if not self._stack:
            self.root = value
            self.lines[()] = line
            return ()
        frame = self._stack[-1]
        if isinstance(frame.value, list):
            path: Path = (*frame.path, len(frame.value))
            frame.value.append(value)
            self.lines[path] = line
            return path
        if frame.key is BAD and not frame.waiting:
            return (*frame.path, "?")  # inside a refused key
        frame.waiting = False
        if frame.key is BAD:
            return (*frame.path, "?")
        frame.value[frame.key] = value
        return (*frame.path, str(frame.key))

    def document(self) -> Document:
        """Return what was built."""
        return Document(self.root, self.lines, tuple(self.problems), self.source)
