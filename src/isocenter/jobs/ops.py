"""List the operations; imports none of them."""

from __future__ import annotations

from isocenter.core.errors import UnknownNameError, did_you_mean
from isocenter.core.registry import Entry, operations

__all__ = ["ops"]


def ops(name: str | None = None) -> list[Entry]:
    """Return the registered operations: all, those of one stage, or a single one.

    Raises
    ------
    UnknownNameError
        If there is no such operation or stage.
    """
    entries = operations().entries
    if name is None:
        return list(entries.values())
    if name in entries:
        return [entries[name]]
    stage = [entry for entry in entries.values() if entry.name.split(".")[0] == name]
    if not stage:
        known = [*entries, *{n.split(".")[0] for n in entries}]
        raise UnknownNameError(f"No operation or stage '{name}'.{did_you_mean(name, known) or ' List them with: isocenter ops'}")
    return stage
