"""Text from outside made harmless, and numbers made readable.

Segment names, file names and notes may come from anyone. Markup is escaped where it is written (HTML, PDF);
what escaping does not touch is handled here: control characters, text-direction overrides, lone surrogates,
towers of combining marks and texts without end.

References
----------
Unicode Standard Annex 9 (bidirectional algorithm), explicit formatting characters.
"""

from __future__ import annotations

import math
from typing import Any

from isocenter.core.text import plain

__all__ = ["clean", "number", "quantity_label", "unit"]

_REPLACEMENT = "\ufffd"

#: Quantity -> how an axis names it.
_QUANTITIES = {
    "HU": "CT number (HU)",
    "SUVbw": "SUV, body weight (g/ml)",
    "Bq/ml": "Activity concentration (Bq/ml)",
    "probability": "Probability",
    "optical density": "Optical density",
    "a.u.": "Signal (arbitrary units)",
}


def clean(text: Any, limit: int = 2000) -> str:
    """Return text that can stand in a page without changing what stands around it.

    Parameters
    ----------
    text
        Anything; its `str` is taken.
    limit
        Characters that are kept; a longer text ends with the number of characters left out.

    Returns
    -------
    str
        Control and text-direction characters are replaced by U+FFFD (so that tampering stays visible), other
        invisible characters are dropped, newlines and tabs are kept, of several blank lines one.
    """
    return plain(str(text), limit, _REPLACEMENT, lines=True)


def number(value: Any, digits: int = 4, aligned: bool = False) -> str:
    """Return a value as people read it.

    Parameters
    ----------
    value
        A number, None (nothing was measured), a truth value or a text.
    digits
        Significant digits of a number that is not whole.
    aligned
        Whether closing zeros stay, so that the numbers of a column line up.
    """
    if value is None:
        return "\u2013"
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    try:
        found = float(value)
    except (TypeError, ValueError):
        return str(value)
    if math.isnan(found):
        return "not defined"
    if math.isinf(found):
        return "infinite" if found > 0 else "minus infinite"
    if found == int(found) and abs(found) < 1e15 and not isinstance(value, float):
        return str(int(found))
    size = abs(found)
    if size and (size < 1e-4 or size >= 1e7):
        return f"{found:.{digits - 1}e}"
    whole = len(str(int(size))) if size >= 1 else 0
    if whole >= digits:
        return f"{found:.0f}"
    # Digits after the point that make `digits` significant ones; a rounding up to the next power of ten loses one.
    places = digits - 1 - math.floor(math.log10(float(f"{size:.{digits - 1}e}"))) if size else 0
    shown = f"{found:.{max(0, places)}f}"
    return shown if aligned or "." not in shown else shown.rstrip("0").rstrip(".")


def unit(name: str) -> str:
    """Return a unit as people write it: ``mm^3`` becomes mm\u00b3, a found number has none."""
    if name in ("", "1"):
        return ""
    return clean(name, 40).replace("^2", "\u00b2").replace("^3", "\u00b3").replace("^-1", "\u207b\u00b9")


def quantity_label(quantity: str | None, modality: str | None = None) -> str:
    """Return what a value is, with its unit, for an axis or a sentence."""
    if quantity in _QUANTITIES:
        return _QUANTITIES[quantity]
    if quantity:
        return clean(quantity, 60)
    return "Signal (arbitrary units)" if modality == "MR" else "Stored value (no unit)"
