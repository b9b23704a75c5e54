"""Half widths of neighbourhoods: one number for all axes, or one per axis."""

from __future__ import annotations

from isocenter.core.errors import ParameterError

__all__ = ["not_negative", "per_axis"]


def not_negative(value: int | tuple[int, ...]) -> int | tuple[int, ...]:
    """Return a radius as it is; raise `ValueError` where one is negative or there is none (for validators)."""
    if any(v < 0 for v in (value if isinstance(value, tuple) else (value,))) or value == ():
        raise ValueError("expected 0 samples or more")
    return value


def per_axis(value: int | tuple[int, ...], axes: int, parameter: str, who: str) -> tuple[int, ...]:
    """Return a radius for every axis.

    Raises
    ------
    ParameterError
        If the number of radii is not that of the axes.
    """
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise ParameterError(
            f"Parameter '{parameter}' of {who} has {len(value)} values for {axes} spatial axes: "
            "expected one per axis in array order, or one number for all."
        )
    return value
