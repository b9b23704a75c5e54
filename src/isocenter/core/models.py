"""Models by file: what reads a package is found by its name, as operations are, and imported when one is first used."""

from __future__ import annotations

import importlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from isocenter.core.errors import MissingInputError, ParameterError, VerificationError

__all__ = ["FOLDERS", "make_known", "model"]

#: Environment variable: files and folders in which packages are looked for by their file name.
FOLDERS = "ISOCENTER_MODELS"
#: Reads packages; `read_package(path, sha256=...)`. By name, as core knows nothing of what stands above it.
_READER = "isocenter.learn.package.reading"


def make_known(path: Path | str) -> None:
    """Let this process, and those it starts, find a package by its file name."""
    place = str(Path(path).resolve())
    known = os.environ.get(FOLDERS, "").split(os.pathsep)
    if place not in known:
        os.environ[FOLDERS] = os.pathsep.join([place, *[k for k in known if k]])


def model(name: str, sha256: str) -> Any:
    """Return the model of a package.

    Parameters
    ----------
    name
        File name, looked for among what ``ISOCENTER_MODELS`` names and in the working folder; or a path.
    sha256
        The digest it must have (``sha256:...``), so that a step means one model and no other.

    Raises
    ------
    ParameterError
        If the digest is missing.
    MissingInputError
        If there is no such file.
    VerificationError
        If no file of that name has the digest.
    """
    if not sha256.startswith("sha256:"):
        raise ParameterError(f"Model '{name}' without its digest: expected sha256:... as 'isocenter model info' prints it.")
    found = _places(name)
    if not found:
        raise MissingInputError(
            f"Model package '{name}' is not here: put it into the working folder, or name its folder in {FOLDERS}."
        )
    refusal: VerificationError | None = None
    for path in found:
        try:
            state = path.stat()
            return _read(path, sha256, state.st_size, state.st_mtime_ns)
        except VerificationError as error:  # a namesake; the right one may lie in another folder
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _places(name: str) -> list[Path]:
    if Path(name).is_absolute():
        return [Path(name)] if Path(name).is_file() else []
    known = [Path(k) for k in os.environ.get(FOLDERS, "").split(os.pathsep) if k]
    tried = [p if p.is_file() and p.name == name else p / name for p in (*known, Path.cwd())]
    return [p for p in dict.fromkeys(tried) if p.is_file()]


@lru_cache(maxsize=2)
def _read(path: Path, sha256: str, size: int, changed: int) -> Any:
    # Size and time of change are part of the key: a file that was replaced is read, and refused, anew.
    return importlib.import_module(_READER).read_package(path, sha256=sha256)
