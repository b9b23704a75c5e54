"""The networks there are: ``nets/v_net.py`` is ``v_net`` and holds ``class VNet``; names are read from the files."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from isocenter.core.errors import ParameterError, UnknownNameError, did_you_mean
from isocenter.core.extras import require
from isocenter.core.registry import class_name

__all__ = ["build", "load", "names", "summary"]


@cache
def _found() -> dict[str, str]:
    """Return name -> first line of the docstring of every file that holds a network of its name."""
    found = {}
    for path in sorted(Path(__file__).resolve().parent.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        match = re.search(rf'^class {class_name(path.stem)}\([^)]*\):\s*\n\s+"""([^"\n]+)', text, re.MULTILINE)
        if match is not None:
            found[path.stem] = match.group(1).strip()
    return found


def names() -> list[str]:
    """Return the name of every network, sorted."""
    return list(_found())


def summary(name: str) -> str:
    """Return what a network is, in one line."""
    _known(name)
    return _found()[name]


def load(name: str) -> Any:
    """Import and return the class of a network.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    MissingExtraError
        If torch is not installed.
    """
    stem = _known(name)
    require("torch", f"The network '{stem}'")
    return getattr(importlib.import_module(f"isocenter.nets.{stem}"), class_name(stem))


def build(name: str, **parameters: Any) -> Any:
    """Return a new network by name.

    Parameters
    ----------
    name
        ``unet``, or ``nets.unet``.
    parameters
        Of its class.

    Raises
    ------
    ParameterError
        If the network has no parameter of a name, or a value is outside its domain.
    """
    kind = load(name)
    try:
        return kind(**parameters)
    except (TypeError, ValueError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"Network '{name}': {error}; expected the parameters that its page lists.") from error


def _known(name: str) -> str:
    stem = name.removeprefix("nets.")
    if stem not in _found():
        raise UnknownNameError(f"No network '{name}'.{did_you_mean(stem, names()) or ' There are: ' + ', '.join(names()) + '.'}")
    return stem
