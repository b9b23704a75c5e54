"""Checker: a document, where its problems go, and the checks that all its parts need."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from isocenter.core.errors import did_you_mean
from isocenter.core.registry import Registry, operations
from isocenter.pipeline.document import BAD, Document, Path

__all__ = ["Checker", "kind_of"]


class Checker:
    """A document, where its problems go, and the few checks that all parts need."""

    def __init__(self, document: Document, problems: list[tuple[int, str]], registry: Registry | None) -> None:
        self.document = document
        self.problems = problems
        self.registry = registry or operations()

    def problem(self, path: Path, text: str) -> None:
        """Note a problem at a path."""
        self.problems.append((self.document.line(path), text))

    def mapping(
        self, value: Any, path: Path, what: str, known: Sequence[str], hint: Callable[[str], str] | None = None
    ) -> dict[str, Any]:
        """Return a mapping's known keys with their values; note unknown keys and anything that is no mapping."""
        if value is BAD:
            return {}
        if not isinstance(value, dict):
            self.problem(path, f"{what} is {kind_of(value)}: expected a mapping with {', '.join(known)}")
            return {}
        for key in value:
            if key not in known:
                more = (hint(key) if hint else "") or did_you_mean(key, known) or f" It has {', '.join(known)}."
                self.problem((*path, key), f"{what} has no key '{key[:60]}'.{more}")
        return {k: v for k, v in value.items() if k in known and v is not BAD}

    def text(
        self, value: Any, path: Path, what: str, pattern: re.Pattern[str] | None = None, expected: str = "text", most: int = 4000
    ) -> str:
        """Return a text, empty where it is none (noted)."""
        if value is BAD:
            return ""
        if not isinstance(value, str) or len(value) > most:
            self.problem(path, f"{what} is {kind_of(value)}: expected {expected}")
            return ""
        if pattern is not None and not pattern.fullmatch(value):
            self.problem(path, f"{what} is {value[:60]!r}: expected {expected}")
            return ""
        return value

    def texts(
        self,
        value: Any,
        path: Path,
        what: str,
        pattern: re.Pattern[str] | None = None,
        expected: str = "text",
        most: int = 200,
    ) -> tuple[str, ...]:
        """Return one text or a list of them as a tuple."""
        if value is BAD:
            return ()
        if not isinstance(value, list):
            found = self.text(value, path, what, pattern, expected, most)
            return (found,) if found else ()
        many = [self.text(v, (*path, k), what, pattern, expected, most) for k, v in enumerate(value)]
        return tuple(t for t in many if t)

    def flag(self, value: Any, path: Path, what: str) -> bool:
        """Return true or false."""
        if value is not BAD and not isinstance(value, bool):
            self.problem(path, f"{what} is {kind_of(value)}: expected true or false")
        return value is True


def kind_of(value: Any) -> str:
    """Return what a plain value is, in words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value[:40]!r}" if value else "an empty text"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a mapping"
