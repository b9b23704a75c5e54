"""The studies: one YAML per system or disease, nothing else. What needs code is an operation."""

from __future__ import annotations

from pathlib import Path

from isocenter.core.errors import UnknownNameError, did_you_mean

__all__ = ["FOLDER", "names", "path"]

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """Return the name of every study that is shipped."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def path(name: str) -> Path:
    """Return the file of a study.

    Raises
    ------
    UnknownNameError
        If there is no study of that name.
    """
    if name not in names():
        raise UnknownNameError(f"No study '{name}': there are {', '.join(names())}.{did_you_mean(name, names())}")
    return FOLDER / f"{name}.yaml"
