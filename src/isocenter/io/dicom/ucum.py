"""Units of tables as codes of UCUM.

References
----------
G. Schadow and C. J. McDonald, The Unified Code for Units of Measure, version 2.1 (case-sensitive codes).
"""

from __future__ import annotations

import re

from isocenter.core.codes import Code

__all__ = ["unit_code"]

#: Units that UCUM spells in another way; those it spells alike are listed below.
_ATOMS = {
    "HU": "[hnsf'U]",
    "SUVbw": "g/ml{SUVbw}",
    "SUVlbm": "g/ml{SUVlbm}",
    "a.u.": "[arb'U]",
    "mmHg": "mm[Hg]",
    "degrees": "deg",
    "bits": "bit",
    "px": "{pixel}",
    "pixel": "{pixel}",
    "pixels": "{pixel}",
    "voxel": "{voxel}",
    "voxels": "{voxel}",
    "sample": "{sample}",
    "samples": "{sample}",
    "count": "{count}",
    "counts": "{count}",
}
_ALIKE = {
    "mm", "cm", "m", "um", "nm", "ml", "l", "g", "mg", "kg", "s", "ms", "min", "h", "Bq", "kBq", "MBq", "Hz", "deg", "rad", "dB", "Gy", "mT",
    "T", "%", "1", "bit", "mol", "mmol", "Pa", "kPa", "V", "mV",
}  # fmt: skip
_FACTOR = re.compile(r"(.+?)(?:\^?(-?[0-9]+))?$")


def _factor(text: str) -> str:
    """Return one factor, ``mm^3`` or ``HU``, in UCUM."""
    if text in _ALIKE or text in _ATOMS:
        return _ATOMS.get(text, text)
    found = _FACTOR.fullmatch(text)
    base, power = (found[1], found[2]) if found else (text, None)
    if power and (base in _ALIKE or base in _ATOMS):
        plain = _ATOMS.get(base, base)
        if "/" in plain:  # a power belongs to every factor: g/ml{SUVbw} squared is g2/ml2{SUVbw}
            over, under = plain.split("/")
            unit, brace, note = under.partition("{")
            return f"{over}{power}/{unit}{power}{brace}{note}"
        return f"{plain}{power}"
    return "{" + _printable(text) + "}"


def _printable(text: str) -> str:
    # Inside braces UCUM takes any printable ASCII but braces.
    kept = "".join(c for c in text if "!" <= c <= "~" and c not in "{}")
    return kept[:32] or "unit"


def unit_code(unit: str) -> Code:
    """Return the UCUM code of a unit as tables write it.

    Parameters
    ----------
    unit
        ``mm``, ``mm^3``, ``1/mm``, ``HU mm^3``, ``1`` for a plain number ...; what UCUM does not know becomes an
        annotation (``{text}``), which counts as a plain number.
    """
    text = " ".join(unit.split())
    if text in ("", "1"):
        return Code("1", "UCUM", "no units")
    parts = []
    for token in text.split(" "):
        over, *under = token.split("/")
        head = "" if over == "1" else _factor(over)
        parts.append("/".join([head, *(_factor(u) for u in under)]) if under else head or "1")
    code = parts[0] + "".join(p if p.startswith("/") else f".{p}" for p in parts[1:])
    return Code(code if len(code) <= 64 else "{" + _printable(text) + "}", "UCUM", text[:64])
