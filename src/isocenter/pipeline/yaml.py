"""YAML, read so that nothing in it can run, grow or mean something else than it says.

PyYAML's safe scanner and parser give events; `isocenter.pipeline.document.Builder` puts them together under
limits. No tag is honoured, one document is read, and a plain value that YAML 1.1 and YAML 1.2 read differently
(``no``, ``0o17``, ``012``, ``1_000``, ``1:30``, ``2026-01-31``) is refused: quotes or another spelling make it clear.

References
----------
YAML Ain't Markup Language 1.2.2, sections 3.2.1.3 (unique keys) and 10.3 (core schema).
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from isocenter.core.errors import MissingInputError, SpecError
from isocenter.pipeline.document import BAD, Builder, Document, Limits, decode, sentences

__all__ = ["dump", "load", "read", "read_file"]

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_NULLS = ("", "~", "null", "Null", "NULL")
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_BOOLS = ("yes", "no", "on", "off")
_NOT_FINITE = re.compile(r"[-+]?\.?(inf|nan|infinity)", re.IGNORECASE)
#: Plain values that one version of YAML reads as a number or a date and another one as text.
_TWO_READINGS = (
    (re.compile(r"[-+]?0[xob][0-9a-fA-F_]+"), "a number in another base"),
    (re.compile(r"[-+]?0[0-9_]+(\.[0-9_]*)?"), "an octal number or one with leading zeros"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"), "a number with underscores"),
    (re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"), "a number to base 60"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"), "a date"),
)
#: Text that can stand without quotes whatever reads it.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*( [A-Za-z][A-Za-z0-9_.-]*)*")


def read_file(path: Path, limits: Limits | None = None) -> bytes:
    """Return the bytes of a specification file, refusing one beyond the size limit before reading it whole."""
    limits = limits or Limits()
    try:
        if not path.is_file():
            raise MissingInputError(f"{path}: no such file; expected a pipeline specification (.yaml or .json).")
        with path.open("rb") as handle:
            return handle.read(limits.bytes + 1)
    except OSError as error:
        if isinstance(error, MissingInputError):
            raise
        raise SpecError(f"cannot be read: {error.strerror or error}", str(path)) from error


def read(data: bytes | str, source: str = "", limits: Limits | None = None) -> Document:
    """Return what a YAML text says, with lines and problems.

    Parameters
    ----------
    data
        The text, UTF-8 where it is bytes.
    source
        What it is called in messages.
    limits
        What is too much.

    Raises
    ------
    SpecError
        Where reading cannot go on: not YAML, beyond a limit, more than one document.
    """
    limits = limits or Limits()
    text = decode(data, limits, source)
    builder = Builder(limits, source)
    try:
        loader = yaml.SafeLoader(text)
        try:
            _consume(loader, builder)
        finally:
            loader.dispose()
    except SpecError:
        raise
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1 if isinstance(error.position, int) else 1
        raise builder.stop(line, f"character U+{ord(str(error.character)[:1] or ' '):04X} is not allowed in YAML") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        hint = ": indent with spaces, not tabs" if "\\t" in what else ": expected valid YAML"
        raise builder.stop(mark.line + 1 if mark else 1, what + hint) from None
    except yaml.YAMLError as error:
        raise builder.stop(1, f"not YAML: {error}") from None
    except (ValueError, OverflowError, RecursionError) as error:  # an escape beyond Unicode, for instance
        raise builder.stop(1, f"not YAML: {error}") from None
    return builder.document()


def load(data: bytes | str, source: str = "", limits: Limits | None = None) -> Any:
    """Return the plain values of a YAML text.

    Raises
    ------
    SpecError
        With every problem found.
    """
    document = read(data, source, limits)
    if document.problems:
        raise SpecError(sentences(document.problems), source)
    return document.value


def _consume(loader: Any, builder: Builder) -> None:
    """Hand every event of the parser to the builder."""
    documents = 0
    while loader.check_event():
        event = loader.get_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise builder.stop(line, "a second document begins ('---'): expected one pipeline per file")
            if event.version or event.tags:
                builder.problem(line, "a directive ('%YAML', '%TAG'): expected none")
            continue
        tag = getattr(event, "tag", None)
        if tag is not None:
            builder.problem(line, f"tag '{tag[:60]}': expected plain values without tags")
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style in (None, "") and tag is None
            builder.scalar(_plain(event.value, line, builder) if plain else event.value, line, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            builder.alias(str(event.anchor), line)
        elif isinstance(event, yaml.MappingStartEvent):
            builder.open(dict, line, event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            builder.open(list, line, event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            builder.close(line)


def _plain(text: str, line: int, builder: Builder) -> Any:
    """Return what an unquoted scalar means where all versions of YAML agree; note a problem where they do not."""
    role = "key" if builder.expects_key else "value"
    shown = text if len(text) <= 40 else text[:37] + "..."
    if text.lower() in _OLD_BOOLS:
        builder.problem(
            line,
            f"{role} {shown} without quotes is true or false to some readers and text to others: write '{shown}', true or false",
        )
        return BAD
    if _NOT_FINITE.fullmatch(text):
        builder.problem(line, f"{role} {shown} is not a finite number: expected one")
        return BAD
    for pattern, what in _TWO_READINGS:
        if len(text) < 80 and pattern.fullmatch(text):
            builder.problem(
                line, f"{role} {shown} without quotes is {what} to some readers: write it in decimal, or in quotes if it is text"
            )
            return BAD
    if text in ("<<", "="):
        builder.problem(line, f"{role} '{text}' (merging) is not supported: expected every value written out")
        return BAD
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    return _number(text, line, builder, shown)


def _number(text: str, line: int, builder: Builder, shown: str) -> Any:
    if _INT.fullmatch(text):
        if len(text) > 17:
            builder.problem(line, f"a whole number of {len(text)} digits: expected at most {builder.limits.whole}")
            return BAD
        return int(text)
    if len(text) < 400 and _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            builder.problem(line, f"value {shown} is not a finite number: expected one")
            return BAD
        return value
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes every text that any reader might take for something else; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    lowered = value.lower()
    clear = (
        _PLAIN.fullmatch(value)
        and lowered not in (*_OLD_BOOLS, "true", "false", "null", "y", "n")
        and not _NOT_FINITE.fullmatch(value)
    )
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if clear else '"')


def _float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", repr(float(value)))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _float)


def dump(value: Any) -> str:
    """Return plain values as YAML that `load` reads back equal; one spelling for equal values in equal order."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return text
