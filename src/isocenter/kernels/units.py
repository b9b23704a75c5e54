"""Units of measured values, from what an image's values are."""

from __future__ import annotations

__all__ = ["intensity_unit"]

_UNITS = {"SUVbw": "g/ml", "SUVlbm": "g/ml", "SUVibw": "g/ml", "SUVbsa": "cm2/ml", "probability": "1", None: "a.u."}


def intensity_unit(quantity: str | None, power: int = 1) -> str:
    """Return the unit of an image's values to a power.

    Parameters
    ----------
    quantity
        As of `Image`: ``HU``, ``SUVbw``, ``Bq/ml`` ...; None gives arbitrary units.
    power
        0, 1 or 2.
    """
    unit = _UNITS.get(quantity, quantity or "a.u.")
    if power == 0 or unit == "1":
        return "1"
    if power == 1:
        return unit
    return f"{unit}^{power}" if unit.isalpha() else f"({unit})^{power}"
