"""The folder of a Zarr hierarchy: which files describe it, and how they are read without leaving it."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from isocenter.core.errors import FormatError
from isocenter.io.text import terminal

__all__ = ["MARKS", "attributes", "inside", "is_store", "load_json", "read_regular"]

LARGEST_JSON = 1 << 22
#: Files that make a folder a Zarr hierarchy.
MARKS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


def is_store(folder: Path) -> bool:
    """Return whether a folder is the root of a Zarr hierarchy."""
    return any((folder / mark).is_file() for mark in MARKS)


def inside(folder: Path, name: Any, what: str) -> Path:
    """Return the path below `folder` that a description names.

    Raises
    ------
    FormatError
        If the name leads anywhere else, or through a link.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.\- ]+(/[A-Za-z0-9_.\- ]+){0,7}", name):
        raise FormatError(
            f"{folder.name}: {what} is named '{terminal(name, 60)}': expected a plain relative name; correct the description."
        )
    path = folder
    for part in name.split("/"):
        path = path / part
        if part.strip(". ") == "" or path.is_symlink():
            raise FormatError(
                f"{folder.name}: {what} '{terminal(name, 60)}' leads out of the folder: expected it inside; do not open it."
            )
    return path


def read_regular(path: Path, limit: int) -> bytes | None:
    """Return the bytes of a regular file without following a link, None where nothing stands there."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FormatError(
            f"{path.name}: cannot be opened ({error.strerror}): expected a regular file; get a sound copy."
        ) from error
    with os.fdopen(descriptor, "rb") as handle:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > limit:
            raise FormatError(
                f"{path.name}: {facts.st_size:,} bytes or no regular file: expected at most {limit:,}; get a sound copy."
            )
        return handle.read(limit)


def load_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file, None where there is no file.

    Raises
    ------
    FormatError
        If it holds anything else, or more than 4 MiB.
    """
    raw = read_regular(path, LARGEST_JSON)
    if raw is None:
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FormatError(
            f"{path.parent.name}/{path.name}: is no JSON object: expected the description of a Zarr node; get a sound copy."
        )
    return found


def attributes(folder: Path) -> dict[str, Any]:
    """Return the attributes of a node: those of version 3 with ``ome`` unfolded, or those of version 2."""
    node = load_json(folder / "zarr.json")
    found = (node.get("attributes") if node is not None else load_json(folder / ".zattrs")) or {}
    return found if isinstance(found, dict) else {}
