"""Read an operation's docstring: summary, parameters and their units, references."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from isocenter.core.operation import Operation

__all__ = ["Documentation", "documented", "mm_parameters", "unit_of"]

#: What counts as a unit in a parameter's description, with the power of length it scales by.
_UNITS: tuple[tuple[str, float], ...] = (
    (r"mm\^3|mm³", 3.0),
    (r"mm\^2|mm²", 2.0),
    (r"1/mm|per mm|mm\^-1", -1.0),
    (r"\bmm\b", 1.0),
    (
        r"(?i)\b(samples?|voxels?|pixels?|px|slices?|degrees?|radians?|iterations?|times|bins?|levels?|labels?|values?|counts?|number|"
        r"fractions?|percent|quantiles?|probabilit\w+|index|indices|ratio|factor|weight|seconds?|ms|Hz|HU|SUV\w*|dB|order|power|"
        r"unit of the image|units? of the (?:image|input)|intensit\w+|image's (?:unit|quantity)|neighbours?|dimensionless|components?)\b|%|"
        r"Bq/ml|\bone\b",
        0.0,
    ),
)


@dataclass(frozen=True)
class Documentation:
    """The parts of a docstring."""

    summary: str
    parameters: dict[str, str]
    references: str


def documented(owner: type) -> Documentation:
    """Return the parts of a class's NumPy-style docstring."""
    doc = inspect.cleandoc(owner.__dict__.get("__doc__") or "")
    sections = _sections(doc)
    return Documentation(
        doc.split("\n", 1)[0].strip(),
        _parameters(sections.get("Parameters", [])),
        "\n".join(sections.get("References", [])).strip(),
    )


def _sections(doc: str) -> dict[str, list[str]]:
    lines = doc.splitlines()
    found: dict[str, list[str]] = {}
    current: list[str] = found.setdefault("", [])
    for k, line in enumerate(lines):
        if line and not line.startswith(" ") and k + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[k + 1].strip()):
            current = found.setdefault(line.strip(), [])
        elif not re.fullmatch(r"-{3,}", line.strip()):
            current.append(line)
    return found


def _parameters(lines: list[str]) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines:
        if line and not line.startswith(" "):
            names = [n.strip() for n in line.split(":")[0].split(",")]
            texts.update({n: [] for n in names})
        elif line.strip():
            for name in names:
                texts[name].append(line.strip())
    return {name: " ".join(text) for name, text in texts.items()}


def unit_of(text: str) -> float | None:
    """Return the power of length of the unit that a description names first; None where it names none."""
    found = [(match.start(), rank, power) for rank, (pattern, power) in enumerate(_UNITS) if (match := re.search(pattern, text))]
    return min(found)[2] if found else None


def mm_parameters(operation: Operation) -> dict[str, float]:
    """Return the parameters that hold a length, area or volume in use, with the power of mm: ``{"sigma": 1.0}``.

    A parameter that is None, zero or text is not in use.
    """
    texts = documented(type(operation)).parameters
    found = {}
    for name in type(operation).model_fields:
        power = unit_of(texts.get(name, "")) or 0.0
        if power and _in_use(getattr(operation, name)):
            found[name] = power
    return found


def _in_use(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(_in_use(v) for v in value)
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0
