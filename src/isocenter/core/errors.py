"""Every error isocenter raises on purpose.

    IsocenterError                      the root: catch this to catch all of them
    ├── InputError        ValueError    an input cannot be used as it is
    │   ├── FormatError                 the bytes are not what they claim, or not a known format
    │   │   └── UnsupportedError        a sound file of a kind that is not read (yet)
    │   ├── BudgetError   MemoryError   the header asks for more than the budget allows
    │   ├── GeometryError               the geometry is missing, impossible or uneven
    │   │   └── GridMismatchError       two grids that must agree do not
    │   ├── AmbiguousInputError         several readings are possible and none was chosen
    │   └── ContentError                voxels or attributes contradict what the step needs
    ├── MissingInputError FileNotFoundError   the path does not exist
    ├── ParameterError    ValueError    a parameter is outside its domain
    ├── UnknownNameError  LookupError   no operation, study, slot ... of that name
    ├── SlotError         ValueError    a slot of a study is taken or has the wrong kind
    ├── SpecError         ValueError    a pipeline specification has problems (all of them are listed)
    ├── MissingExtraError ImportError   an optional dependency is not installed
    ├── WriteError        OSError       a result could not be written whole
    ├── BusyError         OSError       another run holds the output folder
    ├── StepError         RuntimeError  a step of a pipeline failed
    └── VerificationError RuntimeError  a result folder differs from its lineage

Each message is one sentence in four parts: what was wrong, where (file, tag, step, line), what was
expected, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "AmbiguousInputError",
    "BudgetError",
    "BusyError",
    "ContentError",
    "FormatError",
    "GeometryError",
    "GridMismatchError",
    "InputError",
    "IsocenterError",
    "MissingExtraError",
    "MissingInputError",
    "ParameterError",
    "SlotError",
    "SpecError",
    "StepError",
    "UnknownNameError",
    "UnsupportedError",
    "VerificationError",
    "WriteError",
    "did_you_mean",
]


class IsocenterError(Exception):
    """Root of every deliberate error; its text is one sentence for the user."""

    def __str__(self) -> str:
        # KeyError and OSError format their arguments in their own way; ours is always the sentence.
        return str(self.args[0]) if self.args else type(self).__name__


class InputError(IsocenterError, ValueError):
    """An input cannot be used as it is."""


class FormatError(InputError):
    """The bytes of a file are not what they claim to be, or of no known format."""


class UnsupportedError(FormatError):
    """A sound file of a kind that isocenter does not read."""


class BudgetError(InputError, MemoryError):
    """A header asks for more bytes, voxels, frames or nesting than the budget allows."""


class GeometryError(InputError):
    """The geometry of an input is missing, impossible or uneven."""


class GridMismatchError(GeometryError):
    """Two grids that must agree do not."""


class AmbiguousInputError(InputError):
    """Several readings of one input are possible and none was chosen."""


class ContentError(InputError):
    """Voxels or attributes contradict what an operation needs (quantity, modality, unit)."""


class MissingInputError(IsocenterError, FileNotFoundError):
    """The named file or folder does not exist."""


class ParameterError(IsocenterError, ValueError):
    """A parameter is outside its domain."""


class UnknownNameError(IsocenterError, LookupError):
    """Nothing of that name is registered."""


class SlotError(IsocenterError, ValueError):
    """A slot of a study is taken already, missing, or holds another kind of value."""


class SpecError(IsocenterError, ValueError):
    """A specification (pipeline, study, settings) has problems.

    Parameters
    ----------
    problems
        One sentence each, with the line number where it is known; all that were found.
    source
        The file or the words "pipeline specification".
    """

    def __init__(self, problems: str | Sequence[str], source: str = "") -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        self.source = source
        head = f"{source}: " if source else ""
        body = self.problems[0] if len(self.problems) == 1 else "; ".join(self.problems)
        super().__init__(head + body)

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[str, ...], str]]:
        return type(self), (self.problems, self.source)


class MissingExtraError(IsocenterError, ImportError):
    """An optional dependency is not installed."""


class WriteError(IsocenterError, OSError):
    """A result could not be written whole; nothing stands under its final name."""


class BusyError(IsocenterError, OSError):
    """Another run holds the output folder."""


class StepError(IsocenterError, RuntimeError):
    """A step of a pipeline failed; the message names the step and the reason.

    Attributes
    ----------
    outcome
        What the run had given before (`isocenter.pipeline.run.Outcome`), None where that is not known.
    """

    outcome: Any = None


class VerificationError(IsocenterError, RuntimeError):
    """A result folder differs from what its lineage records."""


def did_you_mean(name: str, known: Iterable[str], limit: int = 3) -> str:
    """Return `` Did you mean 'x' or 'y'?`` for a misspelt name, or an empty string.

    Parameters
    ----------
    name
        What the user wrote.
    known
        The names that exist.
    limit
        At most this many suggestions.
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=limit, cutoff=0.6)
    last = name.rsplit(".", 1)[-1]
    for candidate in known:  # the right name in another stage: "filter.gaussian" -> "denoise.gaussian"
        if candidate.rsplit(".", 1)[-1] == last and candidate not in close:
            close.append(candidate)
    if not close:
        return ""
    return " Did you mean " + " or ".join(f"'{item}'" for item in close[:limit]) + "?"
